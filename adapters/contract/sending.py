"""Sending: the message that an adapter is given, the request that it builds, and the outcome that it reads.

`build_request` makes a request, the transport (outside of `adapters/`) carries it, `read_response` reads the response.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal

from adapters.contract.settings import Values, secrets_of
from schemas.events import MAX_ID, Error, Handle

State = Literal["accepted", "retryable", "rejected", "account", "sender"]


#: RFC 9110 sections 15.5.2 and 15.5.3: no valid credentials, and nothing paid.
_OF_THE_ACCOUNT = (401, 402)


class Unsendable(Exception):
    """The provider cannot take this message, for example a part that it does not support; a retry cannot help.

    The message says what to change. `state` is that of the Outcome.
    """

    state: State = "rejected"


class TooLate(Unsendable):
    """The message expires too soon for the provider to take it."""


class WrongSetting(Unsendable):
    """The account cannot send any message: a setting is missing or invalid."""

    state = "account"


class WrongSender(Unsendable):
    """The sender, from the account or the message, is not a valid one."""

    state = "sender"


@dataclass(frozen=True, slots=True)
class Media:
    """One attachment: its URL, media type (RFC 6838) and file name."""

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

    `message_id` is ours, and sent to the provider to be echoed in its webhooks unless `reference` is set. `subject` is a
    mail's subject or a push's title. `data` is the payload for an app beside a push, or for a device. `callback_url` is
    where the provider posts its webhooks, for providers that accept one with each message.
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
        """The reference that the provider echoes in its webhooks."""
        return self.reference or self.message_id


@dataclass(slots=True)
class HttpCall:
    """An HTTP request to be made; header names in lower case. `foreign`: the recipient chose the host, so the request goes
    to public addresses only, even for a trusted account, and its failure does not count against the account. `http2`: the
    provider accepts only HTTP/2; ignored without https."""

    method: str
    url: str
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    foreign: bool = False
    http2: bool = False


@dataclass(slots=True)
class Mail:
    """A mail for an SMTP server: the envelope's addresses, and the message in the format of RFC 5322."""

    sender: str
    recipients: tuple[str, ...]
    data: bytes


@dataclass(slots=True)
class Publish:
    """A message for an MQTT broker, with user properties (MQTT 5)."""

    topic: str
    payload: bytes
    qos: int = 1
    retain: bool = False
    properties: dict[str, str] = field(default_factory=dict)


Outgoing = HttpCall | Mail | Publish


@dataclass(slots=True)
class Response:
    """The provider's response. `status` is the HTTP status, the SMTP reply code or the MQTT reason code."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(slots=True)
class Outcome:
    """The outcome of one call, for one message.

    `accepted`: with the provider's id if it gives one. `retryable`: a retry may succeed, after `retry_after` seconds if
    the provider names a time. `rejected`: a retry cannot succeed. `account`: a fault of the account (credentials,
    permissions, settings, credit); a retry succeeds once that is mended. `sender`: the account may not send as this
    sender, which is the account's fault unless the message names the sender. `error` is set unless it was accepted.
    `known_as`: the addresses by which the provider's answer calls the recipient (WhatsApp's `wa_id`), if it does: its
    webhooks will use these, and they are the same person as the address that was given.
    """

    state: State
    provider_message_id: str | None = None
    error: Error | None = None
    retry_after: float | None = None
    known_as: tuple[Handle, ...] = ()


@dataclass(slots=True)
class Found:
    """The result of a look-up after an unanswered call: whether the provider accepted the message (None if its records
    could not be read), and its id there."""

    taken: bool | None
    provider_message_id: str | None = None


def accepted(provider_message_id: str | None, known_as: tuple[Handle, ...] = ()) -> Outcome:
    """Return the outcome of an accepted message. An id beyond `MAX_ID` is left out: the message was accepted anyway."""
    known = provider_message_id if provider_message_id and len(provider_message_id) <= MAX_ID else None
    return Outcome("accepted", known, known_as=known_as)


def refused(
    response: Response,
    error: Error,
    *,
    retryable: bool | None = None,
    account: bool | None = None,
    sender: bool = False,
) -> Outcome:
    """Return the outcome of a refused message.

    `retryable`, if the provider's code does not decide it, follows from the status: 408, 425, 429 and 5xx are retryable
    (RFC 9110, RFC 6585, RFC 8470). So does `account`: 401 and 402 are the account's fault, and 403 if no table has the code.
    """
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
    """Return the seconds in the header Retry-After (RFC 9110 section 10.2.3), or None. A date counts from `now`, else from the
    header Date."""
    value = response.headers.get("retry-after", "").strip()
    if value.isascii() and value.isdigit() and len(value) < 8:
        return float(value)
    try:
        start = now or parsedate_to_datetime(response.headers.get("date", ""))
        return max(0.0, (parsedate_to_datetime(value) - start).total_seconds()) if value else None
    except (ValueError, TypeError, OverflowError, IndexError):
        return None


def required(values: Values, *names: str) -> str:
    """Return the first value of a required setting, configured under any of the names. Raise WrongSetting if there is none."""
    if found := secrets_of(values, *names):
        return found[0]
    raise WrongSetting(f"the source has no {names[0]}, without which nothing can be sent")


def optional(values: Values, name: str, default: str) -> str:
    """Return the first value of a setting, or the default."""
    found = secrets_of(values, name)
    return found[0] if found else default


def api_of(values: Values, default: str) -> str:
    """Return the API's base URL, without a slash at its end."""
    return optional(values, "api_url", default).rstrip("/")


def sender_of(message: Message, values: Values, name: str = "sender") -> str:
    """Return the message's sender, else the source's. Raise WrongSetting if neither has one."""
    return message.sender or required(values, name)
