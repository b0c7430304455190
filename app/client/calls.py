"""A request of the API with the type of its answer, and when a request is repeated. Pure."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar
from urllib.parse import quote
from uuid import uuid4

Answer = TypeVar("Answer")

#: Statuses that may pass: too many requests, and a server or proxy that cannot answer now.
RETRYABLE = frozenset({429, 502, 503, 504})
#: A request under the same idempotency key is in progress; repeated only if the answer says when.
IN_PROGRESS = 409
#: Methods that may be repeated as they are (RFC 9110 section 9.2.2).
_IDEMPOTENT = frozenset({"GET", "PUT", "DELETE"})
#: Seconds before the first repetition, and the most before any.
FIRST, LONGEST = 0.5, 30.0
#: Seconds without a word after which a stream counts as broken: it says something every 15 seconds.
PATIENCE = 60.0


@dataclass(frozen=True, slots=True)
class Call(Generic[Answer]):
    """A request. `keyed`: it takes an idempotency key, by which it may be repeated; `raw`: its answer is bytes, not JSON;
    `safe`: its maker states that it may be repeated."""

    method: str
    path: str
    query: Mapping[str, Any] = field(default_factory=dict)
    body: Any = None
    idempotency_key: str | None = None
    keyed: bool = False
    raw: bool = False
    safe: bool = False

    @property
    def headers(self) -> dict[str, str]:
        """The headers of this request alone."""
        return {} if self.idempotency_key is None else {"idempotency-key": self.idempotency_key}

    @property
    def parameters(self) -> dict[str, Any]:
        """The query's parameters that were given."""
        return {name: value for name, value in self.query.items() if value is not None}

    @property
    def repeatable(self) -> bool:
        """Whether a second such request changes nothing more than the first."""
        return self.safe or self.method in _IDEMPOTENT or self.idempotency_key is not None

    def with_key(self) -> "Call[Answer]":
        """Return the request with an idempotency key, a new one unless it has one, if it takes any."""
        return replace(self, idempotency_key=str(uuid4())) if self.keyed and self.idempotency_key is None else self

    def after(self, cursor: str | int) -> "Call[Answer]":
        """Return the request for the page after a cursor, or below a version."""
        return replace(self, query={**self.query, "before" if "before" in self.query else "cursor": cursor})


def credentials(key: str, client: str | None) -> dict[str, str]:
    """Return the headers of each request: the key, or a token, and the client that they name. Raises ValueError for a client that no
    header can name."""
    named = {} if client is None else {"threadline-client": client}
    if client is not None and not client.isascii():
        raise ValueError("a client id that a request names is of ASCII characters")
    return {"authorization": f"Bearer {key}", **named}


def part(value: object) -> str:
    """Return a value as one segment of a path."""
    return quote(str(value), safe="")


def pause(
    call: Call[Any], tries: int, status: int | None = None, retry_after: str | None = None, *, longest: float = LONGEST
) -> float | None:
    """Return the seconds to wait before the next try after so many tries, or None if the request must not be repeated.

    `status` is None where there was no answer. `retry_after` is the header (RFC 9110 section 10.2.3); a longer wait than
    `longest` is cut to it. Without the header the wait is random, below a bound that doubles with each try.
    """
    if not call.repeatable:
        return None
    in_progress = status == IN_PROGRESS and retry_after
    if status is not None and status not in RETRYABLE and not in_progress:
        return None
    asked = _seconds(retry_after)
    if asked is not None:
        return min(longest, asked)
    bound: float = min(longest, FIRST * 2.0 ** min(tries - 1, 10))
    return random.uniform(bound / 2, bound)  # noqa: S311  # spreads callers; nothing is secret


def _seconds(retry_after: str | None) -> float | None:
    if not retry_after:
        return None
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        at = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):  # the second: of a year or a zone that no machine's number holds
        return None
    return max(0.0, ((at if at.tzinfo else at.replace(tzinfo=UTC)) - datetime.now(UTC)).total_seconds())
