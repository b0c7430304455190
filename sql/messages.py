"""The types that the sending half of the store takes and returns."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from schemas.events import Event, Handle

#: An account of a client: client, account, sends a second, burst, calls at once.
Lane = tuple[str, str, float | None, int, int]


class Reference(NamedTuple):
    """A name of a message on which a provider reported: our id, or else the provider's id and, if that is the id of a job
    with several recipients, the recipient."""

    client: str
    provider: str
    message_id: str | None = None
    provider_message_id: str | None = None
    recipient: Handle | None = None


def references_of(event: Event, client: str) -> list[Reference]:
    """Return the names of the event's message: by our id, by the provider's, or by neither."""
    provider, found = event.provider or event.source, []
    if ours := event.message_id or event.echoed_message_id:
        found.append(Reference(client, provider, ours))
    if event.provider_message_id:
        recipient = event.handle if event.per_recipient else None
        found.append(Reference(client, provider, None, event.provider_message_id, recipient))
    return found


class LaneReport(NamedTuple):
    """How an account did in calls that were under way together: whether a call `passed`; whether one `failed`, and whether by a `fault`
    of the account itself (credentials, settings); for how many seconds it asks to `pause`; the error in words (`trouble`); how many
    seconds ago the latest call began (`age`); and whether a call was the `probe` of an account that had failed."""

    lane: str
    passed: bool = False
    failed: bool = False
    fault: bool = False
    pause: float | None = None
    trouble: str | None = None
    age: float = 0.0
    probe: bool = False


class NewMessage(NamedTuple):
    r"""A message to be accepted, with its first route. `event`: the event of its acceptance; `received_at`: when the request came;
    `lane`: the lane of its account, as configured now (None: it has no account); `fingerprint`: in hexadecimal digits; `state`: `queued`,
    or `failed` (with its `error`) if it can never be sent; `handles`: pairs of a channel and the address on it, as it is dialled, or of
    `user` and the service's own id; `key`: the idempotency key of its request (a second request with the same key gets the answer to the
    first); `trace`: the `traceparent` of the request, if that is traced."""

    event: Event
    received_at: datetime
    lane: Lane | None
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
    handles: list[tuple[str, Handle]]
    key: str | None = None
    trace: str | None = None


class Accepted(NamedTuple):
    """Whether a request was accepted now (`fresh`) or before; if before, whether it had the `same` body. `message_id`: the id of the
    message that was first accepted under the request's key, if the request names another id."""

    fresh: bool
    same: bool
    message_id: str | None = None


class KeptAnswer(NamedTuple):
    """The answer to keep for a request's Idempotency-Key. `several`: the request asked for several messages; `places`: the places of its
    messages among those that are accepted together."""

    client_id: str
    key: str
    fingerprint: bytes
    status: int
    answer: bytes
    several: bool = False
    places: range = range(0)


class Recalled(NamedTuple):
    """The answer that was kept for an Idempotency-Key. `same`: whether it answered an equal request. Once a customer was erased to whom
    one of the request's messages went, `answer` is None and the requests cannot be compared."""

    same: bool
    status: int
    answer: bytes | None


#: Makes the answers to store, from the results of accepting the messages.
Answer = Callable[[list[Accepted]], Sequence[KeptAnswer]]


class KeyTaken(Exception):
    """The key was used for another message, or for several."""


class InFlight(Exception):
    """Another transaction is answering a request with this Idempotency-Key."""


@dataclass(slots=True, kw_only=True)
class Settled:
    """The outcome of a claim. `due_in`: seconds until the message is due again; `outcome`: the outcome of its attempt, None if no attempt
    was made; `status`: the status of the provider's answer; `doubted`: a repeat with the same key is under way; `checks`: how often the
    provider has been asked about an unanswered call; `recipient`: the message's client and first address, if an event that is written
    with the outcome has that address (None: both are looked up)."""

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
    recipient: tuple[str, Handle] | None = None
