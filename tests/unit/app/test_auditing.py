"""Entries of requests: what waits, what is written, what is lost and counted, what is refused."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from app.auditing import entering
from app.auditing.entering import CALLERS, Auditing, NotWritten
from app.settings.auditing import Audit
from sql.audited import Entry


class Store:
    """Keeps the entries, or fails as a database that is away."""

    def __init__(self) -> None:
        self.entries: list[Entry] = []
        self.statements = 0
        self.error: Exception | None = None

    async def record_audit(self, entries: Sequence[Entry]) -> None:
        """Take entries."""
        if self.error is not None:
            raise self.error
        self.statements += 1
        self.entries += entries


def read(subject: str = "c1") -> Entry:
    return Entry("key:bff", "timeline.read", "shop", subject)


async def test_entries_are_written_together_and_in_order() -> None:
    """One statement takes what waits, so that a read costs no round trip of its own."""
    store = Store()
    auditing = Auditing(store, Audit())
    for n in range(3):
        await auditing.enter(read(str(n)))
    assert (auditing.waiting, store.statements) == (3, 0)
    await auditing.finish()
    assert [entry.subject for entry in store.entries] == ["0", "1", "2"]
    assert (store.statements, auditing.waiting, auditing.written, auditing.lost) == (1, 0, 3, 0)
    assert store.entries[0].detail["at"]


async def test_what_waits_is_written_once_the_database_is_back() -> None:
    """Nothing is lost while the queue has room."""
    store = Store()
    store.error = psycopg.OperationalError("away")
    auditing = Auditing(store, Audit())
    await auditing.enter(read())
    assert not await auditing._write()
    store.error = None
    await auditing.enter(read("c2"))
    assert await auditing._write()
    assert [entry.subject for entry in store.entries] == ["c1", "c2"]
    assert auditing.lost == 0


async def test_a_full_queue_counts_what_it_loses_and_says_so_in_the_audit() -> None:
    """A read without an entry shows in the metric, and later in the audit itself."""
    store = Store()
    store.error = psycopg.OperationalError("away")
    auditing = Auditing(store, Audit(queue=100))
    for _ in range(103):
        await auditing.enter(read())
    assert (auditing.waiting, auditing.lost) == (100, 3)
    assert not await auditing._write()
    store.error = None
    await auditing.finish()
    assert [(entry.action, entry.detail) for entry in store.entries[100:]] == [("entries.lost", {"entries": 3})]
    await auditing.enter(read())
    await auditing.finish()
    assert len(store.entries) == 102


async def test_a_process_that_ends_while_the_database_is_away_counts_what_it_loses() -> None:
    """It tries once, and does not wait for ever."""
    store = Store()
    store.error = psycopg.OperationalError("away")
    auditing = Auditing(store, Audit())
    await auditing.enter(read())
    await auditing.finish()
    assert (auditing.waiting, auditing.lost) == (0, 1)


@pytest.mark.parametrize("error", [psycopg.DataError("bad"), TypeError("no JSON")])
async def test_what_the_database_never_takes_holds_nothing_up(error: Exception) -> None:
    """It is counted as lost, and the next is written."""
    store = Store()
    store.error = error
    auditing = Auditing(store, Audit())
    await auditing.enter(read())
    assert await auditing._write()
    store.error = None
    await auditing.enter(read("c2"))
    assert await auditing._write()
    assert [entry.subject for entry in store.entries if entry.action == "timeline.read"] == ["c2"]
    assert auditing.lost == 1


async def test_a_subject_is_made_storable() -> None:
    """What a caller writes in a path cannot keep its entry, or those of others, from being written."""
    store = Store()
    auditing = Auditing(store, Audit())
    await auditing.enter(read("a\0b\ud800" + "x" * 1000))
    await auditing.finish()
    assert store.entries[0].subject.startswith("a\ufffdb?x") and len(store.entries[0].subject) == entering.MOST


@pytest.fixture
def working() -> Any:
    """Run an audit during a test."""
    tasks: list[asyncio.Task[None]] = []
    yield lambda auditing: tasks.append(asyncio.create_task(auditing.run()))
    for task in tasks:
        task.cancel()


async def test_a_required_entry_is_written_before_the_answer(working: Any) -> None:
    """`enter` returns once the entry is there."""
    store = Store()
    auditing = Auditing(store, Audit(reads="required"))
    working(auditing)
    await auditing.enter(read())
    assert [entry.subject for entry in store.entries] == ["c1"]


async def test_a_required_entry_that_cannot_be_written_is_refused(working: Any) -> None:
    """While the database is away, and while too many wait; it is not written afterwards, as nothing was read."""
    store = Store()
    store.error = psycopg.OperationalError("away")
    auditing = Auditing(store, Audit(reads="required", queue=100))
    working(auditing)
    with pytest.raises(NotWritten):
        await auditing.enter(read())
    auditing._waiting.extend([read()] * 100)
    with pytest.raises(NotWritten):
        await auditing.enter(read())
    auditing._waiting.clear()
    store.error = None
    await auditing.finish()
    assert (store.entries, auditing.lost) == ([], 0)


async def test_a_required_entry_that_nothing_writes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A caller does not wait for ever."""
    monkeypatch.setattr(entering, "PATIENCE", 0.01)
    auditing = Auditing(Store(), Audit(reads="required"))
    with pytest.raises(NotWritten):
        await auditing.enter(read())


async def test_refusals_are_counted_not_listed() -> None:
    """An attacker's million of requests are a few entries, however many addresses and keys they have."""
    store = Store()
    auditing = Auditing(store, Audit())
    for n in range(10_000):
        auditing.refused(401, f"192.0.2.{n % 500}", "")
    auditing.refused(403, "192.0.2.1", "k1")
    await auditing.finish()
    assert len(store.entries) == CALLERS + 2
    assert sum(entry.detail["requests"] for entry in store.entries) == 10_001
    assert {entry.action for entry in store.entries} == {"access.refused"}
    await auditing.finish()
    assert len(store.entries) == CALLERS + 2


async def test_what_was_being_written_when_the_process_ends_is_written_after_all() -> None:
    """The task that writes is cancelled in the middle of its statement; the last write has the entry again."""
    store = Store()
    auditing = Auditing(store, Audit())
    await auditing.enter(read())
    store.error = asyncio.CancelledError()  # type: ignore[assignment]
    with pytest.raises(asyncio.CancelledError):
        await auditing._write()
    store.error = None
    await auditing.finish()
    assert [entry.subject for entry in store.entries] == ["c1"]


async def test_an_entry_that_cannot_be_stored_takes_no_other_along() -> None:
    """Entries of one statement are of many callers: only the refused one is lost."""

    class Picky(Store):
        async def record_audit(self, entries: Sequence[Entry]) -> None:
            if any(len(entry.client_id) > 128 for entry in entries):
                raise psycopg.errors.ProgramLimitExceeded("too long for an index")
            await super().record_audit(entries)

    auditing = Auditing(store := Picky(), Audit())
    for entry in (read("1"), Entry("key:bff", "timeline.read", "x" * 6000, "2"), read("3")):
        await auditing.enter(entry)
    assert await auditing._write()
    assert [entry.subject for entry in store.entries] == ["1", "3"]
    assert (auditing.written, auditing.lost, auditing.waiting) == (2, 1, 0)
