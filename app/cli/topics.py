"""`threadline topics`: create the missing Kafka topics, and list all; or print the ACLs that the processes need."""

import asyncio
from typing import Annotated, Any

import typer
from aiokafka.errors import KafkaError

from app.cli.support.connecting import ADVICE
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.kafka import kafka_error_text, quiet
from app.cli.support.terminal import entry, print_error
from app.embedded.running import resolve
from app.kafka import TopicsFailed, TopicState, ensure_topics
from app.kafka.rights import Part, commands
from app.numbered import numbered
from app.settings.loading import load

#: The users for whom `--acls` prints rights.
USERS: dict[Part, str] = {"door": "threadline-door", "worker": "threadline-worker", "topics": "threadline-topics"}


def topics(
    as_json: AsJson = False,
    acls: Annotated[
        bool,
        typer.Option(
            "--acls",
            help="Instead, print the arguments for kafka-acls.sh that give the users threadline-door, threadline-worker and "
            "threadline-topics what they need. Asks no broker.",
        ),
    ] = False,
) -> int:
    """Create the missing Kafka topics, and list all of them.

    Exit code 1 where a topic is still missing or differs from the settings.
    """
    settings = load() if acls else resolve(load())
    if acls:
        anchors = settings.audit.anchor_topic
        print("\n".join(commands(USERS, [anchors] if anchors else [])))
        return 0
    quiet()
    try:
        states = asyncio.run(ensure_topics(settings))
    except (KafkaError, TopicsFailed, OSError, ValueError) as error:
        return print_error(f"{kafka_error_text(error, settings)}. {ADVICE}")
    if as_json:
        print_json([_document(state) for state in states])
    else:
        for state in states:
            print(_entry(state))
    return 1 if any(state.differs for state in states) else 0


def _document(state: TopicState) -> dict[str, Any]:
    """Return a topic as JSON has it; `differs` has by its name what is set, and what the settings want."""
    differs = {name: {"found": found, "wanted": wanted} for name, (found, wanted) in state.differs.items()}
    counts = {"partitions": state.partitions, "replication": state.replication}
    return {"name": state.topic.name, "created": state.created, **counts, "differs": differs}


def _entry(state: TopicState) -> str:
    """Return a topic with its state: created, ok, or how it differs from the settings."""
    differs = "; ".join(
        f"{name} is {found or 'unset'}, not {wanted}" for name, (found, wanted) in state.differs.items()
    )
    words = differs or ("created" if state.created else "ok")
    counts = (
        f"{numbered(state.partitions, 'partition')}, {numbered(state.replication, 'replica')}: {state.topic.purpose}"
    )
    return entry(f"{state.topic.name}: {words}", counts)
