"""Calls a bucket: requests signed by AWS Signature Version 4, with time-outs, and repeated where a later try may succeed.

https://docs.aws.amazon.com/AmazonS3/latest/API/Type_API_Reference.html
"""

import random
import re
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO
from urllib.parse import quote, urlencode
from xml.etree import ElementTree

import httpx

from adapters.signing.signatures import hex_sha256
from adapters.signing.sigv4 import Credentials, signed
from webhooks.backoff import exponential
from webhooks.blobs import StoreAway, StoreMisconfigured
from webhooks.producer import reason

#: Seconds to connect, and without any progress of a transfer.
TIMEOUT = httpx.Timeout(15.0, connect=5.0)
#: Most tries of one request, and seconds after which no further try begins. The first and the longest pause between
#: tries, in seconds: they double, with full jitter.
TRIES, PATIENCE = 4, 15.0
FIRST_PAUSE, LAST_PAUSE = 0.2, 3.0
#: Bytes of a file that are sent or written at once, and most bytes of an answer that is not a blob.
PIECE, MOST_ANSWER = 256 << 10, 8 << 20
#: The SHA-256 of nothing.
EMPTY = hex_sha256(b"")
_CODE = re.compile(rb"<Code>([A-Za-z0-9]{1,64})</Code>")
#: Statuses after which a later try may succeed: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
_LATER = frozenset({408, 429, 500, 502, 503, 504})
#: Error codes that no retry resolves, and what to check.
_HINTS = {
    "NoSuchBucket": "{of.table}.bucket",
    "InvalidBucketName": "{of.table}.bucket",
    "InvalidAccessKeyId": "{of.table}.access_key_id",
    "SignatureDoesNotMatch": "{of.table}.secret_access_key",
    "AuthorizationHeaderMalformed": "{of.table}.region",
    "PermanentRedirect": "{of.table}.region and {of.table}.endpoint",
    "RequestTimeTooSkewed": "this machine's clock",
    "AccessDenied": "the permissions {of.permissions}",
}


@dataclass(frozen=True, slots=True)
class Purpose:
    """What a bucket is for, as messages say it: what it keeps, the table of its settings, the permissions that it needs."""

    what: str
    table: str
    permissions: str


BLOBS = Purpose("blobs", "blobs.s3", "s3:ListBucket, s3:GetObject, s3:PutObject and s3:DeleteObject")


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to a request. `code` is Amazon's word for an error; `body` is empty if it was written to a file."""

    status: int
    headers: Mapping[str, str]
    of: Purpose
    body: bytes = b""

    @property
    def code(self) -> str:
        """The error's code, or nothing."""
        found = _CODE.search(self.body) if b"<Error" in self.body[:1000] else None
        return found[1].decode() if found else ""

    def expect(self, *statuses: int) -> None:
        """Return if the status is one of these. Raises StoreAway; StoreMisconfigured if the settings are at fault."""
        if self.status in statuses:
            return
        what = f"the bucket of {self.of.what} answers {self.status} {self.code}".rstrip()
        if hint := _HINTS.get(self.code) or ("{of.table}" if self.status in (301, 307, 401, 403, 404) else ""):
            raise StoreMisconfigured(f"{what}: check {hint.format(of=self.of)}")
        raise StoreAway(what)


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a listing: key, size in bytes and time in Unix seconds of each object, and where the next page begins."""

    objects: list[tuple[str, int, float]]
    next: str


class Bucket:
    """A bucket at a URL, below the prefix. The connections of `http` are shared by all threads."""

    def __init__(
        self,
        name: str,
        url: str,
        prefix: str,
        credentials: Credentials,
        http: httpx.Client | None = None,
        of: Purpose = BLOBS,
    ) -> None:
        self.name = name
        self.of = of
        self.prefix = prefix
        self._url = url
        self._credentials = credentials
        self._http = http or httpx.Client(timeout=TIMEOUT, follow_redirects=False)

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(
        self,
        method: str,
        key: str,
        headers: Mapping[str, str] | None = None,
        file: Path | bytes | None = None,
        size: int = 0,
        into: IO[bytes] | None = None,
        query: Mapping[str, str] | None = None,
        tries: int = TRIES,
    ) -> Answer:
        """Send a request, with the content of a file of `size` bytes or these bytes, and return its answer; the body of a 200 is written to
        `into`. Raises StoreAway after `tries` tries, and OSError of the files."""
        began, failures = time.monotonic(), 0
        while True:
            try:
                answer = self._once(method, key, dict(headers or {}), file, size, into, query or {})
                why = f"{answer.status} {answer.code}".rstrip()
                if answer.status not in _LATER and answer.code != "RequestTimeout":
                    return answer
            except httpx.HTTPError as error:
                why = reason(error)
            failures += 1
            if failures >= tries or time.monotonic() - began > PATIENCE:
                raise StoreAway(f"the bucket of {self.of.what} cannot be used now: {why}")
            time.sleep(random.uniform(0, exponential(FIRST_PAUSE, LAST_PAUSE, failures - 1)))  # noqa: S311  # jitter, no secret

    def listed(self, *, after: str = "", most: int = 1000, tries: int = TRIES) -> Page:
        """Return a page of the objects below the prefix. Raises StoreAway."""
        query = {"list-type": "2", "max-keys": str(most), "prefix": self.prefix}
        if after:
            query["continuation-token"] = after
        answer = self.send("GET", "", query=query, tries=tries)
        answer.expect(200)
        try:
            found = ElementTree.fromstring(answer.body)  # noqa: S314  # expat bounds the expansion of entities
            objects = [
                (
                    one.findtext("{*}Key", ""),
                    int(one.findtext("{*}Size", "0")),
                    datetime.fromisoformat(one.findtext("{*}LastModified", "")).timestamp(),
                )
                for one in found.iterfind("{*}Contents")
            ]
        except (ElementTree.ParseError, ValueError) as error:
            raise StoreAway(f"the bucket of {self.of.what} answers with something other than a listing") from error
        return Page(objects, found.findtext("{*}NextContinuationToken", ""))

    def _once(
        self,
        method: str,
        key: str,
        headers: dict[str, str],
        file: Path | bytes | None,
        size: int,
        into: IO[bytes] | None,
        query: Mapping[str, str],
    ) -> Answer:
        words = urlencode(sorted(query.items()), quote_via=quote, safe="-_.~")
        url = f"{self._url}/{key}{'?' if words else ''}{words}"
        headers.setdefault("x-amz-content-sha256", EMPTY)
        if method == "PUT":
            headers["content-length"] = str(size)
        made = signed(method, url, headers, b"", self._credentials, datetime.now(UTC))
        made["accept-encoding"] = "identity"
        with self._http.stream(
            method, url, headers=made, content=_pieces(file) if isinstance(file, Path) else file
        ) as response:
            if into is not None and response.status_code == 200:
                into.seek(0)
                into.truncate()
                for piece in response.iter_bytes(PIECE):
                    into.write(piece)
                return Answer(200, response.headers, self.of)
            if "range" in headers and response.status_code == 200:  # a store that sends all of it, which is not needed
                return Answer(200, response.headers, self.of)
            body = bytearray()
            for piece in response.iter_bytes(PIECE):
                body += piece
                if len(body) > MOST_ANSWER:
                    raise StoreAway(f"the bucket of {self.of.what} answers with too many bytes")
            return Answer(response.status_code, response.headers, self.of, bytes(body))


def _pieces(file: Path) -> Iterator[bytes]:
    with file.open("rb") as opened:
        while piece := opened.read(PIECE):
            yield piece
