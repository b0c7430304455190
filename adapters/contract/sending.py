"""What an adapter that sends is given, what it makes of it, and what it reads from the provider's answer.

Pure as all of `adapters/`: `build_request` says what to do, the transport does it, `read_response` says what came of it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, Protocol

from adapters.contract.receiving import Values
from adapters.reading.facts import MAX_ID
from adapters.signing.signatures import secrets_of
from schemas.events import Error, Handle

State = Literal["accepted", "retryable", "rejected", "account", "sender"]


#: RFC 9110 sections 15.5.2 and 15.5.3: no valid credentials, and nothing paid.
_OF_THE_ACCOUNT = (401, 402)


class Unsendable(Exception):
    """This message cannot be sent so, and never could: a part that the provider has no place for.

    The message says what to change. `state`: as of an Outcome.
    """

    state: State = "rejected"


class TooLate(Unsendable):
    """So little of its time is left that the provider would not take it."""


class WrongSetting(Unsendable):
    """No message can be sent so: the account lacks a setting, or has one that cannot be meant."""

    state = "account"


class WrongSender(Unsendable):
    """The sender cannot be one: the account's, or the one that the message names."""

    state = "sender"


@dataclass(frozen=True, slots=True)
class Media:
    """One attachment: where it is, its media type (RFC 6838), its file name."""

    url: str
    type: str | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Template:
    """A template that the provider keeps: its name or id, language (BCP 47), variables by name or by position ("1")."""

    name: str
    language: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Message:
    """One message to one recipient.

    `message_id` is ours, and what the provider is given to echo unless `reference` is set. `subject` is a mail's
    subject, a push's title. `data` is what an app gets beside a push, or a device. `callback_url` is where the
    provider is to post its webhooks, for those that take it by message.
    """

    message_id: str
    channel: str
    to: Handle
    sender: str | None = None
    text: str | None = None
    subject: str | None = None
    html: str | None = None
    media: tuple[Media, ...] = ()
    template: Template | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    reference: str | None = None
    callback_url: str | None = None
    expires_at: datetime | None = None

    @property
    def echo(self) -> str:
        """What the provider is given to echo."""
        return self.reference or self.message_id


@dataclass(slots=True)
class HttpCall:
    """An HTTP request to be made; header names in lower case. `foreign`: the recipient chose its host, so that it goes to
    public addresses only, whoever the account's owner is, and says nothing of the account. `http2`: the provider speaks HTTP/2
    alone; without https it is ignored."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    foreign: bool = False
    http2: bool = False


@dataclass(slots=True)
class Mail:
    """A mail to be handed to an SMTP server: the envelope's addresses, and the message as RFC 5322 has it."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes


@dataclass(slots=True)
class Publish:
    """A message to be published to an MQTT broker, with MQTT 5's user properties."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    properties: dict[str, str] = field(default_factory=dict)


Outgoing = HttpCall | Mail | Publish


@dataclass(slots=True)
class Response:
    """What the provider answered. Of SMTP the status is its reply code; of MQTT its reason code."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class Outcome:
    """What became of it.

    `accepted`, with the provider's id where it gives one; `retryable`: the same may pass later (`retry_after` seconds
    where the provider says); `rejected`: it never will; `account`: it is the account's fault (credentials, permissions,
    settings, credit), and the same passes once that is mended; `sender`: the one who is to send is none that the account
    may send as, whose fault it is unless the message names that sender. `error` is set unless it was accepted.
    """

    state: State
    provider_message_id: str | None = None
    error: Error | None = None
    retry_after: float | None = None


@dataclass(slots=True)
class Found:
    """What the provider's records say of a message that was sent without an answer: whether it took it (None: the records
    could not be read), and its id there."""

    taken: bool | None
    provider_message_id: str | None = None


class Sender(Protocol):
    """What an adapter with `SENDS` has beside the members of `Adapter`."""

    def build_request(self, message: Message, values: Values, now: datetime) -> Outgoing:
        """What to send. `now` is the only clock, aware and in UTC. Raises Unsendable."""
        ...

    def read_response(self, response: Response) -> Outcome:
        """What came of it; whatever the answer is, it never raises."""
        ...


