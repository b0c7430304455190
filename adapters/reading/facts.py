"""Parts of events that all adapters make alike: ids, text, numbers, places, and the event for an unknown item."""

from hashlib import blake2b
from typing import Any

import orjson

from adapters.contract import MAX_ID, Request, Unprocessable
from schemas.events import Event

#: orjson writes 254 levels; this many are reserved for the JSON around an item.
_MARGIN = 8
#: The separator of an id's parts is escaped within a part, so that two lists of parts never make the same id.
_ESCAPED = {0x1E: "\x1e\x1e", 0x1F: "\x1e\x1d"}


def fact_id(*parts: str | None) -> str:
    """Return an event id of 32 hexadecimal digits, derived from the parts that identify the fact, so that a redelivery has
    the same id. For providers that give events no id of their own.
    """
    text = "\x1f".join([part or "" for part in parts])
    if "\x1e" in text or text.count("\x1f") >= len(parts):  # rare: a part has one of the two itself
        text = "\x1f".join([(part or "").translate(_ESCAPED) for part in parts])
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def digest_of(*parts: str | bytes) -> bytes:
    """Return a digest of the parts, 16 bytes, that depends on their order and on where each ends."""
    made = blake2b(digest_size=16)
    for part in parts:
        raw = part.encode("utf-8", "replace") if isinstance(part, str) else part
        made.update(len(raw).to_bytes(8, "big"))
        made.update(raw)
    return made.digest()


def identifier(value: Any) -> str | None:
    """Return a provider's id as text, or None. Raise Unprocessable for one that is too long."""
    if isinstance(value, str):
        if len(value) > MAX_ID:
            raise Unprocessable(f"an id of more than {MAX_ID} characters")
        return value or None
    return str(value) if type(value) is int else None


def text(value: Any) -> str | None:
    """Return text that is not empty, a number as its digits, else None."""
    if isinstance(value, str):
        return value or None
    return str(value) if type(value) in (int, float) else None


def brief(value: Any) -> Any:
    """Return a number, or a text no longer than an id, that may be stored with each item of a webhook; else None."""
    return value if isinstance(value, int | float) or (isinstance(value, str) and len(value) <= MAX_ID) else None


def count(value: Any) -> int | None:
    """Return a count, given as a number or its digits, else None."""
    if isinstance(value, str):
        return int(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
    return value if type(value) is int and 0 <= value < 1_000_000_000 else None


def degrees(value: Any, limit: float) -> float | None:
    """Return a latitude or longitude, given as a number or text; None beyond `limit`."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if -limit <= number <= limit else None


def location(latitude: Any, longitude: Any, name: Any = None) -> dict[str, Any] | None:
    """Return a location for a payload's `content`, or None if the coordinates are invalid."""
    north, east = degrees(latitude, 90), degrees(longitude, 180)
    if north is None or east is None:
        return None
    place: dict[str, Any] = {"latitude": north, "longitude": east}
    if called := text(name):
        place["name"] = called[:1024]
    return place


def place_of(part: dict[str, Any]) -> dict[str, Any]:
    """Return the place in a part of a WhatsApp message, under `location`; an empty object if its coordinates are
    invalid. A place without a name gets its address as the name."""
    name, address = text(part.get("name")), text(part.get("address"))
    place = location(part.get("latitude"), part.get("longitude"), name or address)
    if place is None:
        return {}
    return {"location": place | ({"address": address} if name and address else {})}


def unknown(request: Request, item: Any, *, status: str | None = None, event_id: str | None = None) -> Event:
    """Return a `ProviderEventReceived` that keeps an unknown item whole. Raise Unprocessable if it is nested too deeply."""
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
