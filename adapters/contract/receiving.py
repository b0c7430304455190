"""Receiving: the request that an adapter reads, the events and answers that it returns, and the errors that it raises."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self, SupportsIndex, TypeVar

from schemas.events import Event

#: Events that one webhook may make, and items of it that may be unprocessable: five times the largest batch that a
#: provider documents (1,000 recipients or events), and at 25 µs each half of the time that a record may take.
MAX_EVENTS = 5000
#: Characters of an id, as the schemas have it; the longest known is WhatsApp's with some 130.
MAX_ID = 512
T = TypeVar("T")


class InvalidSignature(Exception):
    """The request is not authentic. The message says why, for the operator only."""


class Unconfigured(InvalidSignature):
    """Nothing is configured to tell whether it is authentic, and it must not pass without."""


class Needed(InvalidSignature):
    """Whether it is authentic can be told once what is at `url` is there, in `Request.parsed["fetched"]` (a mapping of
    URL to bytes, None where there is nothing). The door fetches it and asks again; an adapter has no network."""

    def __init__(self, url: str) -> None:
        super().__init__(f"what is at {url} is needed to tell")
        self.url = url


class Unprocessable(Exception):
    """The request, or one item of it, cannot be understood, and never will be. The message says why."""


class TooMuch(Exception):
    """A webhook makes more events than any provider's does. Not an Unprocessable, which spares an item's neighbours."""


@dataclass(slots=True)
class Request:
    """One HTTP request as the provider sent it.

    `url` is the public one (scheme, host, path, query), as the provider knows it; header names are lower case;
    `body` is the raw bytes; `received_at` (aware, UTC) is the only clock an adapter has;
    `source` is the configured name under which its events are recorded.
    `parsed` holds what `adapters.reading.bodies` has read of the body, so that it is read once.
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
    """What the provider expects to hear. Of a handshake, `visit` is the provider's own address to be fetched before."""

    status: int = 200
    body: bytes = b""
    content_type: str = "text/plain; charset=utf-8"
    visit: str | None = None


class Bounded(list[T]):
    """A list of at most `MAX_EVENTS` items: one more raises TooMuch, as it is added, before its neighbours are made."""

    __slots__ = ()

    def append(self, item: T, /) -> None:
        """Add one."""
        if len(self) >= MAX_EVENTS:
            raise TooMuch(f"makes more than {MAX_EVENTS} events")
        super().append(item)

    def extend(self, items: Iterable[T], /) -> None:
        """Add several, one by one, as they may be made while they are added."""
        for item in items:
            self.append(item)

    def __iadd__(self, items: Iterable[T], /) -> Self:  # type: ignore[override, misc]
        self.extend(items)
        return self

    def insert(self, at: SupportsIndex, item: T, /) -> None:
        """Add one in a place."""
        if len(self) >= MAX_EVENTS:
            raise TooMuch(f"makes more than {MAX_EVENTS} events")
        super().insert(at, item)


@dataclass(slots=True)
class Normalized:
    """The events of one webhook, and the items of it that could not be understood, each with its reason.

    One bad item must not hold up its neighbours, so it is returned, not raised. Raises TooMuch for more than
    `MAX_EVENTS` of either.
    """

    events: list[Event] = field(default_factory=Bounded)
    unprocessable: list[tuple[Any, str]] = field(default_factory=Bounded)

    def __post_init__(self) -> None:
        for name in ("events", "unprocessable"):
            if not isinstance(items := getattr(self, name), Bounded):
                bounded: Bounded[Any] = Bounded()
                bounded.extend(items)
                setattr(self, name, bounded)


@dataclass(frozen=True, slots=True)
class Once:
    """Of a request whose signature does not cover its body: what is signed (`token`, 16 bytes), what it came with (`digest`,
    16 bytes, the same for a redelivery), and until when the signature holds. A token comes with one digest only."""

    token: bytes
    digest: bytes
    until: datetime
