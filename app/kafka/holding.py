"""Holds webhooks back before Kafka would delete acknowledged ones that no worker has read.

They go to the door's spool meanwhile, which nothing deletes; where that is full, the provider is told to try again later.
"""

import asyncio
import time

import structlog

from app.kafka import client_args
from app.kafka.unread import GROUP, Log
from app.settings import Settings
from webhooks.keep import TOPIC, Keep

log = structlog.get_logger("http")

#: Seconds between two looks.
EVERY = 10.0
#: Shares of the topic's retention that the unread webhooks have used up: above the first they are held back, below the
#: second not any more.
ABOVE, BELOW = 0.5, 0.33


async def hold_back(keep: Keep, settings: Settings, every: float = EVERY) -> None:
    """Look for ever. Where Kafka does not answer, what was decided stays."""
    kafka = Log(client_args(settings.kafka), GROUP, (TOPIC,))
    try:
        while True:
            try:
                used, partition = await _used(kafka)
            except Exception as error:  # it is away: that is the spool's affair already
                log.debug("cannot see what is unread", error=f"{type(error).__name__}: {error}")
            else:
                if used > ABOVE:
                    keep.hold(
                        f"the unread webhooks of {TOPIC}-{partition} have used up {used:.0%} of what the topic keeps: mend "
                        "what stops the worker, or raise the topic's retention"
                    )
                elif used < BELOW:
                    keep.hold(None)
            await asyncio.sleep(every)
    finally:
        await kafka.close()


async def _used(kafka: Log) -> tuple[float, int]:
    """The largest share of the retention that a partition's unread part has used up, and which partition's."""
    reaches = await kafka.reach()
    if not any(reach.behind for reach in reaches.values()):
        return 0.0, 0
    retention = (await kafka.retention())[TOPIC]
    unread, now = await kafka.unread(reaches), time.time()
    shares = [(retention.used(reaches[tp], seen, now), tp.partition) for tp, seen in unread.items()]
    return max(shares, default=(0.0, 0))
