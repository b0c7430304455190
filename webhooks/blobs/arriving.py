"""Receives a large body: writes it to disk and hashes it as it arrives, and loads it into memory only when it is its
turn to be verified. On disk it is sealed (`webhooks.blobs.sealed`).

Memory: a piece of `PIECE` bytes for each large body that arrives, and `in_memory` bytes of whole bodies.
"""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from hashlib import sha256
from pathlib import Path

from sql.hour_keys import HourKeys
from sql.sealing import NoKey, Tampered
from webhooks.blobs import Blobs, Reference, StoreAway, name_of
from webhooks.blobs.folder import Folder
from webhooks.blobs.sealed import sealing
from webhooks.producer import reason
from webhooks.replies import UNKNOWN, Refused

#: Bytes that are written to disk at once.
PIECE = 512 << 10
#: Large bodies that may arrive at once.
ARRIVING = 64
#: Seconds that a body waits for its turn, then it is refused with 503; and Retry-After of that refusal.
PATIENCE, LATER = 20.0, 10
#: Seconds that storing a body may take, then it is refused with 503; and bodies that are stored at once.
STORING, STORED_AT_ONCE = 30.0, 8


class Arriving:
    """One body on its way to disk. Used as a context: what was not stored is deleted at its end."""

    def __init__(self, folder: Folder, hours: HourKeys | None = None) -> None:
        """Make its file. Raises OSError, and NoKey where the settings have no key."""
        self._folder, self._sealing = folder, sealing(hours)
        self._hash = sha256()
        self._pending: list[bytes] = []
        self._waiting = 0
        #: Its bytes, and those of its file.
        self.size = self.stored = 0
        handle, path = tempfile.mkstemp(dir=folder.incoming)
        self._file, self.path = handle, Path(path)

    async def add(self, part: bytes) -> None:
        """Take the next part of the body. Raises OSError."""
        self._pending.append(part)
        self._waiting += len(part)
        self.size += len(part)
        if self._waiting >= PIECE:
            await self._flush()

    async def finish(self) -> None:
        """Write and sync the rest. Raises OSError."""
        await self._flush()
        await asyncio.to_thread(self._end)

    async def read(self) -> bytes:
        """Return the whole body. Raises OSError."""
        return await asyncio.to_thread(self._read)

    def reference(self, client: str) -> Reference:
        """Return the body's reference as a blob of this client."""
        return Reference(name_of(client, self._hash.digest()), self.size)

    async def close(self) -> None:
        """Delete the file if it was not stored."""
        await asyncio.shield(asyncio.to_thread(self._close))

    def _close(self) -> None:
        os.close(self._file)
        self.path.unlink(missing_ok=True)

    async def _flush(self) -> None:
        parts, self._pending, self._waiting = self._pending, [], 0
        if parts:
            await asyncio.to_thread(self._write, b"".join(parts))

    def _write(self, data: bytes) -> None:
        self._hash.update(data)
        self._put(data if self._sealing is None else self._sealing.frame(data))

    def _end(self) -> None:
        if self._sealing is not None:
            self._put(self._sealing.frame(b"", last=True))
        os.fsync(self._file)

    def _put(self, data: bytes) -> None:
        self.stored += len(data)
        view = memoryview(data)
        while view:
            view = view[os.write(self._file, view) :]

    def _read(self) -> bytes:
        data = self.path.read_bytes()
        try:
            return data if self._sealing is None else self._sealing.opened(data)
        except Tampered as error:
            raise OSError(f"its file was changed: {error}") from error


class Large:
    """Takes bodies of more than `over` bytes. `folder` is where they arrive; `blobs` is the store, by default the same folder.
    At most `in_memory` bytes of them are in memory at once, or one body. `hours` has the keys that seal them; without it they are not
    sealed."""

    def __init__(
        self, folder: Folder, blobs: Blobs | None = None, *, over: int, in_memory: int, hours: HourKeys | None = None
    ) -> None:
        self.over = over
        self._hours = hours
        self.folder = folder
        self._blobs: Blobs = blobs or folder
        self._most = in_memory
        #: Large bodies that arrive, and bytes of whole ones in memory.
        self.arriving = 0
        self.in_memory = 0
        #: Bytes of the bodies that arrive, by their declared sizes.
        self._expected = 0
        self._turn = asyncio.Condition()
        # Threads for storing only: while a store does not answer, the process's other threads still write to disk.
        self._storing = ThreadPoolExecutor(STORED_AT_ONCE, "storing")

    @asynccontextmanager
    async def arrive(self, declared: int) -> AsyncIterator[Arriving]:
        """Begin a body of at most `declared` bytes; delete its file at the end unless it was stored. Raises Refused
        (413, 503)."""
        if declared > self.folder.most:
            why = f"a body of {declared} bytes, where all blobs may have {self.folder.most}"
            detail = f"All large bodies together may have at most {self.folder.most} bytes (blobs.max_bytes)."
            raise Refused(413, why, close=True, detail=detail)
        if self.arriving >= ARRIVING:
            raise Refused(503, f"{self.arriving} large bodies arrive at once", retry_after=LATER, close=True)
        self.arriving += 1
        self._expected += declared
        try:
            with _refusing(close=True):
                await asyncio.to_thread(self.folder.room, self._expected)
                one = Arriving(self.folder, self._hours)
            try:
                yield one
            except OSError as error:
                why = f"a large body cannot be written to disk: {reason(error)}"
                raise Refused(503, why, retry_after=LATER, close=True) from None
            finally:
                await one.close()
        finally:
            self.arriving -= 1
            self._expected -= declared

    @asynccontextmanager
    async def turn(self, size: int) -> AsyncIterator[None]:
        """Wait until a body of so many bytes may be in memory. Raises Refused (503) after `PATIENCE` seconds."""
        try:
            async with asyncio.timeout(PATIENCE), self._turn:
                await self._turn.wait_for(lambda: not self.in_memory or self.in_memory + size <= self._most)
                self.in_memory += size
        except TimeoutError:
            raise Refused(503, f"{self.in_memory} bytes of large bodies are in memory", retry_after=LATER) from None
        try:
            yield
        finally:
            async with self._turn:
                self.in_memory -= size
                self._turn.notify_all()

    async def keep(self, body: Arriving, client: str, source: str) -> Reference:
        """Store the body durably as a blob of this client. Raises Refused (503)."""
        reference = body.reference(client)
        put = partial(self._blobs.put, reference.name, body.path, body.stored)
        with _refusing(source):
            try:
                async with asyncio.timeout(STORING):
                    await asyncio.get_running_loop().run_in_executor(self._storing, put)
            except TimeoutError:
                raise StoreAway(f"a large body was not stored within {STORING:.0f} seconds") from None
        return reference


@contextmanager
def _refusing(source: str = UNKNOWN, *, close: bool = False) -> Iterator[None]:
    """Turn what a store or the disk raises into a refusal with 503."""
    try:
        yield
    except (StoreAway, NoKey) as error:
        raise Refused(503, str(error), source=source, retry_after=LATER, close=close) from None
    except OSError as error:
        why = f"the folder of blobs cannot be used: {reason(error)}"
        raise Refused(503, why, source=source, retry_after=LATER, close=close) from None
