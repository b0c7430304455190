"""Finds time zones by name, and the zone of a recipient. Pure.

The names are those of the IANA time zone database (https://www.iana.org/time-zones), read from the system's files or,
where it has none, from the package `tzdata`.
"""

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
#: Files of the database that name no place.
_NO_ZONES = frozenset({"Factory", "localtime", "posixrules"})
#: Longest text, in characters, for which similar names are looked for: the longest zone has 32.
_LONGEST = 64


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone by its IANA name, and how it is known."""

    name: str
    known_from: KnownFrom


def zone_of(requested: str | None, profile: str | None, handle: Handle | None, client: str | None) -> Zone | None:
    """Return the zone in which the windows are read: the request's, else that of the recipient's profile, else that of
    the phone number if its prefix has only one, else the client's.

    None if no zone is given, or if the first one given is unknown to this system, since the next one would be a guess.
    """
    given: tuple[tuple[KnownFrom, str | None], ...] = (
        ("request", requested),
        ("profile", profile),
        ("phone number", _of_number(handle.value) if handle is not None and handle.kind == "phone" else None),
        ("client", client),
    )
    for known_from, name in given:
        if name is not None:
            return Zone(name, known_from) if name in zone_names() else None
    return None


def zone_named(text: str, path: str = "$") -> ZoneInfo:
    """Return the zone of that name. Raises SchemaError at `path`, which suggests similar names."""
    if text in zone_names():
        return ZoneInfo(text)
    if not zone_names():
        raise SchemaError(
            path, "cannot be looked up: this system has no time zone database; install the package tzdata"
        )
    near = dict.fromkeys(_meant()[one] for one in get_close_matches(_folded(text[:_LONGEST]), _meant(), 5))
    hint = f"; did you mean {' or '.join(list(near)[:3])}?" if near else ""
    raise SchemaError(path, f"must be a name of the IANA time zone database, as Europe/Lisbon{hint}")


@cache
def zone_names() -> frozenset[str]:
    """Return the names of the zones that this system knows: none without zone files or the package `tzdata`."""
    return frozenset(available_timezones()) - _NO_ZONES


@cache
def _meant() -> dict[str, str]:
    """Return the zones by what people may write, in lower case: the name, or the city alone. Without those of `Etc/`, whose
    signs are the opposite of what people expect (Etc/GMT+2 is two hours behind)."""
    places = sorted(name for name in zone_names() if not name.startswith("Etc/"))
    return {_folded(name.rpartition("/")[2]): name for name in places} | {_folded(name): name for name in places}


def _folded(text: str) -> str:
    return text.strip().replace(" ", "_").lower()


@lru_cache(maxsize=65536)
def _of_number(number: str) -> str | None:
    """Return the zone of a phone number's prefix, if it has only one, by libphonenumber
    (https://github.com/google/libphonenumber/blob/master/FAQ.md)."""
    try:
        zones = timezone.time_zones_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None
    return zones[0] if len(zones) == 1 and zones[0] != timezone.UNKNOWN_TIMEZONE else None
