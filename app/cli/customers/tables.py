"""Prints customers, and what a decision on them moves."""

from typing import Any
from uuid import UUID

from rich.console import Console
from rich.text import Text

from app.cli.support.key_names import with_name
from app.cli.support.terminal import add_row, entry, fields, minute, printable, table
from app.numbered import numbered
from schemas.typed_handles import typed


def print_customer(found: dict[str, Any], names: dict[UUID, str]) -> None:
    """Print a customer of `app.customers.shown`; `names`: those of API keys by their ids."""
    console = Console()
    out = found["optedOut"]
    counts = ", ".join(f"{channel} {number}" for channel, number in found["interactions"].items()) or "none"
    console.print(Text(f"customer {found['customerId']}"))
    console.print(Text(f"interactions: {counts}; waiting to be sent: {found['waitingMessages']}"))
    console.print(Text(f"opted out on {out['handles']} of {numbered(out['of'], 'handle')}"))
    console.print(_handles(found["handles"]))
    for one in found["links"]:
        kinds = ", ".join(each["kind"] for each in one["evidence"])
        why = fields(since=minute(one["since"]), evidence=kinds)
        print(entry(handle_words(one["handle"]), f"linked with {handle_words(one['other'])}", why))
    for one in found["linksNotApplied"]:
        why = "it contradicts a split" if one["refusedBy"] else "several people share a handle, or too many handles"
        print(entry(handle_words(one["handle"]), f"not linked with {handle_words(one['other'])}", f"because {why}"))
    for one in found["changes"]:
        what = one["kind"] + (" (undone)" if one["undoneBy"] else "")
        by = with_name((one["evidence"] or {}).get("actor"), names)
        print(
            entry(
                f"{minute(one['at'])}  {what}",
                fields(by=by),
                fields(event=one["eventId"]),
                fields(reason=one["reason"]),
            )
        )


def print_parts(decision: dict[str, Any]) -> None:
    """Print what a decision moves and what stays."""
    console = Console()
    for name, part in (("moves", decision["moves"]), ("stays", decision["stays"])):
        counts = ", ".join(f"{channel} {number}" for channel, number in part["interactions"].items()) or "none"
        console.print(Text(f"{name}: interactions {counts}; waiting to be sent {part['waitingMessages']}"))
        console.print(_handles(part["handles"]))
    console.print(Text("Consents stay with their handles; messages on their way go to the addresses that they have."))


def _handles(rows: list[dict[str, Any]]) -> Any:
    shown = table("handle", "from", "until")
    for one in rows:
        add_row(shown, handle_words(one), minute(one["validFrom"]), minute(one["validTo"]))
    return shown


def handle_words(one: dict[str, Any]) -> str:
    """Return a handle as it is typed."""
    return printable(typed(one["kind"], one["value"]))
