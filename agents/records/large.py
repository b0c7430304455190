"""Reads webhooks whose body is a blob: one at a time, in a thread, within a budget of processor time that follows the size.

The thread is interrupted as `agents.records.deadline` interrupts the main thread: by an exception, which is raised between two
instructions of Python, so that a running call into C code ends first.
"""

import asyncio
import ctypes
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

from agents.failures import until_done
from agents.health import WorkerHealth
from agents.records.deadline import LIMIT, TICK, Deadline, TooCostly
from agents.records.outcome import RecordOutcome, outcome_of
from sql.sealed_records import Unopenable
from sql.sealing import Tampered
from webhooks.blobs import WITHHELD, Blobs, NoBlob, matches
from webhooks.blobs.sealed import Keys, opened
from webhooks.record import Webhook, decode

#: Seconds of processor time for each MiB of a body, beside `deadline.LIMIT`.
PER_MIB = 0.06
#: Why the body of a record cannot be read.
GONE = "its body was deleted from the store of blobs, where it is kept as long as raw webhooks"
CLOSED = "in the store of blobs cannot be opened"
DAMAGED = "its body in the store of blobs is not the one that was received"

#: Reads a record with its body into an outcome.
ReadBody = Callable[[RecordOutcome, bytes], Iterator[None] | None]


class LargeRecords:
    """Reads large webhooks, whose bodies are in `blobs`. `most` is the most bytes of a record; `keys` has the keys of sealed bodies."""

    def __init__(self, blobs: Blobs, health: WorkerHealth, most: int, keys: Keys) -> None:
        self._blobs, self._health, self._most, self._keys = blobs, health, most, keys
        self._turn = asyncio.Semaphore(1)

    async def outcome(self, record: Any, read: ReadBody) -> RecordOutcome:
        """Return the outcome of a record. While the store of blobs is away this retries without end, as it does for the database. A
        body that was deleted or damaged makes a dead letter."""
        try:
            webhook = decode(record.value)
        except ValueError:
            webhook = None
        if webhook is None or webhook.blob is None:
            return outcome_of(record, lambda outcome: read(outcome, b""), self._most)
        async with self._turn:
            body = await until_done("blobs", lambda: self._body(webhook), self._health)
            if body is None:
                return outcome_of(record, lambda outcome: _known(outcome, webhook), self._most)
            if isinstance(body, str):
                return outcome_of(record, lambda outcome: _refuse(outcome, webhook, body), self._most)
            deadline = ThreadDeadline(LIMIT + PER_MIB * len(body) / (1 << 20))
            return await deadline.run(
                lambda: outcome_of(record, lambda outcome: read(outcome, body), self._most, deadline, len(body))
            )

    async def withhold(self, name: str) -> None:
        """Remove a body that was read, and is not to be kept. Retries without end, as reading does."""
        await until_done("blobs", lambda: asyncio.to_thread(self._blobs.withhold, name), self._health)

    async def _body(self, webhook: Webhook) -> bytes | str | None:
        """Return the body, or the reason why there is none; None for one that was read before, and is not kept. Raises StoreAway, NoKey, and what the database raises."""
        blob = webhook.blob
        assert blob is not None

        def read() -> bytes:
            # Renew it first, so that the body is not deleted before the raw webhook that is stored now.
            self._blobs.renew(blob.name)
            return self._blobs.read(blob.name)

        try:
            data = await asyncio.to_thread(read)
        except NoBlob:
            return GONE
        try:
            body = await opened(data, self._keys)
        except (Unopenable, Tampered) as error:
            body, why = data, f"its body {CLOSED}: {error}"  # it may be a body that was never sealed
        else:
            why = DAMAGED
        if await asyncio.to_thread(matches, blob.name, webhook.client, body):
            return body
        return None if data == WITHHELD else why


def _refuse(outcome: RecordOutcome, webhook: Webhook, why: str) -> None:
    _known(outcome, webhook)
    outcome.raw = outcome.record.value
    outcome.refuse(why)


def _known(outcome: RecordOutcome, webhook: Webhook) -> None:
    outcome.received = webhook.received_at.timestamp()
    outcome.source, outcome.webhook_id, outcome.client = webhook.source, webhook.id, webhook.client


class ThreadDeadline(Deadline):
    """The deadline of one record that is read in a thread of its own, in seconds of that thread's processor time."""

    async def run(self, call: Callable[[], RecordOutcome]) -> RecordOutcome:
        """Return what `call` returns, in a new thread. It calls `begin` and `end`, between which TooCostly is raised."""
        loop, done, over = asyncio.get_running_loop(), asyncio.Event(), threading.Event()
        found: list[RecordOutcome | BaseException] = []

        def work() -> None:
            try:
                found.append(call())
            except BaseException as error:
                found.append(error)
            loop.call_soon_threadsafe(done.set)
            over.wait()  # the thread's clock may be read until then

        thread = threading.Thread(target=work, name="large record", daemon=True)
        thread.start()
        try:
            await self._watch(done, thread.ident or 0)
        finally:
            over.set()
        [result] = found
        if isinstance(result, BaseException):
            raise result
        return result

    async def _watch(self, done: asyncio.Event, thread: int) -> None:
        clock, raised = time.pthread_getcpuclockid(thread), 0.0
        while not done.is_set():
            try:
                async with asyncio.timeout(TICK):
                    await done.wait()
            except TimeoutError:
                used = time.clock_gettime(clock)
                # Again two ticks later, in case something caught it.
                if self._reading and used >= self._limit and used - raised >= 2 * TICK:
                    raised = used
                    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread), ctypes.py_object(TooCostly))
