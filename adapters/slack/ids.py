"""Reads Slack's ids, addresses and escapes, for its events and its forms."""

from datetime import datetime
from typing import Any

from adapters.contract import MAX_ID
from adapters.reading.addresses import of_kind
from adapters.reading.facts import text
from adapters.reading.times import from_unix
from schemas.events import Handle


def time_of(stamp: Any) -> datetime | None:
    """Return the time of a `ts`: Unix seconds with six decimals, as text."""
    if not isinstance(stamp, str):
        return None
    whole, _, part = stamp.partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 12):
        return None
    return from_unix(float(f"{whole}.{part}")) if part.isascii() and part.isdigit() and len(part) <= 6 else None


def message_id(conversation: Any, stamp: Any) -> str | None:
    """Return a message's id: a `ts` is unique only within its conversation."""
    where, when = text(conversation), text(stamp)
    if where is None or when is None or len(where) + len(when) >= MAX_ID:
        return None
    return f"{where}:{when}"


def address(team: Any, whose: Any) -> Handle | None:
    """Return the handle of a user or a conversation of a workspace."""
    who, where = text(whose), text(team)
    if who is None:
        return None
    return of_kind("chat_id", f"slack:{where}/{who}" if where else f"slack:{who}")


def plain(written: Any) -> str | None:
    """Return text with the escapes of Slack's three control characters decoded
    (https://docs.slack.dev/messaging/formatting-message-text)."""
    escaped = text(written)
    if escaped is None or "&" not in escaped:
        return escaped
    return escaped.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
