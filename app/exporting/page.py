"""Writes the page of an export: plain HTML without scripts, for light and dark, narrow and wide. All that came from elsewhere is
escaped. Pure."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime
from html import escape
from typing import Any

import orjson

from app.exporting.gathering import Subject

#: Nothing is loaded, run or sent: the page is what it shows.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
_STYLE = """
:root { color-scheme: light dark; --line: light-dark(#d5d9de, #3a4048); --soft: light-dark(#5b6570, #9aa4af);
  --in: light-dark(#0b6b76, #56c5d0); --out: light-dark(#7a2e8e, #d59be6); --bad: light-dark(#b3261e, #ff8a80); }
* { box-sizing: border-box }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 52rem; margin: 0 auto; padding: 1.5rem 1rem 4rem;
  background: light-dark(#fff, #16191d); color: light-dark(#1b1f24, #e6e9ec); overflow-wrap: anywhere }
h1 { font-size: 1.5rem; margin: 0 0 .25rem } h2 { font-size: 1rem; margin: 2rem 0 .5rem; color: var(--soft) }
ul { margin: .5rem 0; padding-left: 1.25rem } p { margin: .25rem 0 } .soft { color: var(--soft); font-size: .875rem }
article { border-top: 1px solid var(--line); padding: .75rem 0; display: grid; grid-template-columns: 9rem 1fr; gap: .25rem 1rem }
.text { white-space: pre-wrap; margin: 0 } .inbound { color: var(--in) } .outbound { color: var(--out) } .bad { color: var(--bad) }
pre { white-space: pre-wrap; font-size: .8125rem; margin: .25rem 0 }
@media (max-width: 36rem) { article { grid-template-columns: 1fr } }
"""
_NONE = '<p class="soft">(no content)</p>'
_WAYS = {"inbound": "from the customer", "outbound": "to the customer"}


def head(subject: Subject, now: datetime) -> str:
    """Return the beginning of the page: whose it is, and the handles."""
    handles = "".join(f"<li>{escape(row['kind'])}: {escape(row['value'])}</li>" for row in subject.handles)
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        f'<meta http-equiv="content-security-policy" content="{escape(_POLICY)}">\n'
        f'<meta name="viewport" content="width=device-width, initial-scale=1">\n<title>Timeline of a customer</title>\n'
        f"<style>{_STYLE}</style></head><body>\n<h1>Timeline of a customer</h1>\n"
        f'<p class="soft">Customer {subject.customer} of client {escape(subject.client)}, as of {now:%Y-%m-%d %H:%M} UTC. '
        f"Newest first, times in UTC.</p>\n<ul>{handles}</ul>\n<main>\n"
    )


def rows(page: Sequence[Mapping[str, Any]], day: date | None) -> tuple[str, date | None]:
    """Return the interactions of a page, with a heading for each day after the given one; and the last day."""
    parts = []
    for one in page:
        at: datetime = one["timestamp"]
        if at.date() != day:
            day = at.date()
            parts.append(f"<h2>{day:%A, %d %B %Y}</h2>\n")
        parts.append(_article(one, at))
    return "".join(parts), day


def shared(parts: Sequence[Mapping[str, Any]]) -> str:
    """Return the customer's parts in some interactions that others share."""
    return "".join(
        f"<h2>Part in interaction {part['interactionId']}, which others share</h2>\n{_unread(part['unreadMonths'])}"
        + "".join(
            _article(_shown(event), event["occurredAt"] or event["receivedAt"], "%Y-%m-%d %H:%M:%S")
            for event in part["events"]
        )
        for part in parts
    )


def foot() -> str:
    """Return the end of the page."""
    return "</main></body></html>\n"


def _article(one: Mapping[str, Any], at: datetime, clock: str = "%H:%M:%S") -> str:
    way = one["direction"] or ""
    state = one["delivery"] or one["status"]
    address = one["address"] or {}
    about = [one["channel"], state, one["provider"] and f"by {one['provider']}", address.get("value")]
    words = " · ".join(escape(str(each)) for each in about if each)
    return (
        f'<article><div><time datetime="{at.isoformat()}">{at:{clock}}</time>'
        f'<p class="soft {escape(way)}">{escape(_WAYS.get(way, ""))}</p></div><div>'
        f'{"".join(_content(one["content"])) or _NONE}{_error(one["error"])}<p class="soft">{words}</p></div></article>\n'
    )


def _unread(months: Sequence[str]) -> str:
    return f'<p class="bad">Not read from the archive: {escape(", ".join(months))}</p>\n' if months else ""


def _shown(event: Mapping[str, Any]) -> dict[str, Any]:
    """Return an event in the form of an interaction."""
    content = event["payload"].get("content")
    return {
        "direction": event["direction"],
        "delivery": event["type"],
        "channel": event["channel"],
        "provider": event["source"],
        "address": None,
        "content": content if isinstance(content, dict) else {},
        "error": event["error"],
    }


def _content(content: Mapping[str, Any]) -> Iterator[str]:
    """Yield a content: subject and text as text, all else as lines of name and value, or as data where a value has parts."""
    for name, tag in (("subject", "strong"), ("text", "span")):
        if isinstance(content.get(name), str) and content[name]:
            yield f'<p class="text"><{tag}>{escape(content[name])}</{tag}></p>'
    rest = {name: value for name, value in content.items() if name not in ("subject", "text") and value is not None}
    if not any(isinstance(value, dict | list) for value in rest.values()):
        yield from (f'<p class="text">{escape(name)}: {escape(str(value))}</p>' for name, value in rest.items())
    else:
        yield f"<pre>{escape(orjson.dumps(rest, option=orjson.OPT_INDENT_2).decode())}</pre>"


def _error(error: Mapping[str, Any] | None) -> str:
    if not error:
        return ""
    words = " ".join(str(error[name]) for name in ("reason", "code", "text") if error.get(name))
    return f'<p class="bad">{escape(words)}</p>'
