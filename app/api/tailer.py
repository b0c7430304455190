"""Tails the log for all streams of this process, with one query for all, and only while there are listeners.

Each query reads the changes after the last place, of the listeners' customers, up to the horizon (the oldest
transaction that may still append): a late commit is read late, never skipped. A change is the interaction's whole
state, so a slow listener gets only the latest state. A listener with too many waiting changes is ended: the caller
reconnects with its `Last-Event-ID` and reads the rest from the table.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Protocol
from uuid import UUID

import psycopg
import structlog

from app.api.cursors import Place
from webhooks.cancelled import pass_on, rest

#: Seconds between two queries. On average a change is seen half of this after its commit.
POLL = 0.1
#: Seconds before the next try while the database is away.
AWAY = 1.0
#: Changes in one query.
BATCH = 500
#: Most interactions that wait for one listener.
BACKLOG = 1000
CLOSING = "the service is restarting"
CLOSED = "what has changed cannot be decrypted"

Change = Mapping[str, Any]
log = structlog.get_logger(__name__)


def place_of(change: Change) -> Place:
    """Return the place in the log of a change."""
    return change["change_xid"], change["change_position"]


class ChangeSource(Protocol):
    """The queries of the store that a tailer needs. A change is an interaction's row with `change_xid` and
    `change_position`."""

    async def horizon(self) -> int:
        """Return the oldest transaction that may still append: all that older ones appended is visible and complete.
        The number may go down again, but nothing new appears below an earlier one."""
        ...

    async def changes_since(
        self, *, xid: int, position: int, horizon: int, customers: Sequence[UUID], limit: int
    ) -> Sequence[Change]:
        """Return the interactions of these customers that were changed by events after this place and by transactions
        before the horizon, in the order of their last change."""
        ...


class Ended(Exception):
    """The listener was ended; the message is the reason."""


class Listener:
    """The changes that wait for one stream: the latest of each interaction, in order."""

    def __init__(self) -> None:
        self.joined: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self._waiting: dict[UUID, Change] = {}
        self._awake = asyncio.Event()
        self._ended: str | None = None

    def put(self, changes: Sequence[Change]) -> None:
        """Add changes; end the listener if too many wait."""
        if self._ended is not None:
            return
        for change in changes:
            self._waiting.pop(change["id"], None)  # so that it moves to the end: the order is that of the last change
            self._waiting[change["id"]] = change
        if len(self._waiting) > BACKLOG:
            self.end("it reads too slowly")
        self._awake.set()

    def end(self, why: str) -> None:
        """End the listener. Waiting changes are dropped: the stream resumes from the last place that was sent."""
        self._ended = why
        self._waiting.clear()
        self._awake.set()

    async def take(self, patience: float) -> list[Change]:
        """Return the changes since the last call, or none after `patience` seconds. Raises Ended."""
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
    """The listeners by customer, and the task that reads for all of them."""

    def __init__(self, log: ChangeSource, *, poll: float = POLL, away: float = AWAY) -> None:
        self._log = log
        self._poll = poll
        self._away = away
        self._closed = False
        self._listeners: dict[UUID, set[Listener]] = defaultdict(set)
        self._task: asyncio.Task[None] | None = None

    @property
    def reading(self) -> bool:
        """Whether the log is read, which it is while there are listeners."""
        return self._task is not None and not self._task.done()

    def join(self, customer: UUID) -> Listener:
        """Add a listener to the changes of a customer after the place in its future `joined`. `leave` must follow."""
        listener = Listener()
        self._listeners[customer].add(listener)
        if self._closed:
            listener.end(CLOSING)
        if not self.reading:
            self._task = asyncio.create_task(self._read(), name="tailer")
        return listener

    def leave(self, customer: UUID, listener: Listener) -> None:
        """Remove a listener; after the last one reading stops."""
        self._listeners[customer].discard(listener)
        if not self._listeners[customer]:
            del self._listeners[customer]
        listener.joined.cancel()
        if not self._listeners and self._task is not None:
            self._task.cancel()
            self._task = None

    def close(self) -> None:
        """End all listeners, because the process ends."""
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
                pass_on(error)
                if not away:
                    log.warning("stream.database_away", error=type(error).__name__)
                away = True
                await rest(self._away)
            except Exception as error:
                pass_on(error)
                # A bug: end all listeners, since no task reads for them. Callers reconnect with their last event's id.
                log.exception("stream.failed")
                self._end("an error of the service")
                return

    async def _step(self, place: Place | None) -> Place:
        """Pass on the changes after a place; return the next place. If it raises, repeating it passes nothing on
        twice."""
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
        by_customer: dict[UUID, list[Change]] = defaultdict(list)
        for change in changes:
            for asked_for in change["asked_for"]:
                by_customer[asked_for].append(change)
        for customer, theirs in by_customer.items():
            closed = [change["id"] for change in theirs if "closed" in change]
            if closed:
                log.error("stream.closed", client=theirs[0]["client_id"], interactions=[str(id) for id in closed])
            for listener in listening[customer]:
                if closed:
                    listener.end(CLOSED)
                else:
                    listener.put(theirs)
        if len(changes) == BATCH:
            return place_of(changes[-1])
        await asyncio.sleep(self._poll)
        return max(place, (horizon, 0))
