"""Writes what requests do to the audit, beside them: entries wait in a bounded queue, and one statement writes many of them.

An entry that cannot be written is never lost in silence: it is counted, and the count is itself an entry as soon as the database
takes one again. Where `audit.reads` is `required`, a read waits for its entry and is refused without it.
"""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

import psycopg
import structlog

from app.settings.auditing import Audit
from sql import DATA_ERRORS
from sql.audited import Entry
from webhooks.cancelled import pass_on, rest

#: Seconds after which waiting entries are written, between two tries while the database is away, that a required entry may
#: take, and between two writes of refusals.
EVERY, PAUSE, PATIENCE, REFUSED_EVERY = 0.5, 1.0, 5.0, 60.0
#: Most entries of one statement; most callers whose refusals are counted apart in a minute; most characters of a subject.
AT_ONCE, CALLERS, MOST = 500, 100, 256

log = structlog.get_logger(__name__)


class NotWritten(Exception):
    """The entry of a read could not be written, and it is required."""


class Store(Protocol):
    """The part of the store that is used here."""

    async def record_audit(self, entries: Sequence[Entry]) -> None: ...


class Auditing:
    """The audit of one process. `run` writes what `enter` and `refused` were given."""

    def __init__(self, store: Store, settings: Audit) -> None:
        self._store, self._settings = store, settings
        self._waiting: deque[Entry] = deque()
        self._required: deque[tuple[Entry, asyncio.Future[None]]] = deque()
        self._wake = asyncio.Event()
        self._refusals: Counter[tuple[int, str, str]] = Counter()
        self._refused_at = asyncio.get_running_loop().time()
        #: Entries written, and lost, since the start; and those lost that no entry tells of yet.
        self.written = self.lost = self._unreported = 0

    @property
    def waiting(self) -> int:
        """The number of entries that wait to be written."""
        return len(self._waiting) + len(self._required)

    def use(self, settings: Audit) -> None:
        """Use other settings from now on."""
        self._settings = settings

    async def enter(self, entry: Entry) -> None:
        """Take an entry, which is written within a second; where entries are required, wait until it is. Raises NotWritten."""
        detail = entry.detail | {"at": datetime.now(UTC).isoformat(timespec="milliseconds")}
        entry = replace(entry, subject=_storable(entry.subject), detail=detail)
        if self._settings.reads != "required":
            self._take(entry)
            return
        if self.waiting >= self._settings.queue:
            raise NotWritten
        done = asyncio.get_running_loop().create_future()
        self._required.append((entry, done))
        self._wake.set()
        try:
            async with asyncio.timeout(PATIENCE):
                await done
        except TimeoutError as error:
            raise NotWritten from error

    def refused(self, status: int, address: str, key_id: str) -> None:
        """Count a request that was answered 401 or 403. Beyond `CALLERS` in a minute callers are counted together, so that
        nobody can fill the disk by inventing keys."""
        caller = status, address, key_id
        if caller not in self._refusals and len(self._refusals) >= CALLERS:
            caller = status, "", ""
        self._refusals[caller] += 1

    async def run(self) -> None:
        """Write entries without end."""
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(EVERY):
                    await self._wake.wait()
            self._wake.clear()
            if (now := asyncio.get_running_loop().time()) >= self._refused_at + REFUSED_EVERY:
                self._refused_at = now
                self._count_refusals()
            if not await self._write():
                await rest(PAUSE)

    async def finish(self) -> None:
        """Write what waits, once, as the process ends."""
        self._count_refusals()
        while self.waiting and await self._write():
            pass
        if self._waiting:
            self._lose(len(self._waiting))
            self._waiting.clear()

    async def _write_each(self, entries: Sequence[Entry]) -> None:
        """Write entries of which one cannot be written, each by itself; lose those that fail."""
        for entry in entries:
            try:
                await self._store.record_audit([entry])
            except Exception as error:
                log.error("audit_entry_refused", error=type(error).__name__, action=entry.action)
                self._lose(1)
                pass_on(error)
            else:
                self.written += 1

    async def _write(self) -> bool:
        """Write some of the entries that wait, required ones first; return whether the database took them."""
        required = [self._required.popleft() for _ in range(min(len(self._required), AT_ONCE))]
        required = [each for each in required if not each[1].done()]
        queued = [self._waiting.popleft() for _ in range(min(len(self._waiting), AT_ONCE))]
        entries, counted = [*(entry for entry, _ in required), *queued], self._unreported
        if counted:
            entries.append(Entry("threadline", "entries.lost", detail={"entries": counted}))
        if not entries:
            return True
        try:
            await self._store.record_audit(entries)
        except asyncio.CancelledError:
            self._waiting.extendleft(reversed(queued))  # `finish` writes them
            raise
        except Exception as error:
            for _, done in required:
                if not done.done():
                    done.set_exception(NotWritten())
            if isinstance(error, DATA_ERRORS) or not isinstance(error, psycopg.Error | OSError):
                # It would fail for ever, and hold up all others.
                await self._write_each(queued)
                return True
            self._waiting.extendleft(reversed(queued))
            pass_on(error)
            log.warning("audit_not_written", error=type(error).__name__, waiting=self.waiting)
            return False
        for _, done in required:
            if not done.done():
                done.set_result(None)
        self.written += len(entries)
        self._unreported -= counted
        if self.waiting:
            self._wake.set()
        return True

    def _take(self, entry: Entry) -> None:
        if self.waiting >= self._settings.queue:
            self._lose(1)
            return
        self._waiting.append(entry)
        if len(self._waiting) >= AT_ONCE:
            self._wake.set()

    def _lose(self, entries: int) -> None:
        if entries and not self._unreported:
            log.error("audit_entries_lost", waiting=self.waiting)
        self.lost += entries
        self._unreported += entries

    def _count_refusals(self) -> None:
        counts, self._refusals = self._refusals, Counter()
        at = datetime.now(UTC).isoformat(timespec="seconds")
        for (status, address, key_id), count in counts.items():
            detail = {"status": status, "requests": count, "until": at}
            self._take(Entry("unknown", "access.refused", "", key_id, detail, address=address or None))


def _storable(text: str) -> str:
    """Return text as PostgreSQL can store it, and not too long."""
    return text.encode("utf-8", "replace").decode().replace("\0", "\ufffd")[:MOST]
