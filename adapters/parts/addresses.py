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
