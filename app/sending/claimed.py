"""A message that a worker took, what is to be written of it, and which way it may go on. Pure."""

from dataclasses import asdict, dataclass, field
from math import inf
from typing import Any

from app.clients.configured import Client, Retry, Route
from app.sending.decide import routes
from app.sending.requests import Request
from schemas.events import Error, Event
from sql import Settled
from webhooks.backoff import exponential


@dataclass(frozen=True, slots=True)
class Claimed:
    """A message that this worker took: the store's row, read. `ailing`: its account's last call failed; `probe`: it alone
    tries whether the account is well again; `until`: when the worker counts as dead, by its own clock."""

    id: str
    claim: int
    tries: int
    tried: tuple[str, ...]
    was: str
    lane: str
    ailing: bool
    doubted: bool
    checks: int
    channel: str
    account: str
    request: Request
    client: Client
    probe: bool = False
    until: float = inf


@dataclass(frozen=True, slots=True)
class Recourse:
    """What can be done about a call that nobody answered: `repeat` it, which does no harm where the provider has a key of
    the message (`keyed`), and else is its client's wish; ask the provider `ask_after` so many seconds; or neither, and
    somebody has to decide."""

    repeat: bool = False
    keyed: bool = False
    ask_after: float | None = None


@dataclass(slots=True)
class Result:
    """What to write down. `passed` is None where the account was not called, or is not judged by the answer; `fault`: it is
    the account's own that it did not pass; `pause` are the seconds of rest that are asked for; `began`: when the call did,
    by the worker's clock."""

    claimed: Claimed
    settled: Settled
    events: list[Event] = field(default_factory=list)
    passed: bool | None = None
    pause: float | None = None
    trouble: str | None = None
    fault: bool = False
    began: float | None = None


#: No doubt.
CERTAIN = (False, 0)


def following(claimed: Claimed, route: Route) -> Route | None:
    """The route after this one that was not given up, where the request or its client wants one."""
    if not claimed.request.document.get("fallback", _falls_back(claimed.client)):
        return None
    gone = {*claimed.tried, route.channel}
    return next((each for each in routes(claimed.request, claimed.client) if each.channel not in gone), None)


def backoff(retry: Retry, tries: int, jitter: float) -> float:
    """Return the seconds until the next try after `tries`, with full jitter (`jitter` is between 0 and 1)."""
    return exponential(retry.first, retry.longest, tries) * jitter


def _falls_back(client: Client) -> bool:
    return client.fallback.on_failure or client.fallback.after is not None


def settled_as(
    claimed: Claimed,
    route: Route | None,
    state: str,
    due_in: float | None,
    *,
    tries: int | None = None,
    outcome: str | None = None,
    status: int | None = None,
    error: Error | None = None,
    cause: str | None = None,
    their_id: str | None = None,
    doubt: tuple[bool, int] | None = None,
) -> Settled:
    """The state that follows, as the store takes it; by no route: that of before. `doubt`: whether it may have been taken,
    and which time its provider is asked next; else as it was."""
    told: dict[str, Any] | None = asdict(error) if error is not None else None
    channel, account = (claimed.channel, claimed.account) if route is None else (route.channel, route.account)
    return Settled(
        claimed.id, claimed.claim, state, due_in, claimed.tries if tries is None else tries, channel, account,
        list(claimed.tried), cause, told, their_id, outcome, status,
        *((claimed.doubted, claimed.checks) if doubt is None else doubt),
    )  # fmt: skip
