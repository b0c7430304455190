"""`threadline dead-letters list|show|replay`: what could not be processed, and having it read again."""

import asyncio
import sys
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

import orjson
from aiokafka.errors import KafkaError

from app.commands.opened import in_store, opened
from app.commands.terminal import FAILED, MISUSED, entry, minute, printable, say
from app.embedded.running import resolve
from app.kafka.producers import producer
from app.settings import Settings
from sql import EventStore

_NO_SUCH = "There is no dead letter {}. See which there are: threadline dead-letters list"


def show_all(*, topic: str | None, source: str | None, open: bool, limit: int, as_json: bool) -> int:
    """Print the latest, without their records."""

    async def read(store: EventStore) -> int:
        rows = await store.dead_letters_listed(topic=topic, source=source, open=open, limit=limit)
        if as_json:
            print(orjson.dumps(rows, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())
            return 0
        for row in rows:
            print(_entry(row))
        if not rows:
            print("There are no dead letters of this kind.")
        return 0

    return in_store(read)


def show(id: str, *, raw: bool) -> int:
    """Print one with its record, or with `raw` the record alone."""
    known = _uuid(id)
    if known is None:
        return say(_NO_SUCH.format(id), MISUSED)

    async def read(store: EventStore) -> int:
        row = await store.dead_letter(known)
        if row is None:
            return say(_NO_SUCH.format(id), FAILED)
        value = row["value"]
        if raw:
            if value is None:
                return say("Its record is not kept: it had none, or was too large. See its size and digest.", FAILED)
            sys.stdout.buffer.write(value)
            return 0
        print(_entry(row | {"whole": value is not None}))
        if row["detail"] is not None:
            print(textwrap.indent(_json(row["detail"]), "  "))
        for item in row["items"]:
            print(textwrap.indent(printable(f"item {item['ordinal']}: {item['reason']}"), "  "))
        if value is not None:
            print(printable(value[: 64 << 10].decode("utf-8", "replace")))
        return 0

    return in_store(read)


def replay(ids: Sequence[str], *, topic: str | None, source: str | None) -> int:
    """Put records on their topics again; returns 1 where one could not be."""
    known = [_uuid(id) for id in ids]
    if None in known:
        return say(_NO_SUCH.format(ids[known.index(None)]), MISUSED)
    if not known and not topic and not source:
        return say("Say which: an ID, or --topic or --source for all of it that were not replayed yet.", MISUSED)
    return asyncio.run(_replay([id for id in known if id is not None], topic, source))


async def _replay(ids: list[UUID], topic: str | None, source: str | None) -> int:
    settings = resolve(Settings())
    done = failed = 0
    sender = producer(settings)
    async with opened(settings) as store:
        try:
            await sender.start()
            for id in ids or await _open_ones(store, topic, source):
                row = await store.dead_letter(id)
                if row is None or row["value"] is None:
                    why = "its record was not kept" if row else "there is none"
                    failed += 1
                    say(f"{id} cannot be replayed: {why}.", FAILED)
                    continue
                await sender.send_and_wait(row["topic"], row["value"])
                await store.dead_letter_replayed(id)
                done += 1
        except (KafkaError, OSError) as error:
            return say(
                f"Stopped after {done}: Kafka cannot be reached ({error}). What is wrong? threadline doctor", FAILED
            )
        finally:
            await sender.stop()
    say(
        f"{done} put on their topics again{f', {failed} not' if failed else ''}. What fails again comes back as a new dead letter.",
        0,
    )
    return FAILED if failed else 0


async def _open_ones(store: EventStore, topic: str | None, source: str | None) -> list[UUID]:
    """Those that were not replayed and whose record is there, the oldest first."""
    rows = await store.dead_letters_listed(topic=topic, source=source, open=True, limit=100_000)
    return [row["id"] for row in reversed(rows) if row["whole"]]


def _entry(row: Mapping[str, Any]) -> str:
    """One dead letter, without its record."""
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
