"""A customer's interactions, as the API tells them, as a table that a person likes to read. Prints nothing itself."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from app.cli.support.terminal import printable

#: Colours of the states: well, on the way, not well.
_COLOURS = {
    "delivered": "green",
    "received": "green",
    "completed": "green",
    "recorded": "green",
    "requested": "yellow",
    "held": "yellow",
    "queued": "yellow",
    "sent": "yellow",
    "delayed": "yellow",
    "started": "yellow",
    "failed": "red",
    "bounced": "red",
    "rejected": "red",
    "cancelled": "red",
    "expired": "red",
}
#: Facts in words; any other is its type's name without what all have in common.
_FACTS = {"UserMessageSent": "sent", "InteractionProcessing": "in work", "InteractionCompleted": "dealt with"}
_ARROWS = {"inbound": Text("← in", "cyan"), "outbound": Text("→ out", "magenta")}
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def timeline_table(
    customer: str, handles: Sequence[Mapping[str, Any]], interactions: Sequence[Mapping[str, Any]]
) -> Table:
    """The table; `handles` and `interactions` are those of the API's JSON. Times are shown in the zone of this machine."""
    names = ", ".join(printable(handle["value"]) for handle in handles)
    table = Table(
        title=Text.assemble((names, "bold"), (f"   customer {customer}", "dim")),
        title_justify="left",
        box=SIMPLE_HEAD,
        padding=(0, 1),
        collapse_padding=True,
    )
    table.add_column("when", no_wrap=True)
    table.add_column("channel", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("what was said", ratio=3, min_width=20, overflow="fold")
    table.add_column("delivery", ratio=2, min_width=18, overflow="fold")
    day = None
    for one in interactions:
        at = datetime.fromisoformat(one["timestamp"]).astimezone()
        if at.date() != day:
            day = at.date()
            table.add_row(Text(f"{at:%a} {at.day} {at:%b %Y}", "bold"))
        cells = (Text(f"{at:%H:%M:%S}"), Text(one["channel"] or ""), _ARROWS.get(one["direction"], Text("")))
        table.add_row(*cells, said(one["content"], one["channel"]), delivery(one))
    return table


def said(content: Mapping[str, Any], channel: str | None) -> Text:
    """What was said, or what came in its place."""
    parts: list[Text] = []
    if content.get("subject"):
        parts.append(Text(printable(str(content["subject"])), "bold"))
    if content.get("text"):
        parts.append(Text(printable(str(content["text"]))))
    elif content.get("html"):
        parts.append(Text("(HTML)", "dim"))
    if content.get("audioUrl"):
        parts.append(Text("recording ", "dim") + _link(str(content["audioUrl"])))
    media = content.get("media")
    for medium in map(_object, media if isinstance(media, list) else ()):
        where = medium.get("name") or medium.get("url") or medium.get("id") or ""
        parts.append(Text(f"{printable(str(medium.get('type', 'file')))} ", "dim") + _link(str(where)))
    if place := _object(content.get("location")):
        name = printable(str(place.get("name") or ""))
        parts.append(Text(printable(f"at {place.get('latitude')}, {place.get('longitude')} {name}".rstrip())))
    if button := _object(content.get("buttonReply")):
        parts.append(Text("chose ", "dim") + Text(printable(str(button.get("title") or button.get("id") or ""))))
    if reaction := _object(content.get("reaction")):
        parts.append(Text("reacted ", "dim") + Text(printable(str(reaction.get("emoji") or "by taking it back"))))
    if "pushPayload" in content:
        parts.append(Text(printable(orjson.dumps(content["pushPayload"]).decode())))
    if not parts:
        return Text("(call)" if channel == "voice" else "(not told)", "dim")
    return Text("\n").join(parts)


def delivery(interaction: Mapping[str, Any]) -> Text:
    """The state, when each fact was, as the time since the first, and what went wrong."""
    state = interaction["delivery"] or interaction["status"]
    text = Text(state, f"bold {_COLOURS.get(state, '')}".strip())
    if interaction["contradiction"]:
        text.append(" and failed" if state == "delivered" else " and delivered", "bold red")
    facts = sorted((datetime.fromisoformat(at), name) for name, at in interaction["facts"].items())
    words = [f"{_fact(name)} {_since(at - facts[0][0])}".rstrip() for at, name in facts]
    if len(facts) > 1:
        text.append("\n" + ", ".join(words), "dim")
    if error := interaction["error"]:
        told = " ".join(printable(str(error[key])) for key in ("code", "text") if error.get(key))
        # What passed over, on the way to a good end, is no alarm.
        text.append(f"\n{told or error['reason']}", "red" if _COLOURS.get(state) == "red" else "dim yellow")
        text.append(f" ({error['reason']})" if told else "", "dim")
    return text


def _fact(name: str) -> str:
    return _FACTS.get(name) or name.removeprefix("Message").removeprefix("Call").removeprefix("Recipient").lower()


def _since(passed: timedelta) -> str:
    """`+3 s`, `+2 min`, `+1.5 s`; nothing for the first."""
    seconds = passed.total_seconds()
    if seconds < 0.05:
        return ""
    if seconds < 10:
        return f"+{seconds:.1f} s".replace(".0 ", " ")
    size, unit = next((size, unit) for size, unit in _UNITS if seconds >= size)
    return f"+{seconds / size:.0f} {unit}"


def _object(value: Any) -> Mapping[str, Any]:
    """The value where it is an object; else none: what a provider's unknown event says may have any shape."""
    return value if isinstance(value, dict) else {}


def _link(address: str) -> Text:
    """Where something is, short enough for a cell; a terminal that can opens all of it."""
    plain = printable(address)
    short = plain.removeprefix("https://").removeprefix("http://")
    if " " in short or "\n" in short:
        return Text(short, "blue")
    if len(short) > 40:
        short = f"{short[:19]}…{short[-20:]}"
    return Text(
        short, f"blue link {plain}" if plain.startswith(("https://", "http://")) and " " not in plain else "blue"
    )
