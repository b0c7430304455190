"""Stops an aiokafka producer without waiting for its acknowledgements."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

#: How often to check whether an abandoned producer has ended, at intervals of 0.05 s.
ROUNDS = 40


async def abandon(producer: AIOKafkaProducer) -> None:
    """Stop a producer without waiting for its unacknowledged batches. Its own `stop` can wait for them without end.

    aiokafka has no public way to do this, so this uses its internals: fail the batches, cancel the sender task, and resolve
    what the sender waits for (responses on closed connections, a metadata update).
    """
    producer._message_accumulator.fail_all(KafkaError("abandoned"))
    sender, client = producer._sender.sender_task, producer.client
    if sender is not None:
        sender.remove_done_callback(producer._sender._fail_all)
        sender.add_done_callback(retrieve)
        sender.cancel()
    await client.close()
    for _ in range(ROUNDS):
        if sender is None or sender.done():
            break
        if client._md_update_fut is not None:
            client._md_update_fut.set_result(False)
            client._md_update_fut = None
        await asyncio.wait((sender,), timeout=0.05)
    else:
        sender.cancel()
        await asyncio.wait((sender,), timeout=0.05)
    await producer.stop()


def retrieve(future: "asyncio.Future[Any]") -> None:
    """Retrieve the exception of an abandoned future, so that asyncio does not warn that it was never retrieved."""
    if not future.cancelled():
        future.exception()
