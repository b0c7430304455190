"""`threadline dead-letters list|show`."""

import sys
import textwrap
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any

import orjson
import typer

from app.cli.dead_letters.which import NO_SUCH, ClientId, Matching, Since, Source, Topic, Until, filter_of, uuids
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.store import in_store, note
from app.cli.support.terminal import FAILED, MISUSED, entry, fields, minute, print_error, print_note, printable
from app.numbered import numbered
from sql import EventStore, Filter
from sql.dead_letters import GROUPED

#: Bytes of a record that `show` prints.
SHOWN = 64 << 10


def list_(
    source: Source = None,
    topic: Topic = None,
    matching: Matching = None,
    client: ClientId = None,
    since: Since = None,
    until: Until = None,
    open: Annotated[bool, typer.Option("--open", help="Only those neither replayed nor discarded.")] = False,
    handled: Annotated[bool, typer.Option("--handled", help="Only those replayed or discarded.")] = False,
    group: Annotated[
        bool, typer.Option("--group", help="By source, reason and shape: how many, first, last, and one of them.")
    ] = False,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The number of dead letters.")] = 20,
    as_json: AsJson = False,
) -> int:
    """List the latest dead letters, newest first, or their groups, the largest first."""
    if open and handled:
        return print_error("--open and --handled exclude each other: leave both out for all.", MISUSED)
    which = filter_of(source, topic, matching, client, since, until)
    which = replace(which, handled=True if handled else False if open else None)

    async def read(store: EventStore) -> int:
        if group:
            return await _groups(store, which, as_json)
        rows = await store.dead_letters(which, limit=limit + 1)
        # One entry for each client whose dead letters are shown, as the API makes it.
        for whose in sorted({row["client_id"] or "" for row in rows[:limit]} or {which.client or ""}):
            await note(store, "dead_letter.read", whose, "")
        if as_json:
            return print_json(rows[:limit])
        for row in rows[:limit]:
            print(entry_of(row))
        if not rows:
            print("There are no dead letters of this kind.")
        return print_note(f"There are more than {limit}; --limit shows more, --group counts.") if rows[limit:] else 0

    return in_store(read)


async def _groups(store: EventStore, which: Filter, as_json: bool) -> int:
    groups, seen = await store.dead_letter_groups(which)
    if as_json:
        return print_json([{name: group[name] for name in group if name != "seen"} for group in groups])
    for group in groups:
        print(
            entry(
                f"{group['letters']} of {group['source'] or 'unknown source'}, {group['topic']}",
                group["reason"],
                group["shape"] or "",
                fields(first=minute(group["first_at"]), last=minute(group["last_at"]), example=group["example"]),
            )
        )
    if not groups:
        print("There are no dead letters of this kind.")
        return 0
    latest = "the latest " if seen == GROUPED else ""
    return print_note(f"{latest}{numbered(seen, 'dead letter')} in {numbered(len(groups), 'group')}.")


def show(
    id: Annotated[str, typer.Argument(metavar="ID", help="The dead letter's id, as `list` shows it.")],
    raw: Annotated[bool, typer.Option("--raw", help="Write the record alone, byte for byte.")] = False,
    as_json: AsJson = False,
) -> int:
    """Show one dead letter: its reason, and the record, which may hold personal data; with --json in base64."""
    known = uuids([id])
    if isinstance(known, str):
        return print_error(NO_SUCH.format(id), MISUSED)

    async def read(store: EventStore) -> int:
        row = await store.dead_letter(known[0])
        if row is None:
            return print_error(NO_SUCH.format(id), FAILED)
        await note(store, "dead_letter.read", row["client_id"] or "", str(row["id"]))
        value = row["value"]
        if raw:
            if value is None:
                why = "was removed" if row["record_removed"] else "was not kept: it was empty or too large"
                why = f"cannot be opened: {row['unopenable']}" if row["unopenable"] else why
                return print_error(f"Its record {why}. See its size and digest.", FAILED)
            sys.stdout.buffer.write(value)
            return 0
        if as_json:
            return print_json(row | {"value": None if value is None else b64encode(value).decode()})
        print(entry_of(row))
        if row["detail"] is not None:
            print(textwrap.indent(_json(row["detail"]), "  "))
        for item in row["items"]:
            print(textwrap.indent(printable(f"item {item['ordinal']}: {item['reason']}"), "  "))
        if value is not None:
            print(printable(value[:SHOWN].decode("utf-8", "replace")))
        return 0

    return in_store(read)


def entry_of(row: Mapping[str, Any]) -> str:
    """Return one dead letter as an entry, without its record."""
    bad = f", {row['bad']} items" if row["bad"] > 1 else ""
    kept = "" if row["whole"] else ", record removed" if row["record_removed"] else ", record not kept"
    kept += f", which cannot be opened: {row['unopenable']}" if row["unopenable"] else ""
    where = f"{row['topic']}[{row['partition']}]@{row['offset']}"
    client = f", client {row['client_id']}" if row["client_id"] else ""
    again = f"the replay of {row['replay_of']}" if row["replay_of"] else ""
    return entry(
        f"{minute(row['recorded_at'])}  {row['id']}",
        f"{row['source'] or 'unknown source'}{client}, {where}, {numbered(row['size'], 'byte')}{bad}{kept}",
        row["reason"],
        again,
        handled_words(row),
    )


def handled_words(row: Mapping[str, Any]) -> str:
    """Return what was done about a dead letter, and what came of it; nothing for an open one."""
    if row["discarded_at"]:
        return f"discarded {minute(row['discarded_at'])} by {row['discarded_by']}: {row['discard_reason']}"
    if not row["replayed_at"]:
        return ""
    outcome = {
        "events": f"it made {numbered(row['outcome_events'] or 0, 'event')}",
        "duplicate": "all of its events were in the log already",
        "nothing": "it made no events",
        "dead": f"it failed again, as {row['became']}",
        "refused": "Kafka does not take its record",
        None: "no outcome yet",
    }[row["outcome"]]
    return f"replayed {minute(row['replayed_at'])}: {outcome}"


def _json(value: Any) -> str:
    return printable(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())
