"""Makes webhooks durable: in Kafka, or in the spool on disk while Kafka is unreachable.

Group commit: records that arrive during a produce request wait and go together as the next batch, to one partition, so that
one acknowledgement covers all of them. While Kafka is unreachable nothing is handed to its client, which would buffer it
in memory; records go to the spool, and from there to Kafka once it is back.
"""

import asyncio
import contextlib
import random
from collections.abc import Callable, Sequence

import structlog
from aiokafka import AIOKafkaProducer

from webhooks.cancelled import pass_on, rest
from webhooks.producer import Producer, Record, Rejected, Unacknowledged, batches, reason
from webhooks.spool import Item, Spool, Unkeepable

TOPIC = "webhooks.received"
#: The topic of the records, as `sql.hour_keys` takes it.
PLACE = TOPIC.encode()

#: Batches in progress at once.
LANES = 4
#: Seconds for which a batch collects records before it is sent: a produce request, which the broker syncs to disk, costs
#: far more than a record in it.
LINGER = 0.004
#: Seconds between attempts to reach Kafka (up to half as much again, at random); and the timeout of a batch from the spool.
PAUSES = (0.1, 0.25, 0.5, 1.0)
DRAIN = 10.0
#: Seconds without a record after which Kafka is asked whether it is reachable. Otherwise health and alerts would say that it
#: is reachable until the next webhook comes.
QUIET = 5.0

log = structlog.get_logger("webhooks")


class Keep:
    """Makes records durable. `connect` returns a producer (`acks=all`, idempotent) that is not started.

    `timeout` is how many seconds Kafka may take before a record is spooled.
    """

    def __init__(
        self, connect: Callable[[], AIOKafkaProducer], spool: Spool, *, topic: str = TOPIC, timeout: float = 2.0
    ) -> None:
        self.spool = spool
        #: Whether records go to Kafka, and not to the spool.
        self.reachable = False
        #: Why webhooks go to the spool although Kafka is reachable; None if they do not.
        self.held: str | None = None
        #: Records acknowledged by Kafka: directly, and from the spool.
        self.sent = 0
        self.drained = 0
        self._producer = Producer(connect, topic)
        self._timeout = timeout
        self._pending: list[Item] = []
        self._idle: list[asyncio.Future[None]] = []
        self._reported = False
        self._gathering = False
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Start; return when Kafka is reached, or after `timeout` without it. Records that an earlier process left in the
        spool are sent in the background.

        Raises OSError if the spool's folder cannot be used.
        """
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self._reached = asyncio.Event()
        await self.spool.start()
        self._tasks = [asyncio.create_task(self._lane()) for _ in range(LANES)]
        self._tasks.append(asyncio.create_task(self._recover()))
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._timeout):
                await self._reached.wait()

    async def stop(self) -> None:
        """Finish batches in progress and close. Records that Kafka has not acknowledged are in the spool."""
        *lanes, recovery = self._tasks
        self._stopping = True
        while self._idle:
            self._idle.pop().set_result(None)
        await asyncio.gather(*lanes)
        recovery.cancel()
        await asyncio.gather(recovery, return_exceptions=True)
        await self.spool.stop()
        await self._producer.close()

    def put(self, value: bytes, traceparent: str | None = None) -> asyncio.Future[None]:
        """Return a future that resolves once the record is durable, or raises `webhooks.spool.Unkept`."""
        waiter: asyncio.Future[None] = self._loop.create_future()
        if self.reachable and self.held is None:
            self._pending.append((value, traceparent, waiter))
            if self._idle and not self._gathering:
                self._idle.pop().set_result(None)
        else:
            self.spool.put((value, traceparent, waiter))
        return waiter

    def hold(self, reason: str | None) -> None:
        """Send webhooks to the spool, and do not drain it, for this reason. None ends that."""
        if reason is not None and self.held is None:
            log.critical("held_back", reason=reason, effect="webhooks are spooled")
        elif reason is None and self.held is not None:
            log.info("held_back_no_more", spooled=self.spool.records)
        self.held = reason
        self._changed.set()

    async def _lane(self) -> None:
        while self._pending or not self._stopping:
            if not self._pending or self._gathering:
                if self._stopping:
                    return  # the lane that is collecting sends the rest
                idle = self._loop.create_future()
                self._idle.append(idle)
                await idle
                continue
            self._gathering = True
            await asyncio.sleep(LINGER)
            self._gathering = False
            items, self._pending = self._pending, []
            for batch in batches(items):
                await self._send(batch)

    async def _send(self, items: Sequence[Item]) -> None:
        try:
            if not self.reachable:
                raise Unacknowledged("known to be away")
            await self._producer.send(items, self._timeout)
        except Rejected as refusal:
            await self._one_by_one(items, refusal)
        except Exception as error:  # on any error the records are not acknowledged, and go to the spool
            self._lost(error)
            for item in items:
                self.spool.put(item)
            pass_on(error)
        else:
            self.sent += len(items)
            for _, _, waiter in items:
                if not waiter.done():
                    waiter.set_result(None)

    async def _one_by_one(self, items: Sequence[Item], refusal: Rejected) -> None:
        """Send records one at a time to find the one that Kafka rejects. Its future raises; the others are kept."""
        if len(items) > 1:
            for item in items:
                await self._send([item])
            return
        [(value, _, waiter)] = items
        log.error("record_refused", reason=str(refusal), bytes=len(value))
        if not waiter.done():
            waiter.set_exception(Unkeepable(f"Kafka rejects it: {refusal}"))

    def _lost(self, error: Exception) -> None:
        self.reachable = False
        if not self._reported:
            self._reported = True
            log.warning("kafka_away", reason=reason(error), effect="webhooks are spooled")
        pending, self._pending = self._pending, []
        for item in pending:
            self.spool.put(item)
        self._changed.set()

    def _found(self) -> None:
        self.reachable = True
        self._reached.set()
        if self._reported:
            self._reported = False
            log.info("kafka_back", spooled=self.spool.records)

    async def _recover(self) -> None:
        """Reconnect while Kafka is unreachable, and drain the spool when it is back."""
        tries = 0
        while True:
            self._changed.clear()
            try:
                if self.reachable and (self.held is not None or not self.spool.bytes):
                    await self._quiet()
                if not self.reachable:
                    await self._producer.ready()
                await self._drain()
                self._found()
                tries = 0
            except Exception as error:  # this task is the only one that reconnects, so no error may end it
                pass_on(error)
                self._lost(error)
                pause = PAUSES[min(tries, len(PAUSES) - 1)]
                tries += 1
                await rest(pause * random.uniform(1, 1.5))  # noqa: S311  # jitter, no secret

    async def _quiet(self) -> None:
        """Return when something has changed, or after `QUIET` seconds; if no record was sent in that time, ask Kafka
        whether it is reachable. Raises Unacknowledged if it is not."""
        sent = self.sent
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(QUIET):
                await self._changed.wait()
        if sent == self.sent and not self._changed.is_set():
            await self._producer.ask()

    async def _drain(self) -> None:
        """Send the spool's segments, oldest first. A segment is deleted once Kafka has acknowledged all of it."""
        while self.held is None and (segment := await self.spool.oldest()) is not None:
            for batch in batches(await self.spool.read(segment)):
                await self._deliver(batch)
            await self.spool.remove(segment)

    async def _deliver(self, records: Sequence[Record]) -> None:
        try:
            await self._producer.send(records, DRAIN)
        except Rejected:
            if len(records) == 1:
                await self.spool.set_aside(records[0])
            else:
                for record in records:
                    await self._deliver([record])
            return
        self.drained += len(records)
        self._found()
