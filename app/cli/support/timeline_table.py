"""A customer's interactions, in the API's JSON, as a table for the terminal. Prints nothing."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import orjson
from rich.table import Table
from rich.text import Text

from app.cli.support.terminal import printable, table
from schemas.typed_handles import typed

#: Colours of the states: success, in progress, failure.
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
#: Names of facts; any other is named by its event type without the prefix.
_FACTS = {"UserMessageSent": "sent", "InteractionProcessing": "in work", "InteractionCompleted": "dealt with"}
_ARROWS = {"inbound": Text("← in", "cyan"), "outbound": Text("→ out", "magenta")}
_UNITS = ((86400, "d"), (3600, "h"), (60, "min"), (1, "s"))


#: Columns of a terminal from which the table has all its columns.
WIDE = 72


def timeline_table(
    customer: str,
    handles: Sequence[Mapping[str, Any]],
    interactions: Sequence[Mapping[str, Any]],
    *,
    width: int = WIDE,
) -> Table:
    """Return the table of interactions for a terminal of `width` columns: below `WIDE` all but the time of an interaction is in
    one column. Times are shown in the time zone of this machine."""
    names = ", ".join(printable(typed(handle["kind"], handle["value"])) for handle in handles)
    title = Text.assemble((names, "bold"), (f"   customer {customer}", "dim"))
    wide = width >= WIDE
    if wide:
        made = table("when", "channel", "", title=title, whole=("when", "channel", ""))
        made.add_column("content", ratio=3, min_width=20, overflow="fold")
        made.add_column("delivery", ratio=2, min_width=18, overflow="fold")
    else:
        made = table("when", "interaction", title=title)
    day = None
    for one in interactions:
        at = datetime.fromisoformat(one["timestamp"]).astimezone()
        if at.date() != day:
            day = at.date()
            date = Text(f"{at:%a} {at.day} {at:%b %Y}", "bold")
            made.add_row(date if wide else "", *(() if wide else (date,)))
        time, channel, arrow = f"{at:%H:%M:%S}", Text(one["channel"] or ""), _ARROWS.get(one["direction"], Text(""))
        content = content_text(one["content"], one["channel"])
        if wide:
            made.add_row(time, channel, arrow, content, delivery(one))
        else:
            made.add_row(time, Text("\n").join((Text(" ").join((channel, arrow)), content, delivery(one))))
    return made


def content_text(content: Mapping[str, Any], channel: str | None) -> Text:
    """Return an interaction's content: text, subject, media, location, reply or payload."""
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
        return Text("(call)" if channel == "voice" else "(no content)", "dim")
    return Text("\n").join(parts)


def delivery(interaction: Mapping[str, Any]) -> Text:
    """Return the delivery state, the time of each fact since the first, and the error."""
    state = interaction["delivery"] or interaction["status"]
    text = Text(state, f"bold {_COLOURS.get(state, '')}".strip())
    if interaction["contradiction"]:
        text.append(" and failed" if state == "delivered" else " and delivered", "bold red")
    facts = sorted((datetime.fromisoformat(at), name) for name, at in interaction["facts"].items())
    words = [f"{_fact(name)} {_since(at - facts[0][0])}".rstrip() for at, name in facts]
    if len(facts) > 1:
        text.append("\n" + ", ".join(words), "dim")
    if error := interaction["error"]:
        cause = " ".join(printable(str(error[key])) for key in ("code", "text") if error.get(key))
        # An error before a good end is not shown as an alarm.
        text.append(f"\n{cause or error['reason']}", "red" if _COLOURS.get(state) == "red" else "dim yellow")
        text.append(f" ({error['reason']})" if cause else "", "dim")
    return text


def _fact(name: str) -> str:
    return _FACTS.get(name) or name.removeprefix("Message").removeprefix("Call").removeprefix("Recipient").lower()


def _since(passed: timedelta) -> str:
    """Return `+3 s`, `+2 min` or `+1.5 s`; nothing below 0.05 s."""
    seconds = passed.total_seconds()
    if seconds < 0.05:
        return ""
    if seconds < 10:
        return f"+{seconds:.1f} s".replace(".0 ", " ")
    size, unit = next((size, unit) for size, unit in _UNITS if seconds >= size)
    return f"+{seconds / size:.0f} {unit}"


def _object(value: Any) -> Mapping[str, Any]:
    """Return the value if it is an object, else an empty one: an unknown event of a provider has any shape."""
    return value if isinstance(value, dict) else {}


def _link(address: str) -> Text:
    """Return a URL shortened for a cell, with the whole URL as a hyperlink for terminals that support it."""
    plain = printable(address)
    short = plain.removeprefix("https://").removeprefix("http://")
    if " " in short or "\n" in short:
        return Text(short, "blue")
    if len(short) > 40:
        short = f"{short[:19]}…{short[-20:]}"
    return Text(
        short, f"blue link {plain}" if plain.startswith(("https://", "http://")) and " " not in plain else "blue"
    )
