"""The pieces of an event that every provider's module makes alike: ids of facts, ids and text from what came, unknown items."""

from hashlib import blake2b
from typing import Any

import orjson

from adapters.contract import MAX_ID, Request, Unprocessable
from schemas.events import Event

#: orjson writes 254 levels; this many are left for what an item is put into.
_MARGIN = 8
#: What stands between the parts of an id is written otherwise within a part, so that no two lists of parts make one id.
_ESCAPED = {0x1E: "\x1e\x1e", 0x1F: "\x1e\x1d"}


def fact_id(*parts: str | None) -> str:
    """An id of the fact that the parts identify: the same at every redelivery, different between facts.

    For providers that give events no id of their own. 32 hexadecimal digits.
    """
    text = "\x1f".join([(part or "").translate(_ESCAPED) for part in parts])
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def digest_of(*parts: str | bytes) -> bytes:
    """16 bytes that stand for these parts, in their order and with their bounds."""
    made = blake2b(digest_size=16)
    for part in parts:
        raw = part.encode("utf-8", "replace") if isinstance(part, str) else part
        made.update(len(raw).to_bytes(8, "big"))
        made.update(raw)
    return made.digest()


def id_of_one(message_id: str, recipient: str) -> str:
    """The id of what one of several recipients got, where a provider's id stands for all that one send made: under that
    alone their customers would share one message."""
    whole = f"{message_id}:{recipient.lower()}"
    return whole if len(whole) <= MAX_ID else fact_id(message_id, recipient.lower())


def identifier(value: Any) -> str | None:
    """A provider's id as text; None where there is none. Raises Unprocessable for one that cannot be an id."""
    if isinstance(value, str):
        if len(value) > MAX_ID:
            raise Unprocessable(f"an id of more than {MAX_ID} characters")
        return value or None
    return str(value) if type(value) is int else None


def text(value: Any) -> str | None:
    """Text that is there and is not empty; a number as its digits."""
    if isinstance(value, str):
        return value or None
    return str(value) if type(value) in (int, float) else None


def brief(value: Any) -> Any:
    """A number, or a text no longer than an id: what may be kept again with each item beside it; else None."""
    return value if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= MAX_ID) else None


def count(value: Any) -> int | None:
    """A number of something, as a number or its digits."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
    return value if type(value) is int and 0 <= value < 1_000_000_000 else None


def degrees(value: Any, limit: float) -> float | None:
    """A latitude or longitude, as a number or text; None outside of `limit`."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if -limit <= number <= limit else None


def location(latitude: Any, longitude: Any, name: Any = None) -> dict[str, Any] | None:
    """A place for `content`; None where it is none."""
    north, east = degrees(latitude, 90), degrees(longitude, 180)
    if north is None or east is None:
        return None
    place: dict[str, Any] = {"latitude": north, "longitude": east}
    if called := text(name):
        place["name"] = called
    return place


def unknown(request: Request, item: Any, *, status: str | None = None, event_id: str | None = None) -> Event:
    """What a provider says and we do not know: kept whole. Raises Unprocessable where it is nested too deeply to keep."""
    wrapped = item
    for _ in range(_MARGIN):
        wrapped = [wrapped]
    try:
        canonical = orjson.dumps(wrapped, option=orjson.OPT_SORT_KEYS)
    except orjson.JSONEncodeError as error:
        raise Unprocessable(f"an item that cannot be kept: {error}") from error
    event_id = event_id or blake2b(canonical, digest_size=16).hexdigest()
    payload = {"providerStatus": status[:255], "native": item} if status else {"native": item}
    return Event("ProviderEventReceived", request.source, event_id, payload=payload)
