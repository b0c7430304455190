"""The contract of a simulated provider: what its `adapters/<name>/simulator.py` has, and what passes between it and the server.

A module plays one provider towards Threadline from its documentation, and shares no code with the adapter, so that each
checks the other: it takes sends as the provider's API does, answers as it does, and says what becomes of a message in
webhooks of the provider's own form, signed by the provider's scheme. Pure: no network, no clock.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

#: Why an API call is refused: too many, a bad recipient or part, wrong credentials, a fault of the provider.
Refusal = Literal["rate", "invalid", "unauthorized", "unavailable"]
#: A source's settings as its adapter has them; of a public-key scheme `private_key` beside them, in PEM.
Settings = Mapping[str, str]


@dataclass(slots=True)
class Call:
    """A request to the provider's API: `path` with its query, header names in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Reply:
    """The API's answer."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=lambda: {"content-type": "application/json"})


@dataclass(slots=True)
class Sent:
    """A message that the provider took, or made up. Addresses in our spelling: `+15551234567`, `ana@example.com`,
    `telegram:12345`. `extra` is the module's own. One of a batch that it did not take has `refused`: it is answered, and
    nothing becomes of it."""

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
class Said:
    """What a customer sends in: `sender` is the customer, `to` is ours; addresses as in `Sent`."""

    id: str
    channel: str
    sender: str
    to: str
    text: str


@dataclass(slots=True)
class Post:
    """A webhook to be posted to `url` (as the provider was told it; a scheme may change it). Header names are in lower
    case, but of those that `sign` adds, which may be as the provider writes them."""

    url: str
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    method: str = "POST"


class Refused(Exception):
    """The call is not one that the provider takes."""

    def __init__(self, why: Refusal, text: str = "") -> None:
        super().__init__(text or why)
        self.why = why


class Simulated(Protocol):
    """The members of a provider's `simulator` module.

    One of a provider that only receives lacks the last three; one of a provider that posts no webhooks has empty `STATES`,
    and lacks `status` and `sign`; `inbound` is where customers write in. One that sells access tokens has `grant`, which
    answers a call for one, and None to any other. A public-key scheme's has `keys`, which makes a pair (`private_key`, and
    the settings of the public half). One whose API has idempotency keys has `key`, which gives a call's, or None, and
    `repeated` where a repeat is answered otherwise than the first call.
    One that can be asked what it took has `look_up`. `ANONYMOUS` is there where its webhooks do not say whose message they are about;
    `CUSTOMERS` and `SENDERS` (channel to an example's address) where the provider's own form is needed."""

    #: Of what becomes of a message, the event types that its webhooks tell, in the order of a message's life; first
    #: those of a message that arrives (`UserMessageSent`, `MessageDelivered`, `MessageRead`), then the others.
    @property
    def STATES(self) -> tuple[str, ...]: ...

    #: The channels that it can play.
    @property
    def CHANNELS(self) -> tuple[str, ...]: ...

    def status(self, sent: Sent, state: str, at: datetime, url: str) -> Post:
        """The webhook that tells `state` (one of STATES) of a message, unsigned, of the time `at`."""
        ...

    def inbound(self, said: Said, at: datetime, url: str) -> Post:
        """The webhook of a message that came in, unsigned."""
        ...

    def sign(self, post: Post, settings: Settings, at: datetime) -> Post:
        """The same post with its signature, in place of one that it has."""
        ...

    def keys(self) -> dict[str, str]:
        """A new pair of keys, as settings."""
        ...

    def accept(self, call: Call, settings: Settings, id: str) -> list[Sent]:
        """The messages that an API call sends, under ids made of `id` (unique, 32 hexadecimal digits) as the provider
        makes them. Raises Refused."""
        ...

    def look_up(self, call: Call, settings: Settings, sent: Sequence[Sent]) -> Reply | None:
        """The answer to a call that asks for what was taken, of all that was; None to any other call. Raises Refused."""
        ...

    def key(self, call: Call) -> str | None:
        """The call's idempotency key: a repeat under it is answered as the first was, and sends nothing."""
        ...

    def repeated(self, first: Reply) -> Reply:
        """The answer to a repeat, where it is another than the first."""
        ...

    def reply(self, sent: list[Sent]) -> Reply:
        """What the API says to a call that it took."""
        ...

    def refuse(self, why: Refusal) -> Reply:
        """What the API says to one that it did not."""
        ...
