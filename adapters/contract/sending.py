"""Sending: the message that an adapter is given, and the request that it builds.

`build_request` makes a request, the transport (outside of `adapters/`) carries it, and `read_response` reads the response
(`adapters.contract.outcomes`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from adapters.contract.outcomes import State
from adapters.contract.settings import Values, secrets_of
from schemas.events import Handle


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
