"""`threadline dead-letters list|show|replay`: records that could not be processed."""

import asyncio
import sys
import textwrap
from base64 import b64encode
from collections.abc import Mapping
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer
from aiokafka.errors import KafkaError

from app.cli.support.json_output import AsJson, print_json
from app.cli.support.kafka import kafka_error_text
from app.cli.support.store import in_store, opened
from app.cli.support.terminal import FAILED, MISUSED, entry, minute, print_error, print_note, printable
from app.embedded.running import resolve
from app.kafka.producers import producer
from app.settings.loading import load
from sql import EventStore

dead_letters = typer.Typer(
    name="dead-letters",
    no_args_is_help=True,
    help="""Show and replay dead letters: records that could not be processed, each with its reason.

\b
  threadline dead-letters list --source twilio     the latest
  threadline dead-letters show ID                  the reason and the record
  threadline dead-letters replay ID                process it again
  threadline dead-letters replay --source twilio   all not yet replayed
""",
)

Topic = Annotated[str | None, typer.Option(help="Only those of this topic, e.g. webhooks.received.")]
Source = Annotated[str | None, typer.Option(help="Only those of this source.")]
_NO_SUCH = "There is no dead letter {}. See which there are: threadline dead-letters list"


@dead_letters.command("list")
def list_(
    topic: Topic = None,
    source: Source = None,
    open: Annotated[bool, typer.Option("--open", help="Only those not yet replayed.")] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The number of dead letters.")] = 20,
    as_json: AsJson = False,
) -> int:
    """List the latest dead letters, newest first."""

    async def read(store: EventStore) -> int:
        rows = await store.dead_letters_listed(topic=topic, source=source, open=open, limit=limit)
        if as_json:
            return print_json(rows)
        for row in rows:
            print(_entry(row))
        if not rows:
            print("There are no dead letters of this kind.")
        return 0

    return in_store(read)


@dead_letters.command()
def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="The dead letter's id, as `list` shows it.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write the record alone, byte for byte.")] = False,
    as_json: AsJson = False,
) -> int:
    """Show one dead letter: its reason, and the record, which may hold personal data; with --json in base64."""
    known = _uuid(id)
    if known is None:
        return print_error(_NO_SUCH.format(id), MISUSED)

    async def read(store: EventStore) -> int:
        row = await store.dead_letter(known)
        if row is None:
            return print_error(_NO_SUCH.format(id), FAILED)
        value = row["value"]
        if raw:
            if value is None:
                return print_error(
                    "Its record was not kept: it was empty or too large. See its size and digest.", FAILED
                )
            sys.stdout.buffer.write(value)
            return 0
        if as_json:
            return print_json(row | {"value": None if value is None else b64encode(value).decode()})
        print(_entry(row | {"whole": value is not None}))
        if row["detail"] is not None:
            print(textwrap.indent(_json(row["detail"]), "  "))
        for item in row["items"]:
            print(textwrap.indent(printable(f"item {item['ordinal']}: {item['reason']}"), "  "))
        if value is not None:
            print(printable(value[: 64 << 10].decode("utf-8", "replace")))
        return 0

    return in_store(read)


@dead_letters.command()
def replay(
    ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID…", help="The dead letters; or use --topic or --source.")
    ] = None,
    topic: Topic = None,
    source: Source = None,
) -> int:
    """Put records on their topics again, to be processed again. What was stored of them before is not stored twice.

    Exit code 1 where one could not be replayed.
    """
    known = {id: _uuid(id) for id in ids or ()}
    if wrong := [id for id, uuid in known.items() if uuid is None]:
        return print_error(_NO_SUCH.format(wrong[0]), MISUSED)
    if not known and not topic and not source:
        return print_error("Give an ID; or --topic or --source for all of them not yet replayed.", MISUSED)
    return asyncio.run(_replay([uuid for uuid in known.values() if uuid is not None], topic, source))


async def _replay(ids: list[UUID], topic: str | None, source: str | None) -> int:
    settings = resolve(load())
    done = failed = 0
    sender = producer(settings)
    async with opened(settings) as store:
        try:
            await sender.start()
            for id in ids or await _open_ones(store, topic, source):
                row = await store.dead_letter(id)
                if row is None or row["value"] is None:
                    why = "its record was not kept" if row else "it does not exist"
                    failed += 1
                    print_error(f"{id} cannot be replayed: {why}.", FAILED)
                    continue
                await sender.send_and_wait(row["topic"], row["value"])
                await store.dead_letter_replayed(id)
                done += 1
        except (KafkaError, OSError) as error:
            words = kafka_error_text(error, settings)
            return print_error(f"Stopped after {done}: {words}. What is wrong? threadline doctor")
        finally:
            await sender.stop()
    if not done and not failed:
        return print_note("There was no dead letter to replay: none that matches is waiting.")
    failures = f", {failed} not" if failed else ""
    print_note(f"{done} put on their topics again{failures}. A record that fails again becomes a new dead letter.")
    return FAILED if failed else 0


async def _open_ones(store: EventStore, topic: str | None, source: str | None) -> list[UUID]:
    """Return the ids of those not yet replayed whose record was kept, the oldest first."""
    rows = await store.dead_letters_listed(topic=topic, source=source, open=True, limit=100_000)
    return [row["id"] for row in reversed(rows) if row["whole"]]


def _entry(row: Mapping[str, Any]) -> str:
    """Return one dead letter as an entry, without its record."""
    bad = f", {row['bad']} items" if row["bad"] > 1 else ""
    kept = "" if row["whole"] else ", record not kept"
    replayed = f", replayed {minute(row['replayed_at'])}" if row["replayed_at"] else ""
    where = f"{row['topic']}[{row['partition']}]@{row['offset']}"
    return entry(
        f"{minute(row['recorded_at'])}  {row['id']}",
        f"{row['source'] or 'unknown source'}, {where}, {row['size']} bytes{bad}{kept}{replayed}",
        row["reason"],
    )


def _json(value: Any) -> str:
    return printable(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
