"""`threadline providers`: lists the providers from the adapters: as a table, as JSON, or as the page
docs/providers.md."""

import sys
from collections.abc import Iterable
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from adapters import ADAPTERS, PROVIDERS
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.terminal import MISUSED, entry, print_error, table
from app.numbered import numbered
from app.settings.loading import load
from app.simulator import SIMULATED
from schemas.events import CHANNELS, EVENT_TYPES

#: Columns of a terminal from which the table has all its columns.
WIDE = 120
#: The text above the table of the page.
_HEAD = """# Providers

What Threadline receives, verifies and sends. `threadline providers --markdown` generates this page from the adapters.
A provider's page describes where to enter the webhook's URL, the settings, what is signed, the events, and what is missing.
"Batches of" is the number of messages that one call can take. "Knows repeats" is how long the provider recognises a repeated call as the same message. "Look-up": after a call without a response, the provider can be asked whether it accepted the message.

{count} providers. Any other can be described by [a definition file](declared.md), without Python.
"""


def providers(
    name: Annotated[str | None, typer.Argument(help="One of them, to see it in full.")] = None,
    as_json: AsJson = False,
    markdown: Annotated[bool, typer.Option("--markdown", help="Print the page docs/providers.md.")] = False,
) -> int:
    """List the providers: channels, signature, events, and whether Threadline can send by them."""
    load()
    if name is not None and name not in ADAPTERS:
        return print_error(f"There is no provider {name!r}; there are: {', '.join(sorted(ADAPTERS))}", MISUSED)
    rows = [row(each) for each in ([name] if name else ordered(ADAPTERS))]
    if as_json:
        print_json(rows)
    elif markdown:
        sys.stdout.write(page())
    elif name is not None:
        print(_sheet(rows[0]))
    else:
        console = Console()
        wide = console.width >= WIDE
        console.print(_table(rows if wide else sorted(rows, key=lambda one: str(one["name"])), wide=wide))
    return 0


def row(name: str) -> dict[str, Any]:
    """Return the description of one adapter, in JSON's types."""
    adapter = ADAPTERS[name]
    send = adapter.send
    return {
        "name": name,
        "title": adapter.title,
        "docs": adapter.docs,
        "channels": in_order(adapter.channels, CHANNELS),
        "receives": bool(adapter.events),
        "sends": in_order(adapter.sends, CHANNELS),
        "batch": send.batch.size if send is not None and send.batch is not None else None,
        "idempotentFor": send.idempotent_for or None if send is not None else None,
        "lookup": send is not None and send.look_up is not None,
        "signature": adapter.signature,
        "signsBody": adapter.signs_body,
        "events": in_order(adapter.events, EVENT_TYPES),
        "settings": [{"name": one.name, "secret": one.secret, "help": one.help} for one in adapter.settings],
        "simulated": name in SIMULATED,
    }


def page() -> str:
    """Return the text of docs/providers.md: the built-in providers."""
    lines = ["| provider | source | channels | signature | receives | sends | simulated |", "| --- " * 7 + "|"]
    for one in map(row, ordered(PROVIDERS)):
        cells = (
            f"[{one['title']}](../adapters/{one['name']}/README.md)",
            f"`{one['name']}`",
            ", ".join(one["channels"]),
            one["signature"],
            numbered(len(one["events"]), "type") if one["receives"] else "",
            _sends(one),
            "yes" if one["simulated"] else "",
        )
        lines.append("| " + " | ".join(cells) + " |")
    return _HEAD.format(count=len(PROVIDERS)) + "\n" + "\n".join(lines) + "\n"


def ordered(names: Iterable[str]) -> list[str]:
    """Return the names of adapters, sorted by their titles."""
    return sorted(names, key=lambda name: ADAPTERS[name].title.casefold())


def in_order(found: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return the words found, in the order of `known`."""
    return [word for word in known if word in set(found)]


def _sends(one: dict[str, Any]) -> str:
    """Return the channels by which it sends, with its capabilities: batches, idempotent repeats, look-up."""
    able = [f"batches of {one['batch']}"] if one["batch"] else []
    able += [f"knows repeats for {_span(one['idempotentFor'])}"] if one["idempotentFor"] else []
    able += ["look-up"] if one["lookup"] else []
    return ", ".join(one["sends"]) + (f" ({', '.join(able)})" if able else "")


def _span(seconds: float) -> str:
    units = (("days", 86_400), ("hours", 3600), ("minutes", 60))
    unit, size = next((each for each in units if seconds >= 2 * each[1]), ("seconds", 1))
    return f"{seconds / size:g} {unit}"


def _table(rows: list[dict[str, Any]], *, wide: bool) -> Table:
    """Return the table of providers; unless `wide`, without the titles and the numbers of event types."""
    titles, events = (("provider",), ("receives",)) if wide else ((), ())
    made = table(*titles, "source", "channels", "signature", *events, "sends", whole=("source",))
    for column in made.columns:
        # The longest channel is not broken.
        least = {"signature": 30 if wide else 12, "channels": 8, "sends": 8}
        column.min_width = least.get(str(column.header))
    for one in rows:
        sends = Text(" ".join(one["sends"]) or "—", "" if one["sends"] else "dim")
        cells = (one["name"], " ".join(one["channels"]), Text(one["signature"], "dim"))
        if wide:
            types = numbered(len(one["events"]), "type") if one["receives"] else Text("—", "dim")
            made.add_row(Text(one["title"], "bold"), *cells, types, sends)
        else:
            made.add_row(*cells, sends)
    made.caption = f"{len(rows)} providers. One in full: threadline providers NAME"
    return made


def _sheet(one: dict[str, Any]) -> str:
    """Return all that is known of one provider, as an entry."""
    lines = [
        f"source: {one['name']}",
        f"documentation: {one['docs']}",
        f"channels: {', '.join(one['channels'])}",
        f"signature: {one['signature']}",
        f"events: {', '.join(one['events']) or 'none: it posts no webhooks'}",
        f"sends: {_sends(one) or 'no'}",
        f"simulated: threadline simulate {one['name']}" if one["simulated"] else "simulated: no",
    ]
    settings = [
        entry(f"{each['name']}{' (secret)' if each['secret'] else ''}", each["help"]) for each in one["settings"]
    ]
    return "\n".join([entry(one["title"], *lines), f"settings of [sources.{one['name']}]:", *settings])
