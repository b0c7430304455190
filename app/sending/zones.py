"""The recipient's time zone, and how it is known."""

from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache, lru_cache
from typing import Literal
from zoneinfo import ZoneInfo, available_timezones

import phonenumbers
from phonenumbers import timezone

from schemas import SchemaError
from schemas.events import Handle

KnownFrom = Literal["request", "profile", "phone number", "client"]
#: Files of the zone database that name no place.
_NO_ZONES = frozenset({"Factory", "localtime", "posixrules"})


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone by its IANA name, and what told it."""

    name: str
    known_from: KnownFrom


def zone_of(requested: str | None, profile: str | None, handle: Handle | None, client: str | None) -> Zone | None:
    """The zone whose wall clock counts: the request's, else that of the recipient's profile, else that of a phone number
    whose country or area has one zone only, else the client's; None where nobody knows."""
    if requested is not None:
        return Zone(requested, "request")
    if profile is not None:
        return Zone(profile, "profile")
    if handle is not None and handle.kind == "phone" and (name := _of_number(handle.value)) is not None:
        return Zone(name, "phone number")
    return Zone(client, "client") if client is not None else None


def zone_named(text: str, path: str = "$") -> ZoneInfo:
    """The zone of that name. Raises SchemaError at `path`, with names that may have been meant."""
    if text not in zone_names():
        near = get_close_matches(text, zone_names(), 3, 0.6) if len(text) <= 64 else []
        hint = f": did you mean {' or '.join(near)}?" if near else ""
        raise SchemaError(path, f"must be a name of the IANA time zone database, as Europe/Lisbon{hint}")
    return ZoneInfo(text)


@cache
def zone_names() -> frozenset[str]:
    """The zones that this system knows (its own database, or that of the package tzdata)."""
    return frozenset(available_timezones()) - _NO_ZONES


@lru_cache(maxsize=65536)
def _of_number(number: str) -> str | None:
    """By Google's metadata of numbering plans (https://github.com/google/libphonenumber)."""
    try:
        zones = timezone.time_zones_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None
    return zones[0] if len(zones) == 1 and zones[0] in zone_names() else None
