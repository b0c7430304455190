"""An adapter as a value: what Threadline knows of one provider, and what it can do with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from adapters.contract.outcomes import Found, Outcome, Response
from adapters.contract.receiving import Answer, Normalized, Once, Request
from adapters.contract.sending import HttpCall, Message, Outgoing
from adapters.contract.settings import Setting, Values
from schemas.events import Event


class Verify(Protocol):
    """Checks that a request is authentic."""

    def __call__(self, request: Request, values: Values, *, fresh: bool = True) -> bool | None:
        """Return True if the signature is valid, None if nothing is configured to check it. Raise InvalidSignature.

        `fresh=False` skips the check of the signature's age, for a stored webhook that is read again.
        """
        ...


def no_answer_body(request: Request) -> Answer:
    """Return the default answer to a webhook: 200 with an empty body."""
    return Answer()


def no_handshake(request: Request, values: Values) -> Answer | None:
    """Return None: the provider has no handshake."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """The capability to send several unrelated messages in one call. Raises ValueError for a size below two."""

    #: Messages in one call, at most.
    size: int
    #: Makes one call of several, each as `build_request` made it, all with one account, method, URL and headers.
    build: Callable[[Sequence[HttpCall]], HttpCall]
    #: Reads the response to `count` messages: one outcome each, in their order, or an empty list if the provider took
    #: none of them and each may succeed in a call of its own. Never raises.
    read: Callable[[Response, int], list[Outcome]]

    def __post_init__(self) -> None:
        _require(self.size > 1, "a batch has room for two messages at least")


@dataclass(frozen=True, slots=True, kw_only=True)
class LookUp:
    """The capability to ask the provider whether it accepted a message. Raises ValueError for a negative delay."""

    #: Seconds after a call by which the provider's records surely show what it accepted.
    after: float
    #: Builds the query. The datetime is when the earliest unanswered call began. Raises Unsendable.
    build: Callable[[Message, Values, datetime], HttpCall]
    #: Reads the response to the query; a record of another message counts as none. Never raises.
    read: Callable[[Response, Message], Found]

    def __post_init__(self) -> None:
        _require(self.after >= 0, "a look-up cannot precede its call")


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """The capability to get an access token (OAuth 2), which `build_request` then finds in the values as `access_token`."""

    #: Builds the token request; the datetime is the present. Raises Unsendable.
    build: Callable[[Values, datetime], HttpCall]
    #: Reads the token and the seconds for which it is valid; None if none was granted. Never raises.
    read: Callable[[Response], tuple[str, float] | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Erase:
    """The capability to have erased what the provider keeps of a person. Raises ValueError for fields that contradict each other."""

    #: What is named in a request: the person's addresses of these kinds; empty: the provider's ids of the person's messages.
    kinds: frozenset[str] = frozenset()
    #: Most names of one request.
    most: int = 1
    #: Builds the request. Raises Unsendable.
    build: Callable[[Sequence[str], Values], HttpCall]
    #: Reads the response: accepted, or why not. What is erased already counts as accepted. Never raises.
    read: Callable[[Response], Outcome]

    def __post_init__(self) -> None:
        _require(self.most >= 1, "a request names at least one address or message")


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """The capability to send. Raises ValueError for fields that contradict each other."""

    #: Channels that it sends by.
    channels: frozenset[str]
    #: Builds the request for one message; the datetime is the present, in UTC. Raises Unsendable.
    build_request: Callable[[Message, Values, datetime], Outgoing]
    #: Reads the provider's response. Never raises.
    read_response: Callable[[Response], Outcome]
    #: Seconds for which the provider takes a repeated request with the same `message_id` for the same message; 0 if never.
    idempotent_for: float = 0.0
    #: Whether the recipient chose the server that is called (Web Push), so that its failures are not the account's.
    calls_recipient: bool = False
    batch: Batch | None = None
    look_up: LookUp | None = None
    token: Token | None = None

    def __post_init__(self) -> None:
        _require(bool(self.channels), "an adapter that sends has a channel to send by")
        _require(self.idempotent_for >= 0, "idempotent_for is a number of seconds")


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """One provider: pure functions without network, clock or environment. Raises ValueError for fields that contradict
    each other."""

    #: The provider's name in configuration, and that of its package in `adapters/`.
    name: str
    #: The provider's name as people write it.
    title: str
    #: URL of the provider's page about its webhooks, or about its API if it posts none.
    docs: str
    #: Channels on which it receives or sends.
    channels: frozenset[str]
    #: Types of events that its webhooks become, each covered by a fixture; empty if it posts no webhooks.
    events: frozenset[str]
    #: How its webhooks are verified, in a few words for a table.
    signature: str
    #: Whether the signature covers the whole body, so that a change of any byte must be refused.
    signs_body: bool
    settings: tuple[Setting, ...]
    #: Whether a request without a source in its URL is this provider's. Cheap, headers first; never claims another
    #: provider's request; never raises.
    recognise: Callable[[Request], bool]
    verify: Verify
    #: Reads the request's events. Raises Unprocessable if none of it can be read, TooMuch if it makes too many.
    normalize: Callable[[Request], Normalized]
    #: Makes the answer to a webhook that was stored.
    answer: Callable[[Request], Answer] = no_answer_body
    #: Answers a handshake, which is not stored; None if the request is none. Raises InvalidSignature if the provider does
    #: not know the configured secret, Unconfigured if no secret is configured.
    handshake: Callable[[Request, Values], Answer | None] = no_handshake
    #: Reads the single-use token of a verified request whose signature does not cover its body; None if it does cover it.
    #: Never raises. None in place of the function if the provider signs no such token.
    once: Callable[[Request], Once | None] | None = None
    #: Channels on which `provider_message_id` of an outbound event is the id of a job with several recipients (`to`, `cc`,
    #: a batch, a multicast), so that id and recipient together are one message.
    job_ids: frozenset[str] = frozenset()
    #: The provider's documented words (`providerStatus`) that become `ProviderEventReceived` on purpose, so that they are not
    #: counted as unknown.
    unmapped: frozenset[str] = frozenset()
    #: How it sends; None if it only receives.
    send: Send | None = None
    #: How it is asked to erase; None if it has no way to be asked.
    erase: Erase | None = None

    def __post_init__(self) -> None:
        _require(self.name.isidentifier(), f"{self.name!r} cannot name a package")
        _require(bool(self.title and self.signature), f"{self.name} needs a title and words for its signature")
        _require(bool(self.channels), f"{self.name} has no channel")
        _require(self.sends <= self.channels, f"{self.name} sends by a channel that it does not have")
        _require(self.job_ids <= self.channels, f"{self.name} has ids of jobs on a channel that it does not have")
        _require(bool(self.events or self.send), f"{self.name} neither receives nor sends")
        _require(bool(self.events) or not self.signs_body, f"{self.name} posts no webhooks, so it signs none")
        _require(
            self.once is None or not self.signs_body, f"{self.name} signs the body, so it needs no single-use token"
        )
        names = [name for setting in self.settings for name in (setting.name, *setting.aliases)]
        _require(len(names) == len(set(names)), f"{self.name} has two settings of one name")

    @property
    def sends(self) -> frozenset[str]:
        """The channels that it sends by; empty if it only receives."""
        return self.send.channels if self.send is not None else frozenset()


def names_a_job(event: Event, job_ids: frozenset[str]) -> bool:
    """Return whether the event's provider message id is that of a job, by the adapter's `job_ids`. Inbound messages are one
    each; an event that names no channel may be of any."""
    return (
        bool(job_ids)
        and event.provider_message_id is not None
        and event.direction != "inbound"
        and (event.channel is None or event.channel in job_ids)
    )


def _require(holds: bool, otherwise: str) -> None:
    """Raise ValueError with the message unless the condition holds."""
    if not holds:
        raise ValueError(otherwise)
