"""The spool: keeps records on this machine's disk, in order, while Kafka is unreachable.

Records that arrive while a write is being synced go together into the next write. A process holds its folder by a lock; the
next process that starts takes over what a dead one left (after kill -9 too).
"""

import asyncio
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

import structlog

from webhooks.aside import Aside
from webhooks.folders import claim
from webhooks.producer import Record, reason
from webhooks.segments import Segment, Writer, found, pack, size, torn, unpack

#: A record to keep: its value, its trace context, and the future to resolve.
Item = tuple[bytes, str | None, asyncio.Future[None]]

#: Bytes after which a segment is closed and a new one begun. A segment is read whole to drain it.
SEGMENT = 8 << 20
#: Records in one write, at most.
GROUP = 1000

T = TypeVar("T")

log = structlog.get_logger("webhooks")


class Unkept(Exception):
    """A record could not be kept, so its sender must get an error. The message is for the operator."""


class Unkeepable(Unkept):
    """Kafka rejects the record for good, so a retry cannot help."""


class Spool:
    """Records on disk under `folder`, at most `limit` bytes of them."""

    def __init__(self, folder: Path, limit: int) -> None:
        self.limit = limit
        #: What is on disk.
        self.records = 0
        self.bytes = 0
        #: Records written since the start; and records not written, because the spool was full or the disk failed.
        self.written = 0
        self.failed = 0
        #: Files set aside for an operator, which count towards the limit.
        self._aside = Aside(folder)
        self._root = folder
        self._folder = folder
        self._locks: list[int] = []
        self._segments: list[Segment] = []
        self._writer: Writer | None = None
        self._number = 0
        self._broken = False
        self._pending: list[Item] = []
        self._task: asyncio.Task[None] | None = None
        self._disk = ThreadPoolExecutor(1, "spool")

    @property
    def age(self) -> float:
        """Seconds since the oldest record arrived, rounded up to that of its segment; 0 if the spool is empty."""
        oldest = self._segments[0] if self._segments else self._writer.segment if self._writer else None
        return max(0.0, time.time() - oldest.since) if oldest else 0.0

    @property
    def aside(self) -> int:
        """The number of files set aside since this process started."""
        return self._aside.added

    @property
    def aside_bytes(self) -> int:
        """The bytes of all files set aside."""
        return self._aside.bytes

    @property
    def has_room(self) -> bool:
        """Whether the spool can take more records: it is not full, and the last write did not fail."""
        return not self._broken and self.bytes + self.aside_bytes < 0.99 * self.limit

    async def start(self) -> None:
        """Lock a folder and take over what earlier processes left. Raises OSError."""
        folders, self._locks = await self._in_thread(claim, self._root)
        self._folder = folders[0]
        left = [segment for folder in folders for segment in await self._in_thread(found, folder)]
        self._segments = sorted(left, key=lambda segment: segment.path.name)
        self.records = sum(segment.records for segment in self._segments)
        self.bytes = sum(segment.bytes for segment in self._segments)
        await self._in_thread(self._aside.weigh)
        if self.bytes:
            log.warning("spool_found", records=self.records, bytes=self.bytes, age=round(self.age, 1))

    async def stop(self) -> None:
        """Finish writing and release the folder."""
        while self._task is not None:
            await asyncio.wait((self._task,))
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._disk.shutdown()
        for lock in self._locks:
            os.close(lock)
        self._locks.clear()

    def put(self, item: Item) -> None:
        """Write one record in the background. Its future resolves once it is durable, or raises Unkept."""
        self._pending.append(item)
        if self._task is None:
            self._task = asyncio.create_task(self._write())

    async def oldest(self) -> Segment | None:
        """Return the oldest segment, closed for further records, or None if the spool is empty."""
        if not self._segments:
            while self._task is not None:
                await asyncio.wait((self._task,))
            self._seal()
        return self._segments[0] if self._segments else None

    async def read(self, segment: Segment) -> list[Record]:
        """Return the records of a segment, in order. Corrupt bytes are set aside."""
        data = await self._in_thread(segment.path.read_bytes)
        records, end = unpack(data)
        if end < len(data) and not torn(data[end:]):
            aside = segment.path.with_suffix(".damaged")
            await self._in_thread(self._aside.write, aside, data[end:])
            log.error("spool_damaged", kept=str(aside), bytes=len(data) - end, effect="these records cannot be read")
        return records

    async def remove(self, segment: Segment) -> None:
        """Delete a segment, all of whose records are in Kafka."""
        await self._in_thread(segment.path.unlink)
        self._segments.remove(segment)
        self.records -= segment.records
        self.bytes -= segment.bytes

    async def set_aside(self, record: Record) -> None:
        """Move a record that Kafka rejects into a file for the operator, so that it does not block the others."""
        path = self._folder / f"{time.time_ns()}.refused"
        await self._in_thread(self._aside.write, path, pack((record,)))
        log.error("record_refused", kept=str(path), bytes=len(record[0]))

    async def _write(self) -> None:
        try:
            while self._pending:
                items, self._pending = self._pending[:GROUP], self._pending[GROUP:]
                try:
                    await self._append(items)
                    self._broken = False
                except OSError as error:
                    self._broken = True
                    self._seal()
                    self._fail(items, f"the spool cannot be written: {reason(error)}")
        finally:
            self._task = None
            # Reached with pending records only if an unexpected error ended the loop: their futures must not wait for ever.
            self._fail(self._pending, "the spool has stopped")
            self._pending = []

    async def _append(self, items: list[Item]) -> None:
        if self._aside.stale:
            await self._in_thread(self._aside.weigh)
        room = self.limit - self.bytes - self.aside_bytes
        fitting: list[Item] = []
        for item in items:
            needed = size(item[0], item[1])
            if needed > room:
                self._fail([item], f"the spool is full: {self.limit - room} of {self.limit} bytes")
            else:
                fitting.append(item)
                room -= needed
        if not fitting:
            return
        if self._writer is not None and self._writer.segment.bytes >= SEGMENT:
            self._seal()
        if self._writer is None:
            self._number += 1
            self._writer = await self._in_thread(Writer, self._folder, self._number, time.time())
        data = await self._in_thread(pack, [item[:2] for item in fitting])
        await self._in_thread(self._writer.append, data, len(fitting))
        self.records += len(fitting)
        self.written += len(fitting)
        self.bytes += len(data)
        for _, _, waiter in fitting:
            if not waiter.done():
                waiter.set_result(None)

    def _fail(self, items: list[Item], why: str) -> None:
        self.failed += len(items)
        for _, _, waiter in items:
            if not waiter.done():
                waiter.set_exception(Unkept(why))

    def _seal(self) -> None:
        if self._writer is not None:
            self._writer.close()
            if self._writer.segment.bytes:
                self._segments.append(self._writer.segment)
            self._writer = None

    async def _in_thread(self, call: Callable[..., T], *args: object) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._disk, call, *args)
