"""`threadline restored rewind|hold`: what to do after the database was restored to an earlier time (docs/backup.md)."""

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Annotated

import typer
from aiokafka.errors import KafkaError

from app.cli.support.connecting import ADVICE
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.kafka import kafka_error_text, quiet
from app.cli.support.store import actor, in_store
from app.cli.support.terminal import FAILED, MISUSED, print_error, print_note
from app.embedded.running import resolve
from app.kafka.rewinding import Rewound, WorkersRun, rewind
from app.kafka.topics import READ
from app.numbered import numbered
from app.settings.loading import load
from sql import EventStore

restored = typer.Typer(
    name="restored",
    no_args_is_help=True,
    help="""After the database was restored: read Kafka again from a time, and hold messages that may have been sent.

\b
  threadline restored rewind --to 2026-11-29T03:00:00Z
  threadline restored hold
""",
)


@restored.command("rewind")
def rewind_(
    to: Annotated[
        str,
        typer.Option(
            metavar="TIME", help="ISO 8601 with offset: the restored time, less the time that workers were behind."
        ),
    ],
    as_json: AsJson = False,
) -> int:
    """Make the workers read Kafka again from a time on. Stop all workers before. What is in the log already is not doubled.

    Exit code 1 where Kafka no longer has all records since then.
    """
    try:
        time = datetime.fromisoformat(to)
    except ValueError:
        return print_error(f"--to {to} is no time: give one such as 2026-11-29T03:00:00Z", MISUSED)
    if time.tzinfo is None:
        return print_error(f"--to {to} has no offset from UTC: give one such as {time.isoformat()}Z", MISUSED)
    if time > datetime.now(UTC):
        return print_error(f"--to {to} is in the future", MISUSED)
    settings = resolve(load())
    quiet()
    try:
        done = asyncio.run(rewind(settings.kafka, [topic.name for topic in READ], time))
    except WorkersRun as error:
        return print_error(str(error))
    except (KafkaError, OSError, ValueError) as error:
        return print_error(f"{kafka_error_text(error, settings)}. {ADVICE}")
    if as_json:
        print_json([asdict(each) for each in done])
    else:
        for each in done:
            print(_line(each))
    if short := [f"{each.topic}-{each.partition}" for each in done if each.short]:
        print_note(
            f"Kafka has deleted records that may be from after {to}: {', '.join(short)}. They cannot be read again."
        )
    return FAILED if short else 0


def _line(each: Rewound) -> str:
    was = "nothing" if each.was is None else each.was
    return f"{each.topic}-{each.partition}: from {each.now} on (committed was {was})"


@restored.command()
def hold() -> int:
    """Hold each message that may have been sent after the restored time: it becomes `unanswered`.

    Run it once workers with sending.paused have read Kafka again, and before one runs without. Messages that are due later
    stay as they are.
    """

    async def work(store: EventStore) -> int:
        held = await store.hold_restored(actor())
        for row in held:
            print(f"{row['client_id']} {row['message_id']}")
        if not held:
            return print_note("No message was due or being sent: none is held.")
        return print_note(
            f"{numbered(len(held), 'message is', 'messages are')} held. Decide on each of them:\n"
            "  threadline messages list --state unanswered"
        )

    return in_store(work)
