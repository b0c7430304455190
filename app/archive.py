"""Makes the store of the archive's files from the settings, a folder or the bucket of the blobs; and reads these files."""

import asyncio
import os
import shutil
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

from app.blobs import bucket_of
from app.settings import Settings
from sql.archive import ArchiveError, Files
from webhooks.blobs import StoreAway
from webhooks.blobs.bucket import Bucket

#: What installs pyarrow, for the Python that runs this. By name: an index of packages may have another `threadline`.
INSTALL = f"{sys.executable} -m pip install 'pyarrow>=26'"


class InFolder:
    """Files in a folder, each whole or not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def put(self, name: str, file: Path) -> None:
        """Copy a file, durable on return. See `Files.put`."""
        path = self._folder / name
        unfinished = path.with_suffix(".unfinished")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with file.open("rb") as source, unfinished.open("wb") as target:
                shutil.copyfileobj(source, target)
                target.flush()
                os.fsync(target.fileno())
            unfinished.replace(path)
            for folder in (path.parent, self._folder, self._folder.parent):
                _sync(folder)
        except OSError as error:
            with suppress(OSError):  # half a file keeps a full disk full
                unfinished.unlink(missing_ok=True)
            raise ArchiveError(f"{path} cannot be written: {error.strerror}") from error

    def get(self, name: str, into: Path) -> None:
        """Copy a file. See `Files.get`."""
        try:
            shutil.copyfile(self._folder / name, into)
        except OSError as error:
            raise ArchiveError(f"{self._folder / name} cannot be read: {error.strerror}") from error

    def remove(self, name: str) -> None:
        """Remove a file. See `Files.remove`."""
        path = self._folder / name
        try:
            path.unlink(missing_ok=True)
            _sync(path.parent)
        except OSError as error:
            raise ArchiveError(f"{path} cannot be removed: {error.strerror}") from error


class InBucket:
    """Files in a bucket, below `archive/`. A PUT is atomic, of at most 5 GiB, which a file does not reach."""

    def __init__(self, bucket: Bucket) -> None:
        self._bucket = bucket

    def put(self, name: str, file: Path) -> None:
        """Upload a file. See `Files.put`."""
        with file.open("rb") as opened:
            digest = file_digest(opened, "sha256").hexdigest()
        try:
            headers = {"x-amz-content-sha256": digest}
            self._bucket.send("PUT", self._key(name), headers, file, file.stat().st_size).expect(200)
        except StoreAway as error:
            raise ArchiveError(f"{name} was not stored: {error}") from error

    def get(self, name: str, into: Path) -> None:
        """Download a file. See `Files.get`."""
        try:
            with into.open("wb") as file:
                self._bucket.send("GET", self._key(name), into=file).expect(200)
        except StoreAway as error:
            raise ArchiveError(f"{name} cannot be fetched: {error}") from error

    def remove(self, name: str) -> None:
        """Delete an object. See `Files.remove`."""
        try:
            self._bucket.send("DELETE", self._key(name)).expect(200, 204, 404)
        except StoreAway as error:
            raise ArchiveError(f"{name} cannot be removed: {error}") from error

    def _key(self, name: str) -> str:
        return f"{self._bucket.prefix}archive/{name}"


def files_of(settings: Settings) -> Files:
    """Return the store. Raises StoreMisconfigured for a bucket without credentials, ArchiveError where none is set."""
    if not settings.archive.bucket:
        return InFolder(settings.archive.folder or settings.data / "archive")
    bucket = bucket_of(settings)
    if bucket is None:
        raise ArchiveError("archive.bucket is set, and blobs.s3.bucket is not")
    return InBucket(bucket)


async def fetch(files: Files, row: Mapping[str, Any], into: Path) -> None:
    """Copy a file of the archive, by its `file` and `checksum`. Raises ArchiveError where it cannot be read, or is not what was
    written, and ImportError without pyarrow."""
    from sql.archive.parquet import checksum_of

    await asyncio.to_thread(files.get, row["file"], into)
    if await asyncio.to_thread(checksum_of, into) != bytes(row["checksum"]):
        raise ArchiveError(f"{row['file']} is not what was written: its digest differs")


async def archived_events(
    files: Files, rows: Sequence[Mapping[str, Any]], client: str, references: Collection[UUID]
) -> list[dict[str, Any]]:
    """Return a client's events that have some references, in these files of the archive. Raises as `fetch` does."""
    from sql.archive.messages import events_of

    events: list[dict[str, Any]] = []
    with TemporaryDirectory(prefix="threadline-archive-") as folder:
        file = Path(folder) / "file"
        for row in rows:
            await fetch(files, row, file)
            events += await asyncio.to_thread(events_of, file, client, references)
    return events


def _sync(folder: Path) -> None:
    """Make the names in a folder durable."""
    opened = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
