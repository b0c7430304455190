"""Keeps anchors in a bucket, an object each, and reads them back.

With the bucket's object lock, not even the account that wrote an anchor can alter or remove it before its time:
https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html
"""

import base64
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from hashlib import md5, sha256
from io import BytesIO
from urllib.parse import urlsplit

from app.auditing.anchors import Anchor
from app.blobs import made_of
from app.settings.auditing import Audit, AuditS3
from webhooks.blobs import StoreMisconfigured
from webhooks.blobs.bucket import Bucket, Purpose

ANCHORS = Purpose("anchors", "audit.s3", "s3:PutObject (and s3:PutObjectRetention with audit.s3.lock_days)")
#: What reading needs more than writing.
READING = Purpose("anchors", "audit.s3", "s3:ListBucket and s3:GetObject")
CHECKING = Purpose("anchors", "audit.s3", "s3:GetBucketObjectLockConfiguration, for this check")
#: Objects that are read at once.
READERS = 16
SCHEME = "s3"


def writing(audit: Audit) -> Bucket | None:
    """Return the bucket to which anchors are written, or None if none is set. Raises StoreMisconfigured."""
    return made_of(audit.s3, ANCHORS)


def reading(audit: Audit, url: str) -> Bucket:
    """Return the bucket of `s3://bucket/prefix`, at the endpoint and with the credentials of the settings. Raises
    StoreMisconfigured."""
    parts = urlsplit(url)
    named = {"bucket": parts.netloc, "prefix": parts.path.removeprefix("/")}
    try:
        found = made_of(AuditS3.model_validate(audit.s3.model_dump() | named), READING)
    except ValueError as error:
        raise StoreMisconfigured("it is no s3://bucket, or s3://bucket/prefix/ with a slash at its end") from error
    assert found is not None  # it has a name
    return found


def check(audit: Audit) -> bool | None:
    """Ask the bucket of the settings for its object lock, in one try, which needs s3:GetBucketObjectLockConfiguration. Returns
    whether it has one where the settings want it, else None. Raises StoreAway; StoreMisconfigured if the settings are at fault."""
    bucket = made_of(audit.s3, CHECKING)
    assert bucket is not None  # it is set
    try:
        answer = bucket.send("GET", "", query={"object-lock": ""}, tries=1)
    finally:
        bucket.close()
    if answer.code == "ObjectLockConfigurationNotFoundError":
        return False if audit.s3.lock_days else None
    answer.expect(200)
    return True if audit.s3.lock_days else None


def put(bucket: Bucket, s3: AuditS3, anchor: Anchor, line: bytes) -> None:
    """Store an anchor under its batch and time, and under a lock where the settings have one. Raises StoreAway."""
    headers = {
        "content-type": "application/json",
        "x-amz-content-sha256": sha256(line).hexdigest(),
        # Required with a lock: https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutObject.html
        "content-md5": base64.b64encode(md5(line, usedforsecurity=False).digest()).decode(),
    }
    if s3.lock_days is not None:
        until = anchor.at + timedelta(days=s3.lock_days)
        headers["x-amz-object-lock-mode"] = s3.lock_mode.upper()
        headers["x-amz-object-lock-retain-until-date"] = f"{until:%Y-%m-%dT%H:%M:%SZ}"
    key = f"{bucket.prefix}{anchor.batch:012d}-{anchor.at:%Y%m%dT%H%M%SZ}.json"
    bucket.send("PUT", key, headers, line, len(line)).expect(200)


def lines(bucket: Bucket) -> Iterator[tuple[str, bytes]]:
    """Yield the key and content of every object below the prefix, in order of the batches. Raises StoreAway."""
    after = ""
    with ThreadPoolExecutor(READERS) as pool:
        while True:
            page = bucket.listed(after=after)
            keys = [key for key, _, _ in page.objects if key.endswith(".json")]
            yield from zip(keys, pool.map(lambda key: _read(bucket, key), keys), strict=True)
            if not page.next:
                return
            after = page.next


def _read(bucket: Bucket, key: str) -> bytes:
    content = BytesIO()
    bucket.send("GET", key, into=content).expect(200)
    return content.getvalue()
