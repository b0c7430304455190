"""All connections of the process: one clock that ends those which take too long, and who goes where there are too many.

A connection costs a descriptor, and what it has sent of a body memory. Both belong to everyone until they are used up;
then who has most gives back first, its longest-waiting connection before the others. So one address cannot shut out
another; and who has sent its whole request is never sent away for who has not.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heapreplace
from typing import Protocol

import structlog

from webhooks.cancelled import rest

#: Seconds between the clock's looks, at the most.
TICK = 0.5
#: Connections checked before other tasks run.
LOOKS = 50
#: Seconds between two log lines for one reason; closings in between are only counted.
QUIET = 1.0
#: The share that is freed at once when there are too many, since choosing costs more than closing.
PART = 64

log = structlog.get_logger("http")


@dataclass(frozen=True, slots=True)
class Bounds:
    """Limits of each connection (sizes in bytes, times in seconds), and of all: their number, and the bytes of incomplete
    bodies."""

    head_bytes: int = 32 << 10
    headers: int = 100
    target_bytes: int = 8 << 10
    head_timeout: float = 10.0
    idle_timeout: float = 75.0
    body_timeout: float = 60.0
    body_grace: float = 5.0
    body_rate: int = 4096
    write_timeout: float = 30.0
    connections: int = 10_000
    unfinished_bytes: int = 64 << 20
    #: The most bytes of one body that are in memory: the door writes the rest to disk.
    body_in_memory: int = 2 << 20


class Member(Protocol):
    """The part of a connection that is used here."""

    #: The parties that the connection and its request count for; they differ behind a trusted proxy.
    address: str
    caller: str
    #: The turn (`Connections.turn`) at which the current wait began.
    turn: int
    #: Bytes received of an incomplete body.
    held: int

    @property
    def waits(self) -> bool:
        """Whether it waits for its caller rather than for this process."""
        ...

    def look(self, now: float) -> None:
        """Enforce the timeouts."""
        ...

    def drop(self) -> None:
        """Close at once."""
        ...

    def refuse(self, status: int) -> None:
        """Answer with this status, then close."""
        ...


class Connections:
    """All open connections by address, and those with an incomplete body by caller."""

    def __init__(self, bounds: Bounds) -> None:
        #: Those of new connections. A connection keeps the bounds that it was opened with.
        self.bounds = bounds
        self.count = 0
        #: Bytes of incomplete bodies.
        self.held = 0
        self.ended: Counter[str] = Counter()
        #: The time at the last tick, which is precise enough and saves a call, less the times in which this process was held up:
        #: callers who waited for it then are not ended for that.
        self.now = 0.0
        #: Counts waits, which gives their order more precisely than the time.
        self.turn = 0
        self._open: dict[str, set[Member]] = {}
        self._bodies: dict[str, set[Member]] = {}
        self._logged: dict[str, float] = {}
        self._suppressed: Counter[str] = Counter()
        self._clock: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start the clock in the running loop, before the first connection."""
        self.now = time.monotonic()
        self._clock = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop the clock."""
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.gather(self._clock, return_exceptions=True)

    def add(self, member: Member) -> None:
        """Register a connection. If there are too many, close others, or else this one."""
        self._open.setdefault(member.address, set()).add(member)
        self.count += 1
        most = self.bounds.connections
        if self.count <= most:
            return
        going = _greediest(self._open, lambda _: 1, max(self.count - most, most // PART))
        for each in going or (member,):
            each.drop()
            self.remove(each)
        parties = Counter(each.address for each in going or (member,))
        self.note("full", len(going) or 1, most=most, addresses=dict(parties.most_common(3)))

    def remove(self, member: Member) -> None:
        """Unregister a connection. Idempotent."""
        members = self._open.get(member.address)
        if members is not None and member in members:
            members.discard(member)
            self.count -= 1
            if not members:
                del self._open[member.address]
        self.release(member)

    def hold(self, member: Member, size: int) -> None:
        """Count the bytes of an incomplete body. If all such bodies are too large together, refuse some."""
        if not member.held:
            self._bodies.setdefault(member.caller, set()).add(member)
        self.held += size - member.held
        member.held = size
        most = self.bounds.unfinished_bytes
        if self.held <= most:
            return
        going = _greediest(self._bodies, lambda each: each.held, max(self.held - most, most // PART))
        callers = Counter(each.caller for each in going)
        for each in going:
            self.release(each)
            each.refuse(429)
        self.note("bodies", len(going), most=most, callers=dict(callers.most_common(3)))

    def release(self, member: Member) -> None:
        """Stop counting a body that is complete or abandoned."""
        if not member.held:
            return
        self.held -= member.held
        member.held = 0
        members = self._bodies[member.caller]
        members.discard(member)
        if not members:
            del self._bodies[member.caller]

    def note(self, reason: str, count: int = 1, **more: object) -> None:
        """Count closed connections, and log at most once a second for each reason."""
        self.ended[reason] += count
        now = time.monotonic()
        if now - self._logged.get(reason, -QUIET) < QUIET:
            self._suppressed[reason] += count
            return
        self._logged[reason] = now
        log.warning(
            "connections_ended",
            reason=reason,
            count=count,
            suppressed=self._suppressed.pop(reason, 0),
            open=self.count,
            **more,
        )

    async def _watch(self) -> None:
        while True:
            bounds = self.bounds
            shortest = min(bounds.head_timeout, bounds.idle_timeout, bounds.body_timeout, bounds.write_timeout)
            began, tick = time.monotonic(), min(TICK, shortest / 4)
            await rest(tick)
            self.now = now = self.now + min(time.monotonic() - began, 2 * tick)
            for number, member in enumerate([member for members in self._open.values() for member in members]):
                member.look(now)
                if number % LOOKS == LOOKS - 1:
                    await rest(0)  # many may close at once, and requests must not wait for all of them


def _greediest(parties: Mapping[str, set[Member]], weigh: Callable[[Member], int], surplus: int) -> Sequence[Member]:
    """Choose connections to close until `surplus` is freed: at each step, the longest wait of the party that holds most."""
    heap = [(-sum(map(weigh, members)), party) for party, members in parties.items()]
    heapify(heap)
    queues: dict[str, list[Member]] = {}
    going: list[Member] = []
    while surplus > 0 and heap:
        weight, party = heap[0]
        if party not in queues:
            waiting = (member for member in parties[party] if member.waits)
            queues[party] = sorted(waiting, key=lambda member: member.turn, reverse=True)
        if not queues[party]:
            heappop(heap)
            continue
        going.append(member := queues[party].pop())
        surplus -= weigh(member)
        heapreplace(heap, (weight + weigh(member), party))
    return going
