"""Reads and validates query parameters; an error names the parameter."""

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

from starlette.requests import Request

from app.api.cursors import decode_page, encode_page
from app.http.problems import Problem
from schemas.events import CHANNELS, DIRECTIONS

LIMIT, LIMIT_MAX = 50, 200
#: The query parameters of a timeline.
PARAMETERS = ("channel", "direction", "status", "since", "until", "limit", "cursor")
#: The values of an interaction's `status` and `delivery`, as the table `interactions` derives both from the facts.
STATUSES = ("received", "processing", "completed")
DELIVERIES = (
    "requested",
    "held",
    "queued",
    "sent",
    "delayed",
    "delivered",
    "failed",
    "bounced",
    "rejected",
    "cancelled",
    "expired",
    "started",
    "recorded",
    "received",
    "completed",
)

#: RFC 3339 section 5.6. The offset is required here; `datetime.fromisoformat` does not require it.
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d+)?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
#: `+` in a query means a space; a space before an offset was a plus.
_LOST_PLUS = re.compile(r" (?=\d\d:\d\d\Z)", re.ASCII)


@dataclass(frozen=True, slots=True)
class Page:
    """The requested interactions of a customer: `since` inclusive, `until` exclusive, after the key `after`."""

    channel: str | None
    direction: str | None
    status: str | None
    delivery: str | None
    since: datetime | None
    until: datetime | None
    limit: int
    after: tuple[datetime, UUID] | None
    question: str

    def cursor(self, timestamp: datetime, id: UUID) -> str:
        """Return the cursor of the page after the row with this key."""
        return encode_page(timestamp, id, self.question)


def read(request: Request, known: Collection[str]) -> dict[str, str]:
    """Return the query's parameters. Raises Problem 400 for one that is repeated or not in `known`."""
    values: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        if name not in known:
            raise refusal(name, f"There is no parameter {name!r} here. The known ones: {', '.join(known) or 'none'}.")
        if name in values:
            raise refusal(name, f"{name!r} is given twice; give it once.")
        if "\x00" in value:
            raise refusal(name, f"{name!r} has a NUL character in it.")
        values[name] = value
    return values


def page(request: Request, *, client: str, customer: str) -> Page:
    """Return the page that the query asks for. Raises Problem 400, with the parameter at fault."""
    given = read(request, PARAMETERS)
    channel = one_of(given, "channel", CHANNELS)
    direction = one_of(given, "direction", DIRECTIONS)
    state = one_of(given, "status", tuple(dict.fromkeys((*STATUSES, *DELIVERIES))))
    since, until = time_in(given, "since"), time_in(given, "until")
    filters = (channel, direction, state, since and since.isoformat(), until and until.isoformat())
    question = "\x1f".join((client, customer, *(part or "" for part in filters)))
    after = after_in(given, question)
    return Page(
        channel=channel,
        direction=direction,
        status=state if state in STATUSES else None,
        # Two values are in both lists; there `status` is meant.
        delivery=state if state not in STATUSES else None,
        since=since,
        until=until,
        limit=limit_of(given),
        after=after,
        question=question,
    )


def after_in(given: Mapping[str, str], question: str) -> tuple[datetime, UUID] | None:
    """Return the key in the cursor of a page, None without one. Raises Problem 400 if it is not of this query."""
    if "cursor" not in given:
        return None
    try:
        return decode_page(given["cursor"], question)
    except ValueError as error:
        raise refusal("cursor", f"cursor: {error}. Begin again without it.") from error


def refusal(parameter: str, detail: str) -> Problem:
    """Return the problem of an invalid parameter."""
    return Problem(400, detail, parameter=parameter)


def one_of(given: Mapping[str, str], name: str, allowed: Sequence[str]) -> str | None:
    """Return the value of a parameter that has certain values, None if it is not given. Raises Problem 400."""
    value = given.get(name)
    if value is not None and value not in allowed:
        raise refusal(name, f"{name} is one of: {', '.join(allowed)}.")
    return value


def time_in(given: Mapping[str, str], name: str) -> datetime | None:
    """Return the time in a parameter, None if it is not given. Raises Problem 400."""
    value = given.get(name)
    return None if value is None else time_of(name, value)


def time_of(name: str, value: str) -> datetime:
    """Return the time that a text says. Raises Problem 400, which names the parameter."""
    text = _LOST_PLUS.sub("+", value)
    try:
        if not _RFC3339.fullmatch(text):
            raise ValueError
        # Upper case: `fromisoformat` does not read a lower-case z before Python 3.12.
        return datetime.fromisoformat(text.upper()).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise refusal(name, f"{name} is an RFC 3339 time with its zone, like 2026-02-03T04:05:06Z.") from error


def limit_of(given: Mapping[str, str]) -> int:
    """Return the requested number of rows. Raises Problem 400."""
    text = given.get("limit", str(LIMIT))
    if not re.fullmatch(r"[0-9]{1,4}", text) or not 1 <= int(text) <= LIMIT_MAX:
        raise refusal("limit", f"limit is a whole number from 1 to {LIMIT_MAX}.")
    return int(text)
