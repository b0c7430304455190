"""What the sending half of the store is given, and what it answers."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, NamedTuple

Told = tuple[str, str, str | None, str | None]
#: How an account did: lane, whether a call passed, how many failed, seconds of rest that it asked for, words.
Health = tuple[str, bool, int, float | None, str | None]
#: An account of a client: client, account, sends a second, burst, calls at once.
Lane = tuple[str, str, float | None, int, int]


class NewMessage(NamedTuple):
    r"""A request to be accepted, with its first route. `fingerprint` in hexadecimal digits; `state` is `queued`, or
    `failed` (with its `error`) where it can never be sent; `handles` are pairs of a channel and the address on it (kind,
    \x1f, value), and `user` and the service's own id."""

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


class Verdict(NamedTuple):
    """What became of a request: `fresh`, or one that was accepted before, `same` or under another body."""

    fresh: bool
    same: bool


class Remembered(NamedTuple):
    """The answer to a request under its Idempotency-Key."""

    client_id: str
    key: str
    fingerprint: bytes
    status: int
    answer: bytes


#: What to remember of the verdicts on messages.
Answer = Callable[[list[Verdict]], Sequence[Remembered]]


class InFlight(Exception):
    """A request with this Idempotency-Key is being answered just now."""


class Settled(NamedTuple):
    """What came of a claim. `due_in`: seconds until it is due again; `outcome`: of its attempt, None where none was made;
    `status`: the provider's answer; `doubted`, `checks`: whether it may have been taken, and which
    time the provider is asked next."""

    id: str
    claim: int
    state: str
    due_in: float | None
    tries: int
    channel: str
    account: str
    tried: list[str]
    cause: str | None
    error: dict[str, Any] | None
    provider_message_id: str | None
    outcome: str | None
    status: int | None
    doubted: bool = False
    checks: int = 0
