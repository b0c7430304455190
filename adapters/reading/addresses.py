"""Turns providers' addresses into handles: a fast path for the usual forms, `schemas.handles` for the rest."""

import re
from typing import Any

from adapters.reading.mailboxes import mailboxes, written_addresses
from schemas.events import Handle
from schemas.handles import handle_as, handle_of, without_trunk

_E164 = re.compile(r"\+[1-9][0-9]{6,14}")
_DIGITS = re.compile(r"[1-9][0-9]{6,14}")
_EMAIL = re.compile(
    r"[a-z0-9._+\-]{1,64}@[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9\-]{0,61}[a-z0-9])?)+"
)


def handle(text: Any, channel: str | None) -> Handle | None:
    """Return the handle of a provider's address; None if it is absent, invalid or more than one."""
    if not isinstance(text, str) or not text:
        return None
    if _E164.fullmatch(text):
        return Handle("phone", without_trunk(text))
    if channel == "email" and len(text) <= 254 and _EMAIL.fullmatch(text):
        return Handle("email", text)
    try:
        return _mailbox(text) if channel == "email" and "@" in text else handle_of(text, channel)
    except ValueError:
        return None


def recipients(value: Any) -> list[tuple[Handle | None, str]]:
    """Return each recipient of a header, a list, or a list of objects with an address, once: its handle, and its
    address in the handle's spelling, or as it came if it is invalid."""
    if isinstance(value, str) and len(value) <= 254 and _EMAIL.fullmatch(value):
        return [(Handle("email", value), value)]
    found: dict[str, Handle | None] = {}
    for one in written_addresses(value):
        customer = handle(one, "email")
        found.setdefault(customer.value if customer else one[:2048], customer)
    return [(customer, address) for address, customer in found.items()]


def one_recipient(value: Any) -> tuple[Handle | None, str | None]:
    """Return the one recipient of an event, as `recipients` does. If the event names several, return no handle and all
    addresses: it is unknown which of them it is about, and a complaint must opt out nobody else."""
    found = recipients(value)
    if len(found) == 1:
        return found[0]
    return None, ", ".join([address for _, address in found])[:2048] or None


def _mailbox(text: str) -> Handle | None:
    """Return the handle of a mailbox with or without a name; None for several. Raises ValueError if it is malformed."""
    found = mailboxes(text)
    return handle_as("email", found[0][1]) if len(found) == 1 else None


def phone(digits: Any) -> Handle | None:
    """Return the handle of an international number that a provider writes without its plus."""
    if isinstance(digits, str) and _DIGITS.fullmatch(digits):
        return Handle("phone", without_trunk("+" + digits))
    return handle(digits, "whatsapp")


def dialled(text: Any, channel: str | None) -> Handle | None:
    """Return the handle of an address from a provider that omits the plus of numbers: more digits than a short code has are
    an international number, all else is read as by `handle`."""
    if isinstance(text, str) and len(text) > 6 and text.isdigit():
        return phone(text)
    return handle(text, channel)


def written(text: Any, channel: str | None) -> str | None:
    """Return an address in its handle's spelling, so that payloads of all providers spell it alike; an invalid one as it
    came."""
    if not isinstance(text, str) or not text:
        return None
    found = handle(text, channel)
    return found.value if found is not None else text[:2048]


def caller(text: Any) -> Handle | None:
    """Return the handle of one end of a call; None for a word (Anonymous, Restricted), which all hidden callers share and
    which would make them one customer."""
    found = handle(text, "voice")
    return found if found is None or found.kind != "other" or found.value.isdigit() else None


def of_kind(kind: str, value: Any) -> Handle | None:
    """Return a handle of the given kind; None if the value is invalid for it."""
    if not isinstance(value, str) or not value:
        return None
    try:
        return handle_as(kind, value)
    except ValueError:
        return None
