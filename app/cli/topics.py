"""`threadline topics`: create the missing Kafka topics, and list all."""

import asyncio
import sys

from aiokafka.errors import KafkaError
from rich.console import Console
from rich.table import Table

from app.embedded.running import resolve
from app.kafka import TopicsFailed, TopicState, ensure_topics
from app.settings import Settings


def topics() -> int:
    """Create the missing Kafka topics, and list all of them.

    Exit code 1 where a topic is still missing or differs from the settings.
    """
    settings = resolve(Settings())
    try:
        states = asyncio.run(ensure_topics(settings))
    except (KafkaError, TopicsFailed, OSError, ValueError) as error:
        print(f"Kafka at {settings.kafka.bootstrap}: {error or type(error).__name__}", file=sys.stderr)
        return 1
    Console().print(_table(states))
    return 1 if any(state.differs for state in states) else 0


def _table(states: list[TopicState]) -> Table:
    table = Table("topic", "partitions", "replicas", "purpose", "state", title_justify="left")
    for state in states:
        differs = "; ".join(
            f"{name} is {found or 'unset'}, not {wanted}" for name, (found, wanted) in state.differs.items()
        )
        words = f"[yellow]{differs}[/]" if differs else "[green]created[/]" if state.created else "ok"
        table.add_row(state.topic.name, str(state.partitions), str(state.replication), state.topic.purpose, words)
    return table
