"""Letting go of an aiokafka producer that may never be answered."""

import asyncio
from typing import Any

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

#: Looks at whether an abandoned producer has ended, a twentieth of a second apart.
ROUNDS = 40


async def abandon(producer: AIOKafkaProducer) -> None:
    """Stop a producer without waiting for its unacknowledged batches, as its own `stop` does, for ever.

    aiokafka has no such thing, so this reaches for its parts: the batches are failed, its sender is told to end, and what
    the sender waits for (answers over connections that are closed now, news of the cluster that nobody will bring) ends.
    """
    producer._message_accumulator.fail_all(KafkaError("abandoned"))
    sender, client = producer._sender.sender_task, producer.client
    if sender is not None:
        sender.remove_done_callback(producer._sender._fail_all)
        sender.add_done_callback(look)
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


def look(future: "asyncio.Future[Any]") -> None:
    """Take note of how something given up has ended, as asyncio complains of an error that nobody looked at."""
    if not future.cancelled():
        future.exception()
