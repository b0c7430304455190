"""Keeps blobs in a folder, which several processes may share: `incoming/` for files being written, `00/` to `ff/` for blobs.

A blob is written to a file in `incoming/`, synced, renamed to its name, and the folder synced, so that a file under a name
is always whole. A file's time of modification is when it was last stored.
"""

import contextlib
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from webhooks.blobs import WITHHELD, NoBlob, StoreAway, StoreFull
from webhooks.blobs.weight import Weight
from webhooks.producer import reason
from webhooks.segments import sync

INCOMING, LOCK = "incoming", "lock"
#: Seconds after which a file in `incoming/` belongs to a process that was killed: a body may take a minute to arrive.
ABANDONED = 3600.0
#: Seconds for which the measured size of the folder is used, with this process's own writes added.
WEIGHED = 30.0


class Folder:
    """A store of blobs in the folder `root`, of at most `most` bytes in all."""

    def __init__(self, root: Path, most: int) -> None:
        self.root = root
        self.incoming = root / INCOMING
        self.most = most
        self._weight = Weight(self._measured, WEIGHED)

    def start(self) -> None:
        """Create the folder. Raises OSError."""
        self.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.incoming.mkdir(exist_ok=True, mode=0o700)
        (self.root / LOCK).touch(mode=0o600)
        sync(self.root)

    def used(self) -> int:
        """Return the bytes of all files, measured at most `WEIGHED` seconds ago. Raises OSError."""
        return self._weight.bytes()

    def room(self, size: int) -> None:
        """Return if so many bytes fit. Raises StoreFull and StoreAway."""
        try:
            used = self.used()
        except OSError as error:
            raise StoreAway(f"the folder of blobs cannot be read: {reason(error)}") from error
        if used + size > self.most:
            raise StoreFull(f"the folder of blobs is full: {used} of {self.most} bytes")

    def put(self, name: str, file: Path, size: int) -> None:
        """Move a synced file of `incoming/` to its name. See `Blobs.put`."""
        place = self._place(name)
        try:
            if not place.parent.exists():
                place.parent.mkdir(exist_ok=True, mode=0o700)
                sync(self.root)
            with self._locked(fcntl.LOCK_SH):
                known = place.exists()
                # In place of what is there, whose key may end sooner.
                os.utime(file)
                file.rename(place)
            if not known:
                self._weight.add(size)
            sync(place.parent)
        except OSError as error:
            raise StoreAway(f"a blob cannot be stored: {reason(error)}") from error

    def read(self, name: str) -> bytes:
        """Return a blob. Raises NoBlob and StoreAway."""
        try:
            return self._place(name).read_bytes()
        except OSError as error:
            raise self._absent(name, error) from error

    def renew(self, name: str) -> None:
        """Set the blob's time to now. Raises NoBlob and StoreAway."""
        try:
            with self._locked(fcntl.LOCK_SH):
                os.utime(self._place(name))
        except OSError as error:
            raise self._absent(name, error) from error

    def withhold(self, name: str) -> None:
        """Put `WITHHELD` in place of a blob. Raises StoreAway."""
        with self.marked() as file:
            self.put(name, file, 0)

    @contextlib.contextmanager
    def marked(self) -> Iterator[Path]:
        """Yield a synced file of `incoming/` that holds `WITHHELD`; delete it at the end, unless it was moved. Raises StoreAway."""
        try:
            handle, path = tempfile.mkstemp(dir=self.incoming)
            with os.fdopen(handle, "wb") as file:
                file.write(WITHHELD)
                file.flush()
                os.fsync(handle)
        except OSError as error:
            raise StoreAway(f"a blob cannot be withheld: {reason(error)}") from error
        try:
            yield Path(path)
        finally:
            Path(path).unlink(missing_ok=True)

    def temporary(self, small: int) -> IO[bytes]:
        """Return a nameless file for reading and writing, in memory up to `small` bytes, then in this folder. Raises OSError."""
        file: Any = tempfile.SpooledTemporaryFile(max_size=small, dir=str(self.incoming))
        opened: IO[bytes] = file
        return opened

    def sweep(self, older_than: float) -> int:
        """Delete old blobs and abandoned files; return how many. Raises StoreAway."""
        now, deleted = time.time(), 0
        try:
            for path, _, then in self._files():
                age = min(older_than, ABANDONED) if path.parent == self.incoming else older_than
                if now - then <= age:
                    continue
                # Under the lock, as another process may store the same bytes again at this moment.
                with self._locked(fcntl.LOCK_EX), contextlib.suppress(FileNotFoundError):
                    if now - path.stat().st_mtime > age:
                        path.unlink()
                        deleted += 1
        except OSError as error:
            raise StoreAway(f"the folder of blobs cannot be swept: {reason(error)}") from error
        self._weight.forget()
        return deleted

    def _measured(self) -> int:
        return sum(size for path, size, then in self._files() if not self._dropped(path, then))

    def _dropped(self, path: Path, then: float) -> bool:
        """Delete the file if a killed process left it in `incoming/`; return whether it was. Bodies arrive on each
        machine, but `sweep` may run on another one."""
        if path.parent != self.incoming or time.time() - then <= ABANDONED:
            return False
        path.unlink(missing_ok=True)
        return True

    def _absent(self, name: str, error: OSError) -> Exception:
        """Return NoBlob if only this file is missing, StoreAway if the folder is (a file system that is not mounted)."""
        if isinstance(error, FileNotFoundError) and (self.root / LOCK).exists():
            return NoBlob(f"the store has no blob {name[:12]}…")
        return StoreAway(f"the folder of blobs cannot be read: {reason(error)}")

    def _place(self, name: str) -> Path:
        return self.root / name[:2] / name

    def _files(self) -> Iterator[tuple[Path, int, float]]:
        """Yield each file with its size and time."""
        for folder in os.scandir(self.root):
            if folder.is_dir():
                for entry in os.scandir(folder.path):
                    with contextlib.suppress(FileNotFoundError):  # moved or deleted by another process
                        about = entry.stat()
                        yield Path(entry.path), about.st_size, about.st_mtime

    @contextlib.contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        file = os.open(self.root / LOCK, os.O_RDWR | os.O_CLOEXEC)
        try:
            fcntl.flock(file, how)
            yield
        finally:
            os.close(file)
