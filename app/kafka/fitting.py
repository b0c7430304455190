"""Checks at start that the settings are consistent with each other and with the broker's topics.

Each problem is a sentence that says what to do. If a topic did not accept the largest record, the process would get stuck at
the first one or have to drop it.
"""

import asyncio
import sys

import structlog
from aiokafka.errors import KafkaError

from app.kafka import LARGEST, TopicState, describe_topics
from app.kafka.topics import MOST_BODY, MOST_INLINE
from app.settings import Settings

log = structlog.get_logger(__name__)

#: Seconds to wait for Kafka. A process must start without it.
PATIENCE = 5.0


def unfit(settings: Settings) -> list[str]:
    """Return the problems of the settings themselves."""
    size, over, found = settings.door.max_body, settings.blobs.over, []
    if not 0 < size <= MOST_BODY:
        found.append(
            f"door.max_body is {size}: set THREADLINE_DOOR__MAX_BODY to 1 to {MOST_BODY} bytes, since "
            "each process has a larger body in memory several times"
        )
    if not 0 <= over <= MOST_INLINE:
        found.append(
            f"blobs.over is {over}: set THREADLINE_BLOBS__OVER to 0 to {MOST_INLINE} bytes, since the events of a larger "
            "record do not fit into one transaction"
        )
    return found


def too_small(states: list[TopicState]) -> list[str]:
    """Return a problem for each topic that does not accept the largest record."""
    found = []
    for state in states:
        if state.too_small:
            takes, needed = state.too_small
            name = state.topic.name
            found.append(
                f"{name} accepts records of at most {takes} bytes ({LARGEST}), but {needed} are needed: run threadline topics, "
                f"or kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config {LARGEST}={needed}, "
                "or lower THREADLINE_BLOBS__OVER"
            )
    return found


async def misfits(settings: Settings) -> list[str]:
    """Return all problems. An unreachable Kafka is none, since it may come up later."""
    found = unfit(settings)
    if not settings.kafka.bootstrap:
        return found
    try:
        async with asyncio.timeout(PATIENCE):
            return found + too_small(await describe_topics(settings))
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning("kafka_away", reason=type(error).__name__, effect="its topics' limits are not checked")
        return found


def refuses(settings: Settings) -> bool:
    """Print and log all problems, and return whether there are any, so that the process must not start."""
    found = asyncio.run(misfits(settings))
    for sentence in found:
        log.critical("settings do not fit", what=sentence)
        print(sentence, file=sys.stderr)
    return bool(found)
