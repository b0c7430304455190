"""The contract of simulated providers: the value `SIMULATOR` of each `adapters/<name>/simulator.py`, and its types.

A simulator plays one provider towards Threadline, written from the provider's documentation. It shares no code with the
adapter, so that each checks the other. It accepts sends as the provider's API does, answers as the API does, and builds
the webhooks that report what became of a message, in the provider's format and signed by the provider's scheme.
A simulator is pure: no network, no clock.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

#: Why an API call is refused: rate limit, bad recipient or content, wrong credentials, provider out of order.
Refusal = Literal["rate", "invalid", "unauthorized", "unavailable"]
#: A source's settings by name, as its adapter declares them. For public-key schemes `private_key` too, in PEM.
Settings = Mapping[str, str]


@dataclass(slots=True)
class Call:
    """A request to the provider's API. `path` includes the query; header names are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Reply:
    """The API's response."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})


@dataclass(slots=True)
class Sent:
    """A message that the provider accepted. Addresses are in our format: `+15551234567`, `ana@example.com`,
    `telegram:12345`. `extra` is for the simulator's own use. A message of a batch that the provider did not accept has
    `refused`: the response names it, and no webhook follows."""

    id: str
    channel: str
    to: str
    sender: str
    text: str | None = None
    reference: str | None = None
    callback_url: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
    refused: Refusal | None = None


@dataclass(slots=True)
class Incoming:
    """A message from a customer: `sender` is the customer's address, `to` is ours; in the format of `Sent`."""

    id: str
    channel: str
    sender: str
    to: str
    text: str


@dataclass(slots=True)
class Post:
    """A webhook, to be posted to `url`. A signature scheme may add to the URL. Header names are in lower case, except
    those that `sign` adds, which are as the provider writes them."""

    url: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"


class Refused(Exception):
    """The provider's API refuses the call."""

    def __init__(self, why: Refusal, text: str = "") -> None:
        super().__init__(text or why)
        self.why = why


@dataclass(frozen=True, slots=True, kw_only=True)
class Statuses:
    """The webhooks that report the state of a sent message."""

    #: Event types that the webhooks report, in the order of a message's life: first those of a message that arrives
    #: (`UserMessageSent`, `MessageDelivered`, `MessageRead`), then the others.
    states: tuple[str, ...]
    #: Builds the unsigned webhook for a state of a message, with the provider's time, to the URL.
    build: Callable[[Sent, str, datetime, str], Post]
    #: States that the provider does not report on a channel, by channel.
    absent: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    #: Whether the webhook names the recipient.
    names_recipient: bool = True

    def on(self, channel: str) -> tuple[str, ...]:
        """Return the states that the provider reports on `channel`."""
        return tuple(state for state in self.states if state not in self.absent.get(channel, ()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhooks:
    """What the provider posts."""

    channels: tuple[str, ...]
    #: Returns the post with its signature for a time; replaces a signature that the post has already.
    sign: Callable[[Post, Settings, datetime], Post]
    statuses: Statuses | None = None
    #: Builds the unsigned webhook of a customer's message, with the provider's time, to the URL.
    inbound: Callable[[Incoming, datetime, str], Post] | None = None
    #: Makes a key pair of a public-key scheme: `private_key`, and the settings that hold the public key.
    keys: Callable[[], dict[str, str]] | None = None

    def states(self, channel: str) -> tuple[str, ...]:
        """Return the states that the provider reports on `channel`; empty if it reports none."""
        return self.statuses.on(channel) if self.statuses is not None else ()


def _unchanged(first: Reply) -> Reply:
    return first


@dataclass(frozen=True, slots=True, kw_only=True)
class Idempotency:
    """How the API recognises a repeated call, which sends nothing."""

    #: Returns the call's idempotency key, or None.
    key: Callable[[Call], str | None]
    #: Makes the response to a repeat from the first response.
    repeat: Callable[[Reply], Reply] = _unchanged


@dataclass(frozen=True, slots=True, kw_only=True)
class Api:
    """The provider's API for sending."""

    #: Returns the messages that a call sends. Their ids are made from the third argument (unique, 32 hexadecimal digits),
    #: as the provider makes its ids. Raises Refused.
    accept: Callable[[Call, Settings, str], list[Sent]]
    #: Returns the response to an accepted call.
    reply: Callable[[list[Sent]], Reply]
    #: Returns the response to a refused call.
    refuse: Callable[[Refusal], Reply]
    idempotency: Idempotency | None = None
    #: Answers a look-up call from the messages accepted so far; None for any other call. Raises Refused.
    look_up: Callable[[Call, Settings, Sequence[Sent]], Reply | None] | None = None
    #: Answers a request for an access token; None for any other call.
    grant: Callable[[Call, Settings], Reply | None] | None = None
    #: Answers a request to erase what is kept of a person; None for any other call. Raises Refused.
    erase: Callable[[Call, Settings], Reply | None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulator:
    """A simulated provider. `webhooks` is None if the provider posts none, `api` if Threadline cannot send by it."""

    webhooks: Webhooks | None = None
    api: Api | None = None
    #: Example addresses of a customer and of ours by channel, for channels where the provider has a format of its own.
    customers: Mapping[str, str] = field(default_factory=dict)
    senders: Mapping[str, str] = field(default_factory=dict)
