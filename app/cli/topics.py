"""`threadline topics`: create the missing Kafka topics, and list all."""

import asyncio

from aiokafka.errors import KafkaError

from app.cli.support.kafka import kafka_error_text
from app.cli.support.terminal import entry, print_error
from app.embedded.running import resolve
from app.kafka import TopicsFailed, TopicState, ensure_topics
from app.settings.loading import load


def topics() -> int:
    """Create the missing Kafka topics, and list all of them.

    Exit code 1 where a topic is still missing or differs from the settings.
    """
    settings = resolve(load())
    try:
        states = asyncio.run(ensure_topics(settings))
    except (KafkaError, TopicsFailed, OSError, ValueError) as error:
        return print_error(kafka_error_text(error, settings))
    for state in states:
        print(_entry(state))
    return 1 if any(state.differs for state in states) else 0


def _entry(state: TopicState) -> str:
    """Return a topic with its state: created, ok, or how it differs from the settings."""
    differs = "; ".join(
        f"{name} is {found or 'unset'}, not {wanted}" for name, (found, wanted) in state.differs.items()
    )
    words = differs or ("created" if state.created else "ok")
    counts = f"{state.partitions} partitions, {state.replication} replicas: {state.topic.purpose}"
    return entry(f"{state.topic.name}: {words}", counts)
