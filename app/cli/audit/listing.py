"""`threadline audit list|export`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any

import orjson
import typer

from app.cli.support.json_output import AsJson, print_json
from app.cli.support.store import in_store, note
from app.cli.support.terminal import MISUSED, entry, fields, print_error, print_note
from app.cli.support.times import FORMS, time_given
from sql import EventStore
from sql.audited import ACTIONS

Client = Annotated[str | None, typer.Option(help="Only what concerns this client.")]
Action = Annotated[str | None, typer.Option(help="Only this action, as timeline.read; a wrong one lists all.")]
Since = Annotated[str | None, typer.Option(help=f"Only what was done since: {FORMS}.")]
Until = Annotated[str | None, typer.Option(help=f"Only what was done before: {FORMS}.")]


def list_(
    client: Client = None,
    action: Action = None,
    since: Since = None,
    until: Until = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The number of entries.")] = 50,
    as_json: AsJson = False,
) -> int:
    """List the latest entries, newest first: time, actor, action and subject."""
    if (unknown := _unknown(action)) is not None:
        return unknown
    wanted = _wanted(client, action, since, until)

    async def read(store: EventStore) -> int:
        await note(store, "entries.read", client or "", "")
        rows = await store.audit_listed(**wanted, limit=limit + 1)
        if as_json:
            return print_json(rows[:limit])
        for row in rows[:limit]:
            print(_entry(row))
        return print_note(f"There are more than {limit}; --limit shows more.") if rows[limit:] else 0

    return in_store(read)


def export(client: Client = None, action: Action = None, since: Since = None, until: Until = None) -> int:
    """Write the entries as JSON Lines, oldest first: one JSON object a line."""
    if (unknown := _unknown(action)) is not None:
        return unknown
    wanted = _wanted(client, action, since, until)

    async def read(store: EventStore) -> int:
        await note(store, "entries.read", client or "", "")
        after = -(2**62)
        while rows := await store.audit_exported(wanted, after):
            for row in rows:
                print(orjson.dumps(row, option=orjson.OPT_UTC_Z).decode())
            after = rows[-1]["position"]
        return 0

    return in_store(read)


def _wanted(client: str | None, action: str | None, since: str | None, until: str | None) -> dict[str, Any]:
    """Return the filter that the options name. Ends the command (SystemExit) for a time that is none."""
    now = datetime.now(UTC)
    return {
        "client_id": client,
        "action": action,
        "since": time_given("--since", since, now),
        "until": time_given("--until", until, now),
    }


def _unknown(action: str | None) -> int | None:
    """Print an error and return its exit code for an action that does not exist; else None."""
    if action is None or action in ACTIONS:
        return None
    return print_error(f"There is no action {action}. The actions: {', '.join(ACTIONS)}.", MISUSED)


def _entry(row: Mapping[str, Any]) -> str:
    """Return one entry of the audit for people."""
    return entry(
        f"{row['at']:%Y-%m-%d %H:%M:%S}  {row['actor']}  {row['action']}  {row['subject']}".rstrip(),
        fields(client=row["client_id"], key=row["key_id"], address=row["address"], request=row["request_id"]),
        row["why"] or "",
        orjson.dumps(row["detail"]).decode() if row["detail"] else "",
    )
