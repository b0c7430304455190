"""Receiving: the request that an adapter reads, the events and answers that it returns, and the errors that it raises."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self, SupportsIndex, TypeVar

from schemas.events import Event

#: Events and unprocessable items in one webhook, at most: five times the largest batch that a provider documents (1,000
#: recipients or events), and at 25 µs each half of the time that a record may take.
MAX_EVENTS = 5000
T = TypeVar("T")


class InvalidSignature(Exception):
    """The request is not authentic. The message says why, for the operator only."""


class Unconfigured(InvalidSignature):
    """No secret is configured to verify the request with, and it must not be accepted unverified."""


class Needed(InvalidSignature):
    """Verification needs the document at `url`. The caller, as an adapter has no network, fetches it into
    `Request.parsed["fetched"]` (a mapping of URL to bytes, None if there is nothing there) and verifies again."""

    def __init__(self, url: str) -> None:
        super().__init__(f"what is at {url} is needed to verify the request")
        self.url = url


class Unprocessable(Exception):
    """The request, or one item of it, cannot be read, and a retry cannot help. The message says why."""


class TooMuch(Exception):
    """A webhook makes more than `MAX_EVENTS` events. Not an Unprocessable, since it refuses the whole webhook and not
    one item."""


@dataclass(slots=True)
class Request:
    """One HTTP request as the provider sent it.

    `url` is the public one (scheme, host, path, query), as the provider knows it; header names are lower case;
    `body` is the raw bytes; `received_at` (aware, UTC) is the only clock an adapter has;
    `source` is the configured name under which its events are recorded.
    `parsed` caches what `adapters.reading.bodies` parsed, so that a body is parsed once.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime
    source: str
    parsed: dict[str, Any] = field(default_factory=dict, init=False, repr=False, compare=False)


@dataclass(slots=True)
class Answer:
    """The HTTP response to a webhook. In a handshake, `visit` is a URL of the provider to fetch before answering."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    visit: str | None = None


class Bounded(list[T]):
    """A list of at most `MAX_EVENTS` items. Adding one more raises TooMuch at once, before further items are made."""

    __slots__ = ()

    def append(self, item: T, /) -> None:
        """Append one item. Raise TooMuch if the list is full."""
        if len(self) >= MAX_EVENTS:
            raise TooMuch(f"makes more than {MAX_EVENTS} events")
        super().append(item)

    def extend(self, items: Iterable[T], /) -> None:
        """Append several one by one, as a generator makes them. Raise TooMuch if the list is full."""
        for item in items:
            self.append(item)

    def __iadd__(self, items: Iterable[T], /) -> Self:  # type: ignore[override, misc]
        self.extend(items)
        return self

    def insert(self, at: SupportsIndex, item: T, /) -> None:
        """Insert one item. Raise TooMuch if the list is full."""
        if len(self) >= MAX_EVENTS:
            raise TooMuch(f"makes more than {MAX_EVENTS} events")
        super().insert(at, item)


@dataclass(slots=True)
class Normalized:
    """The events of one webhook, and its items that cannot be read, each with the reason.

    A bad item is returned and not raised, so that the others are still processed. Raises TooMuch for more than
    `MAX_EVENTS` of either.
    """

    events: list[Event] = field(default_factory=Bounded)
    unprocessable: list[tuple[Any, str]] = field(default_factory=Bounded)

    def __post_init__(self) -> None:
        for name in ("events", "unprocessable"):
            if not isinstance(items := getattr(self, name), Bounded):
                setattr(self, name, _bounded(items))


def _bounded(items: Iterable[Any]) -> Bounded[Any]:
    """Return the items as a bounded list: a list at once, others one by one."""
    if isinstance(items, list) and len(items) <= MAX_EVENTS:
        return Bounded(items)
    bounded: Bounded[Any] = Bounded()
    bounded.extend(items)
    return bounded


@dataclass(frozen=True, slots=True)
class Once:
    """A single-use token, for a request whose signature does not cover its body: a digest of what is signed (`token`, 16
    bytes), a digest of the content (`digest`, 16 bytes, the same in a redelivery), and when the signature expires. A token
    is valid with one digest only."""

    token: bytes
    digest: bytes
    until: datetime
