"""Time zones by name, and the zone of a recipient with how it is known. Pure.

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
#: Longest text that names like it are looked for: the longest zone has 32 characters.
_LONGEST = 64


@dataclass(frozen=True, slots=True)
class Zone:
    """A zone by its IANA name, and what told it."""

    name: str
    known_from: KnownFrom


def zone_of(requested: str | None, profile: str | None, handle: Handle | None, client: str | None) -> Zone | None:
    """The zone by whose wall clock the windows are read: the first of the request's, that of the recipient's profile,
    that of a phone number that has one zone only, and the client's.

    None where nobody tells one, and where the first that is told is a name that this system has not: what was meant is
    not known then, and the next would be a guess.
    """
    told: tuple[tuple[KnownFrom, str | None], ...] = (
        ("request", requested),
        ("profile", profile),
        ("phone number", _of_number(handle.value) if handle is not None and handle.kind == "phone" else None),
        ("client", client),
    )
    for known_from, name in told:
        if name is not None:
            return Zone(name, known_from) if name in zone_names() else None
    return None


def zone_named(text: str, path: str = "$") -> ZoneInfo:
    """The zone of that name. Raises SchemaError at `path`, with names that may have been meant."""
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
    """The zones that this system has; none where it has neither files of its own nor the package `tzdata`."""
    return frozenset(available_timezones()) - _NO_ZONES


@cache
def _meant() -> dict[str, str]:
    """What people may write for a zone, in lower case: its name, or its city alone. Not those of `Etc/`, whose signs
    are the other way round than people think (Etc/GMT+2 is two hours behind)."""
    places = sorted(name for name in zone_names() if not name.startswith("Etc/"))
    return {_folded(name.rpartition("/")[2]): name for name in places} | {_folded(name): name for name in places}


def _folded(text: str) -> str:
    return text.strip().replace(" ", "_").lower()


@lru_cache(maxsize=65536)
def _of_number(number: str) -> str | None:
    """By the prefixes of libphonenumber (https://github.com/google/libphonenumber/blob/master/FAQ.md)."""
    try:
        zones = timezone.time_zones_for_number(phonenumbers.parse(number))
    except phonenumbers.NumberParseException:
        return None
    return zones[0] if len(zones) == 1 and zones[0] != timezone.UNKNOWN_TIMEZONE else None
