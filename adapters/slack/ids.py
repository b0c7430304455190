"""Slack's ids, addresses and escapes, which its events and its forms share."""

from datetime import datetime
from typing import Any

from adapters.contract import MAX_ID
from adapters.reading.addresses import of_kind
from adapters.reading.facts import text
from adapters.reading.times import from_unix
from schemas.events import Handle


def time_of(stamp: Any) -> datetime | None:
    """A `ts`, which is Unix seconds with six decimals as text."""
    if not isinstance(stamp, str):
        return None
    whole, _, part = stamp.partition(".")
    if not (whole.isascii() and whole.isdigit() and len(whole) <= 12):
        return None
    return from_unix(float(f"{whole}.{part}")) if part.isascii() and part.isdigit() and len(part) <= 6 else None


def message_id(conversation: Any, stamp: Any) -> str | None:
    """A message's id: `ts` is one only within its conversation."""
    where, when = text(conversation), text(stamp)
    if where is None or when is None or len(where) + len(when) >= MAX_ID:
        return None
    return f"{where}:{when}"


def address(team: Any, whose: Any) -> Handle | None:
    """The handle of a user, or of a conversation, of a workspace."""
    who, where = text(whose), text(team)
    if who is None:
        return None
    return of_kind("chat_id", f"slack:{where}/{who}" if where else f"slack:{who}")


def plain(written: Any) -> str | None:
    """Text without the escapes of its three control characters (https://docs.slack.dev/messaging/formatting-message-text)."""
    said = text(written)
    if said is None or "&" not in said:
        return said
    return said.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
