"""`threadline erasure list|show`."""

from typing import Annotated
from uuid import UUID

import orjson
import typer

from app.api.erasures import erasure_json
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.store import in_store
from app.cli.support.terminal import MISUSED, entry, fields, minute, print_error, print_note
from sql import EventStore


def list_(
    client: Annotated[str | None, typer.Option(help="Of this client only.")] = None,
    limit: Annotated[int, typer.Option(min=1, max=1000, help="The number of erasures, newest first.")] = 50,
    as_json: AsJson = False,
) -> int:
    """List erasures, newest first, also those that wait for a second person."""

    async def work(store: EventStore) -> int:
        both = [*await store.erasure_requests(client, limit), *await store.erasures(client, limit)]
        rows = sorted(both, key=lambda row: row["requested_at"], reverse=True)[:limit]
        if as_json:
            return print_json(rows)
        if not rows:
            return print_note("There was no erasure.")
        for row in rows:
            asked = fields(requested=minute(row["requested_at"]), waits=row.get("waits"))
            print(entry(f"{row['id']}  {row['state']}", f"client {row['client_id']}", asked))
        return 0

    return in_store(work)


def show(
    id: Annotated[str, typer.Argument(metavar="ERASURE", help="The erasure's id.")],
    receipt: Annotated[
        bool, typer.Option("--receipt", help="Print the receipt alone, as a file for `verify`.")
    ] = False,
    as_json: AsJson = False,
) -> int:
    """Show how far an erasure is; with --receipt its receipt. Exit code 1 where there is none."""
    try:
        wanted = UUID(id)
    except ValueError:
        return print_error(f"{id} is no erasure's id.", MISUSED)

    async def work(store: EventStore) -> int:
        asked = await store.erasure_request(wanted)
        row = await store.erasure(wanted) or asked
        if row is None or (receipt and row.get("receipt") is None):
            return print_error(
                "There is no such erasure." if row is None else f"It has no receipt; it is {row['state']}."
            )
        if receipt:
            print(orjson.dumps(row["receipt"], option=orjson.OPT_INDENT_2).decode())
            return 0
        if as_json:
            return print_json(erasure_json(row, asked))
        times = fields(
            requested=minute(row["requested_at"]),
            fenced=minute(row.get("fenced_at")),
            destroyed=minute(row.get("destroyed_at")),
            completed=minute(row.get("completed_at")),
        )
        print(
            entry(f"{row['id']}  {row['state']}", f"customer {row['customer_id']} of client {row['client_id']}", times)
        )
        print(entry("asked for by", (asked or row)["actor"], row["reason"]))
        if asked is not None and asked["decided_by"] is not None:
            word = "refused" if asked["state"] == "refused" else "approved"
            print(entry(f"{word} by", asked["decided_by"], asked["why"] or "", minute(asked["decided_at"])))
        elif asked is not None:
            print(entry("waits for a second person until", minute(asked["expires_at"])))
        for each in row.get("asked", ()):
            counts = "{done} done, {refused} refused, {due} to come".format(**each)
            print(entry(f"{each['source']} was asked", counts, each["answer"] or ""))
        if row.get("waits"):
            print(entry("waits", row["waits"]))
        if row.get("archive", {}).get("files"):
            print(entry("files of the archive", "{files} read, {rewritten} written anew".format(**row["archive"])))
        return 0

    return in_store(work)
