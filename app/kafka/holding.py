"""Sends webhooks to the spool while Kafka is in danger of deleting acknowledged webhooks that no worker has read.

Nothing is deleted from the spool. When it is full, providers get a 503 and retry.
"""

import time

import structlog

from app.kafka import client_args
from app.kafka.unread import GROUP, Log
from app.settings import Settings
from webhooks.cancelled import pass_on, rest
from webhooks.keep import TOPIC, Keep

log = structlog.get_logger("http")

#: Seconds between two checks.
EVERY = 10.0
#: Shares of the topic's retention used up by unread webhooks: holding starts above the first and ends below the second.
ABOVE, BELOW = 0.5, 0.33


async def hold_back(keep: Keep, settings: Settings, every: float = EVERY) -> None:
    """Check without end. While Kafka does not answer, the last decision stays."""
    kafka = Log(client_args(settings.kafka), GROUP, (TOPIC,))
    try:
        while True:
            try:
                used, partition = await _used(kafka)
            except Exception as error:  # Kafka is unreachable, so webhooks go to the spool anyway
                pass_on(error)
                log.debug("cannot check unread webhooks", error=f"{type(error).__name__}: {error}")
            else:
                if used > ABOVE:
                    keep.hold(
                        f"the unread webhooks of {TOPIC}-{partition} have used up {used:.0%} of the topic's retention: fix "
                        "what stops the worker, or raise the topic's retention"
                    )
                elif used < BELOW:
                    keep.hold(None)
            await rest(every)
    finally:
        await kafka.close()


async def _used(kafka: Log) -> tuple[float, int]:
    """Return the largest share of the retention that any partition's unread part has used up, and that partition."""
    reaches = await kafka.reach()
    if not any(reach.behind for reach in reaches.values()):
        return 0.0, 0
    retention = (await kafka.retention())[TOPIC]
    unread, now = await kafka.unread(reaches), time.time()
    shares = [(retention.used(reaches[tp], seen, now), tp.partition) for tp, seen in unread.items()]
    return max(shares, default=(0.0, 0))
