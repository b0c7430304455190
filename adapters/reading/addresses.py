"""Providers' addresses as typed handles: the quick path for what nearly all of them send, `schemas.handles` for the rest."""

import re
from typing import Any

from schemas.events import Handle
from schemas.handles import handle_as, handle_of

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_DIGITS = re.compile(r"[1-9][0-9]{6,14}")
_EMAIL = re.compile(
    r"[a-z0-9._+\-]{1,64}@[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?)+"
)


def handle(text: Any, channel: str | None) -> Handle | None:
    """The handle a provider's address is; None where it is none (absent, damaged, several)."""
    if not isinstance(text, str) or not text:
        return None
    if _E164.fullmatch(text):
        return Handle("phone", text)
    if channel == "email" and len(text) <= 254 and _EMAIL.fullmatch(text):
        return Handle("email", text)
    try:
        return handle_of(text, channel)
    except ValueError:
        return None


def phone(digits: Any) -> Handle | None:
    """The handle of an international number that a provider writes without its plus."""
    if isinstance(digits, str) and _DIGITS.fullmatch(digits):
        return Handle("phone", "+" + digits)
    return handle(digits, "whatsapp")


def dialled(text: Any, channel: str | None) -> Handle | None:
    """The handle of an address by a provider who leaves the plus out of numbers: more digits than a short code has are
    a number, all else is read as by `handle`."""
    if isinstance(text, str) and len(text) > 6 and text.isdigit():
        return phone(text)
    return handle(text, channel)


def written(text: Any, channel: str | None) -> str | None:
    """An address as payloads have it: in its handle's spelling, so that it is the same by whatever provider; what is
    no address as it came."""
    if not isinstance(text, str) or not text:
        return None
    found = handle(text, channel)
    return found.value if found is not None else text[:2048]


def caller(text: Any) -> Handle | None:
    """The handle of one end of a call; None of a word (Anonymous, Restricted): all callers who hide share it, and would
    be one customer."""
    found = handle(text, "voice")
    return found if found is None or found.kind != "other" or found.value.isdigit() else None


def of_kind(kind: str, value: Any) -> Handle | None:
    """The handle of a known kind; None where the value is not one."""
    if not isinstance(value, str) or not value:
        return None
    try:
        return handle_as(kind, value)
    except ValueError:
        return None
