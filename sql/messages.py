"""What the sending half of the store is given, and what it answers."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

Told = tuple[str, str, str | None, str | None]
#: An account of a client: client, account, sends a second, burst, calls at once.
Lane = tuple[str, str, float | None, int, int]


class LaneReport(NamedTuple):
    """How an account did in calls that were under way together: whether one `passed`, whether any `failed`, by a `fault` of
    its own (credentials, settings); for how many seconds it asks to `pause`; the error in words (`trouble`); how many
    seconds ago the latest call began (`age`); and whether one was the `probe` of an account that had failed."""

    lane: str
    passed: bool = False
    failed: bool = False
    fault: bool = False
    pause: float | None = None
    trouble: str | None = None
    age: float = 0.0
    probe: bool = False


class NewMessage(NamedTuple):
    r"""A request to be accepted, with its first route. `fingerprint` in hexadecimal digits; `state` is `queued`, or
    `failed` (with its `error`) where it can never be sent; `handles` are pairs of a channel and the address on it (kind,
    \x1f, value), and `user` and the service's own id; `key`: that of its request, under which a second one is the first."""

    client_id: str
    message_id: str
    priority: int
    due_at: datetime | None
    not_before: datetime | None
    expires_at: datetime | None
    channel: str
    account: str
    state: str
    error: dict[str, Any] | None
    request: dict[str, Any]
    fingerprint: str
    handles: list[tuple[str, str]]
    key: str | None = None


class Verdict(NamedTuple):
    """What became of a request: `fresh`, or one that was accepted before, `same` or under another body. `message_id`: of the
    message that was first taken under its key, where that is another than the request names."""

    fresh: bool
    same: bool
    message_id: str | None = None


class Remembered(NamedTuple):
    """The answer to a request under its Idempotency-Key. `several`: it asked for several messages."""

    client_id: str
    key: str
    fingerprint: bytes
    status: int
    answer: bytes
    several: bool = False


#: What to remember of the verdicts on messages.
Answer = Callable[[list[Verdict]], Sequence[Remembered]]


class KeyTaken(Exception):
    """A request for another message, or for others, was taken under this key."""


class InFlight(Exception):
    """A request with this Idempotency-Key is being answered just now."""


@dataclass(slots=True, kw_only=True)
class Settled:
    """What came of a claim. `due_in`: seconds until the message is due again; `outcome`: of its attempt, None where none was
    made; `status`: the provider's answer; `doubted`: a repeat with the same key is under way; `checks`: how often the provider
    has been asked about an unanswered call."""

    id: str
    claim: int
    state: str
    due_in: float | None
    tries: int
    channel: str
    account: str
    tried: list[str]
    cause: str | None = None
    error: dict[str, Any] | None = None
    provider_message_id: str | None = None
    outcome: str | None = None
    status: int | None = None
    doubted: bool = False
    checks: int = 0
