"""One reader of the log's end for all streams of this process: it asks only while somebody listens, and once for all.

Each question is for the changes after the last place, of the customers listened to, up to the oldest transaction that
may still append: what commits late is told late, never skipped. A change is told as the interaction's state, so a listener who
cannot keep up is told the latest state once, and one who falls behind too far is let go: he comes back with his
`Last-Event-ID` and reads the rest from the table.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import psycopg
import structlog

from app.api.cursors import Place

#: Seconds between two questions. A change is seen after half of it on average, and the commit's own time.
POLL = 0.1
#: Seconds before the next try while the database is away.
AWAY = 1.0
#: Changes read at once.
BATCH = 500
#: Interactions that may wait for one listener.
BACKLOG = 1000
CLOSING = "the service is restarting"

Change = Mapping[str, Any]
log = structlog.get_logger(__name__)


def place_of(change: Change) -> Place:
    """Where in the log a change was made."""
    return change["change_xid"], change["change_position"]


class Log(Protocol):
    """What the store must answer here. A change is an interaction's row with `change_xid` and `change_position`."""

    async def horizon(self) -> int:
        """The oldest transaction that may still append: whatever older ones did is visible, and will not grow. It may be
        lower than before, never so that something new is below what it was."""
        ...

    async def changes_since(
        self, *, xid: int, position: int, horizon: int, customers: Sequence[UUID], limit: int
    ) -> Sequence[Change]:
        """The interactions of these customers that events after this place, of transactions before the horizon,
        changed; in order of their last change."""
        ...


class Ended(Exception):
    """The listener is let go; the message says why."""


class Listener:
    """The changes that wait for one stream: the latest of each interaction, in order."""

    def __init__(self) -> None:
        self.joined: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self._waiting: dict[UUID, Change] = {}
        self._awake = asyncio.Event()
        self._ended: str | None = None

    def put(self, changes: Sequence[Change]) -> None:
        """Hand over changes; lets the listener go where too many wait."""
        if self._ended is not None:
            return
        for change in changes:
            self._waiting.pop(change["id"], None)  # so that it goes to the end: the order is that of the last change
            self._waiting[change["id"]] = change
        if len(self._waiting) > BACKLOG:
            self.end("it reads too slowly")
        self._awake.set()

    def end(self, why: str) -> None:
        """Let go: what waits is dropped, since the place that was told last is the one to resume from."""
        self._ended = why
        self._waiting.clear()
        self._awake.set()

    async def take(self, patience: float) -> list[Change]:
        """The changes since the last call; none after `patience` seconds without one. Raises Ended."""
        try:
            async with asyncio.timeout(patience):
                await self._awake.wait()
        except TimeoutError:
            return []
        if self._ended is not None:
            raise Ended(self._ended)
        self._awake.clear()
        taken, self._waiting = self._waiting, {}
        return list(taken.values())


class Tailer:
    """Listeners by customer, and the one task that reads for them."""

    def __init__(self, log: Log, *, poll: float = POLL, away: float = AWAY) -> None:
        self._log = log
        self._poll = poll
        self._away = away
        self._closed = False
        self._listeners: dict[UUID, set[Listener]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    @property
    def reading(self) -> bool:
        """Whether somebody listens, and so the log is read."""
        return self._task is not None and not self._task.done()

    def join(self, customer: UUID) -> Listener:
        """A listener to the changes of a customer after the place that its `joined` gives. `leave` must follow."""
        listener = Listener()
        self._listeners[customer].add(listener)
        if self._closed:
            listener.end(CLOSING)
        if not self.reading:
            self._task = asyncio.create_task(self._read(), name="tailer")
        return listener

    def leave(self, customer: UUID, listener: Listener) -> None:
        """Forget a listener; the last one ends the reading."""
        self._listeners[customer].discard(listener)
        if not self._listeners[customer]:
            del self._listeners[customer]
        listener.joined.cancel()
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None

    def close(self) -> None:
        """Let every listener go, as the process ends."""
        self._closed = True
        self._end(CLOSING)

    def _end(self, why: str) -> None:
        for listeners in self._listeners.values():
            for listener in listeners:
                listener.end(why)

    async def _read(self) -> None:
        place: Place | None = None
        away = False
        while True:
            try:
                place = await self._step(place)
                away = False
            except psycopg.OperationalError as error:
                if not away:
                    log.warning("stream.database_away", error=type(error).__name__)
                away = True
                await asyncio.sleep(self._away)
            except Exception:
                # A fault of ours: nobody may wait for a reader that is gone. They come back with their last event's id.
                log.exception("stream.failed")
                self._end("an error of the service")
                return

    async def _step(self, place: Place | None) -> Place:
        """Tell what changed after a place, and say where to go on. Nothing is told twice if it raises and is repeated."""
        horizon = await self._log.horizon()
        if place is None:
            return horizon, 0
        listening = {customer: tuple(listeners) for customer, listeners in self._listeners.items()}
        for listener in (one for listeners in listening.values() for one in listeners):
            if not listener.joined.done():
                listener.joined.set_result(place)
        changes: Sequence[Change] = ()
        if horizon > place[0]:
            changes = await self._log.changes_since(
                xid=place[0], position=place[1], horizon=horizon, customers=list(listening), limit=BATCH
            )
        told: dict[UUID, list[Change]] = defaultdict(list)
        for change in changes:
            told[change["customer_id"]].append(change)
        for customer, theirs in told.items():
            for listener in listening[customer]:
                listener.put(theirs)
        if len(changes) == BATCH:
            return place_of(changes[-1])
        await asyncio.sleep(self._poll)
        return max(place, (horizon, 0))
