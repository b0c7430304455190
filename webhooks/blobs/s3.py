"""Keeps blobs in a bucket of Amazon S3, or of a store that speaks its protocol (MinIO, Ceph, Cloudflare R2).

A blob is one object, whose time of modification is when it was last stored. A PUT is atomic, and once it is answered
every reader gets what it stored: https://docs.aws.amazon.com/AmazonS3/latest/userguide/Welcome.html#ConsistencyModel
"""

import time
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from hashlib import file_digest, sha256
from pathlib import Path
from typing import IO

from webhooks.blobs import NAME, WITHHELD, NoBlob, StoreAway, StoreFull
from webhooks.blobs.bucket import EMPTY, Answer, Bucket
from webhooks.blobs.folder import Folder
from webhooks.blobs.weight import Weight
from webhooks.producer import reason

#: Seconds for which the measured size of the bucket is used, with this process's own writes added: a listing of 1,000 objects
#: is a request that Amazon charges for.
WEIGHED = 600.0
#: Seconds after which `renew` copies an object onto itself. A sweep lets each object live for so much longer.
FRESH = 86400.0


class S3:
    """A store of blobs in a bucket, of at most `most` bytes in all. Bodies arrive in `folder`. With `sweeping` false the
    bucket's own lifecycle rule deletes."""

    def __init__(self, bucket: Bucket, folder: Folder, most: int, *, sweeping: bool = True) -> None:
        self.bucket = bucket
        self.folder = folder
        self.most = most
        self._sweeping = sweeping
        self._weight = Weight(lambda: sum(size for _, size, _ in self._objects()), WEIGHED)

    def start(self) -> None:
        """Create the folder where bodies arrive. Opens no connection. Raises OSError."""
        self.folder.start()

    def check(self) -> None:
        """Return if the bucket can be listed, in one try. Raises StoreAway, and StoreMisconfigured if the settings are at
        fault."""
        self.bucket.listed(most=1, tries=1)

    def put(self, name: str, file: Path, size: int) -> None:
        """Upload a file, even if the object exists already, which renews it. See `Blobs.put`."""
        try:
            with file.open("rb") as opened:
                digest = file_digest(opened, "sha256").hexdigest()
        except OSError as error:
            raise StoreAway(f"a blob cannot be read from disk: {reason(error)}") from error
        used = self.used()
        if used + size > self.most:
            raise StoreFull(f"the bucket of blobs is full: {used} of {self.most} bytes")
        self.bucket.send("PUT", self._key(name), {"x-amz-content-sha256": digest}, file, size).expect(200)
        self._weight.add(size)

    def read(self, name: str) -> bytes:
        """Download a blob to a nameless file, and return its content. Raises NoBlob and StoreAway."""
        try:
            with self.temporary(0) as file:
                self._present(self.bucket.send("GET", self._key(name), into=file), name).expect(200)
                file.seek(0)
                return file.read()
        except OSError as error:
            raise StoreAway(f"a blob cannot be written to disk: {reason(error)}") from error

    def renew(self, name: str) -> None:
        """Renew the object if it is older than `FRESH` seconds. Raises NoBlob and StoreAway."""
        if time.time() - self._stored(name) <= FRESH:
            return
        key = self._key(name)
        # Amazon refuses a copy onto itself that changes nothing.
        headers = {
            "x-amz-content-sha256": EMPTY,
            "x-amz-copy-source": f"/{self.bucket.name}/{key}",
            "x-amz-metadata-directive": "REPLACE",
            "x-amz-meta-renewed": str(int(time.time())),
        }
        answer = self._present(self.bucket.send("PUT", key, headers), name)
        answer.expect(200)
        # A copy may fail after the status was sent: https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html
        if answer.code or b"CopyObjectResult" not in answer.body:
            raise StoreAway(f"the bucket of blobs did not copy an object: {answer.code or 'no result'}")

    def withhold(self, name: str) -> None:
        """Put `WITHHELD` in place of the object, however full the bucket is. Raises StoreAway."""
        headers = {"x-amz-content-sha256": sha256(WITHHELD).hexdigest()}
        with self.folder.marked() as file:
            self.bucket.send("PUT", self._key(name), headers, file, len(WITHHELD)).expect(200)

    def sweep(self, older_than: float) -> int:
        """Delete objects that are older by `FRESH`, and what killed processes left on disk; return how many. Raises StoreAway."""
        deleted = self.folder.sweep(older_than)
        if not self._sweeping:
            return deleted
        latest = time.time() - older_than - FRESH
        for name, _, then in self._objects():
            if then >= latest:
                continue
            try:
                # Again, as another process may have stored it since the listing.
                if self._stored(name) >= latest:
                    continue
            except NoBlob:
                continue
            self.bucket.send("DELETE", self._key(name)).expect(204, 200, 404)
            deleted += 1
        self._weight.forget()
        return deleted

    def temporary(self, small: int) -> IO[bytes]:
        """Return a nameless file in the folder. See `Blobs.temporary`."""
        return self.folder.temporary(small)

    def used(self) -> int:
        """Return the bytes of all blobs, measured at most `WEIGHED` seconds ago. Raises StoreAway."""
        return self._weight.bytes()

    def _stored(self, name: str) -> float:
        """Return when the object was stored, in Unix seconds. A GET, as the answer to a HEAD does not say what is missing."""
        answer = self._present(self.bucket.send("GET", self._key(name), {"range": "bytes=0-0"}), name)
        answer.expect(200, 206)
        try:
            return parsedate_to_datetime(answer.headers.get("last-modified", "")).timestamp()
        except ValueError as error:
            raise StoreAway("the bucket of blobs does not say when an object was stored") from error

    def _present(self, answer: Answer, name: str) -> Answer:
        if answer.status == 404 and answer.code == "NoSuchKey":
            raise NoBlob(f"the store has no blob {name[:12]}…")
        return answer

    def _key(self, name: str) -> str:
        """Return the object's key, which is laid out as `Folder` does it."""
        return f"{self.bucket.prefix}{name[:2]}/{name}"

    def _objects(self) -> Iterator[tuple[str, int, float]]:
        """Yield the name, size and time of each blob."""
        after = ""
        while True:
            page = self.bucket.listed(after=after, most=1000)
            for key, size, then in page.objects:
                name = key.rpartition("/")[2]
                if NAME.fullmatch(name) and key == self._key(name):
                    yield name, size, then
            if not page.next:
                return
            after = page.next
