"""Whether the settings fit each other, and the broker's topics: what a process asks before it starts.

Each fault is a sentence that says what to do. A process whose largest record its topic does not take would stand still at
the first such record, or have to throw it away.
"""

import asyncio
import sys

import structlog
from aiokafka.errors import KafkaError

from app.kafka import LARGEST, TopicState, describe_topics
from app.kafka.topics import MOST_BODY
from app.settings import Settings

log = structlog.get_logger(__name__)

#: Seconds that Kafka may take to tell of its topics. A process must start without it.
PATIENCE = 5.0


def unfit(settings: Settings) -> list[str]:
    """What does not fit in the settings themselves."""
    size, found = settings.door.max_body, []
    if not 0 < size <= MOST_BODY:
        found.append(
            f"door.max_body is {size}: set THREADLINE_DOOR__MAX_BODY to 1 to {MOST_BODY} bytes, as the database "
            "takes what is made of a larger body in no one transaction"
        )
    return found


def too_small(states: list[TopicState]) -> list[str]:
    """Topics that do not take the largest record of ours."""
    found = []
    for state in states:
        if state.too_small:
            takes, needed = state.too_small
            name = state.topic.name
            found.append(
                f"{name} takes records of at most {takes} bytes ({LARGEST}), and {needed} are needed: run threadline topics, "
                f"or kafka-configs.sh --alter --entity-type topics --entity-name {name} --add-config {LARGEST}={needed}, "
                "or lower THREADLINE_DOOR__MAX_BODY"
            )
    return found


async def misfits(settings: Settings) -> list[str]:
    """All of it. A Kafka that does not answer is no misfit: it may come."""
    found = unfit(settings)
    if not settings.kafka.bootstrap:
        return found
    try:
        async with asyncio.timeout(PATIENCE):
            return found + too_small(await describe_topics(settings))
    except (KafkaError, OSError, TimeoutError) as error:
        log.warning("kafka_away", reason=type(error).__name__, effect="its topics' limits are not looked at")
        return found


def refuses(settings: Settings) -> bool:
    """Whether a process must not start so; what does not fit is printed, and logged."""
    found = asyncio.run(misfits(settings))
    for sentence in found:
        log.critical("settings do not fit", what=sentence)
        print(sentence, file=sys.stderr)
    return bool(found)
