"""Times and ages as options of commands give them."""

import re
from datetime import UTC, datetime, timedelta

from app.cli.support.terminal import MISUSED, print_error

_AGE = re.compile(r"(\d{1,6})([smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
#: What an option that takes a time says of it: one that has passed, and one that is to come.
FORMS = "90s, 30m, 2h, 7d, or a time such as 2026-11-29T12:00:00Z"
SINCE = "a day such as 2026-11-29, a time such as 2026-11-29T12:00, or 7d for seven days ago"
AHEAD = "2h, 90d, 4w, a day such as 2027-01-31, or a time (RFC 3339)"


def age(text: str) -> timedelta | None:
    """Return an age such as `2h`; None for anything else."""
    match = _AGE.fullmatch(text.strip())
    return timedelta(**{_UNITS[match[2]]: int(match[1])}) if match else None


def time_given(option: str, text: str | None, now: datetime) -> datetime | None:
    """Return the time that an option names, as `time_of` does; None without the option."""
    return None if text is None else time_of(option, text, now)


def time_of(option: str, text: str, now: datetime, forms: str = FORMS) -> datetime:
    """Return the time that an option names: so long before `now`, or a time (RFC 3339; UTC if it has no offset). Ends the command
    (SystemExit 2) for anything else, with the forms that it may have."""
    try:
        before = age(text)
        return moment(text) if before is None else now - before
    except (ValueError, OverflowError):
        raise SystemExit(print_error(f"{option} {text} is no time: write {forms}.", MISUSED)) from None


def time_ahead(text: str, now: datetime) -> datetime | None:
    """Return the time that an option names: so long after `now`, or a day or time (UTC if it has no offset). None for one that has
    passed, and for anything else."""
    try:
        after = age(text)
        at = moment(text) if after is None else now + after
    except (ValueError, OverflowError):
        return None
    return at if at > now else None


def moment(text: str) -> datetime:
    """Return a time, or a day's beginning, in UTC, which it is in where it has no offset. Raises ValueError or OverflowError."""
    at = datetime.fromisoformat(text.strip())
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(UTC)