class Idempotent(Protocol):
    """What a sending adapter has beside, where the provider takes a repeat of the same request (same `message_id`) for the
    same message, sent once: by an idempotency key that it remembers."""

    #: Seconds for which it does.
    @property
    def IDEMPOTENT_FOR(self) -> float: ...


class Batching(Protocol):
    """What a sending adapter has beside, where one call of its API takes several messages that have nothing in common."""

    #: Messages of one call, at most.
    @property
    def BATCH(self) -> int: ...

    def build_batch(self, calls: Sequence[HttpCall]) -> HttpCall:
        """The one call in place of these, each as `build_request` made it: all of one account, with the same method, URL
        and headers."""
        ...

    def read_batch(self, response: Response, count: int) -> list[Outcome]:
        """What came of each of the `count` messages, in their order. None at all where the provider took none of them
        and each may pass by itself. Whatever the answer is, it never raises."""
        ...


class LookingUp(Protocol):
    """What a sending adapter has beside, where the provider can be asked whether it took a message of ours."""

    #: Seconds after a call by which the provider's records surely show what it took.
    @property
    def LOOKUP_AFTER(self) -> float: ...

    def build_lookup(self, message: Message, values: Values, begun: datetime) -> HttpCall:
        """The question. `begun`: when the earliest call was made that nobody answered. Raises Unsendable."""
        ...

    def read_lookup(self, response: Response, message: Message) -> Found:
        """The answer: what is not about this very message is none. Whatever it is, it never raises."""
        ...


def accepted(provider_message_id: str | None) -> Outcome:
    """Taken by the provider. What is too long for an id is none: the message was taken all the same."""
    known = provider_message_id if provider_message_id and len(provider_message_id) <= MAX_ID else None
    return Outcome("accepted", known)


def refused(
    response: Response,
    error: Error,
    *,
    retryable: bool | None = None,
    account: bool | None = None,
    sender: bool = False,
) -> Outcome:
    """Not taken. Where the provider's code does not tell whether it may pass later, its status does: 408, 425, 429
    and 5xx may (RFC 9110, RFC 6585, RFC 8470); and whether it is the account's fault: 401 and 402 say so, and 403 where no
    table has the code."""
    if sender:
        return Outcome("sender", None, replace(error, reason="account"))
    if account is None and not retryable:
        account = response.status in _OF_THE_ACCOUNT or (response.status == 403 and error.reason == "unknown")
    if account:
        return Outcome("account", None, replace(error, reason="account"), retry_after(response))
    if retryable is None:
        retryable = response.status in (408, 425, 429) or response.status >= 500
    if not retryable:
        return Outcome("rejected", None, error)
    return Outcome("retryable", None, error, retry_after(response))


def retry_after(response: Response, now: datetime | None = None) -> float | None:
    """The seconds of the Retry-After header (RFC 9110 section 10.2.3); a date counts from `now` or the header Date."""
    said = response.headers.get("retry-after", "").strip()
    if said.isascii() and said.isdigit() and len(said) < 8:
        return float(said)
    try:
        start = now or parsedate_to_datetime(response.headers.get("date", ""))
        return max(0.0, (parsedate_to_datetime(said) - start).total_seconds()) if said else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def required(values: Values, *names: str) -> str:
    """The first value of a setting that sending cannot do without, under any of its names. Raises WrongSetting."""
    if found := secrets_of(values, *names):
        return found[0]
    raise WrongSetting(f"the source has no {names[0]}, without which nothing can be sent")


def optional(values: Values, name: str, default: str) -> str:
    """The first value of a setting, or the default."""
    found = secrets_of(values, name)
    return found[0] if found else default


def api_of(values: Values, default: str) -> str:
    """Where the API is, without the slash that its paths begin with."""
    return optional(values, "api_url", default).rstrip("/")


def sender_of(message: Message, values: Values, name: str = "sender") -> str:
    """Who sends: the message's sender, else that of the source. Raises WrongSetting."""
    return message.sender or required(values, name)
