"""Parses and checks a definition file, which describes a provider in TOML or JSON instead of Python.

A path leads into an item of the body: `message.id`, `recipients.0.address`. `body:…` starts at the whole body instead,
and `header:…` and `query:…` name a header and a parameter of the URL. The empty path is the item itself. Of several paths with
`|` between them, the first that leads to something is taken.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from adapters.declared import templates
from schemas.events import CHANNELS, EVENT_TYPES, HANDLE_KINDS, REASONS, TYPE_OF_DOTTED

Name = r"^[a-z][a-z0-9_]{0,62}$"


class InvalidDefinition(ValueError):
    """The definition is invalid. The message has a line per fault: its place, and what is expected there."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Recognise(_Part):
    """Marks, all of which a request must have to be recognised without a source in its URL."""

    header: str | None = None
    user_agent: str | None = Field(default=None, description="the beginning of the User-Agent")
    body: tuple[str, ...] = Field(default=(), description="texts in the body's first 4096 bytes")

    @field_validator("body", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class Signature(_Part):
    """How to verify a request. `message` is the signed text, made of `{body}`, `{timestamp}`, `{id}`, `{url}`, `{method}`."""

    scheme: Literal["hmac", "standard_webhooks", "token", "unsigned"]
    header: str | None = Field(default=None, description="the header with the signature or the token")
    algorithm: Literal["sha1", "sha256", "sha384", "sha512"] = "sha256"
    encoding: Literal["hex", "base64"] = "hex"
    prefix: str = Field(default="", description="text before the signature, e.g. sha256=")
    message: str = "{body}"
    timestamp_header: str | None = None
    id_header: str | None = None
    tolerance: float = Field(default=300.0, ge=0, description="the maximum age of a signed timestamp in seconds")

    @model_validator(mode="after")
    def _whole(self) -> "Signature":
        if self.scheme in ("hmac", "token") and not self.header:
            raise ValueError(f"the scheme {self.scheme} needs a header")
        if self.scheme == "hmac" and "{body}" not in self.message:
            raise ValueError("message must have {body}, else anyone could change it")
        for mark, header in (("{timestamp}", self.timestamp_header), ("{id}", self.id_header)):
            if (mark in self.message) != (header is not None):
                raise ValueError(f"{mark} in message, and its header, go together")
        return self


class Fields(_Part):
    """Paths of an event's parts. `type` leads to the provider's name of the event, a key of `types`; where several places
    make the name, it is a list of their paths, and the name their values with dots between them."""

    type: str | tuple[str, ...]
    id: str | None = None
    message_id: str | None = Field(default=None, description="the provider's id of the message")
    reference: str | None = None
    sender: str | None = None
    recipient: str | None = None
    time: str | None = None
    text: str | None = None
    subject: str | None = None
    html: str | None = None
    media_url: str | None = None
    media_type: str | None = None
    error_code: str | None = None
    error_text: str | None = None
    url: str | None = None
    channel: str | None = Field(default=None, description="the provider's name of the channel, a key of `channels`")


class Send(_Part):
    """How to send a message. `url`, `headers` and `body` may hold `{to}`, `{sender}`, `{text}`, `{subject}`, `{html}`,
    `{reference}`, `{message_id}` and `{callback_url}` for parts of the message, and `{setting:NAME}` for a setting."""

    url: str
    method: Literal["POST", "PUT", "GET"] = "POST"
    headers: dict[str, str] = {}
    format: Literal["json", "form", "none"] = "json"
    body: dict[str, Any] = {}
    id: str | None = Field(default=None, description="path of the message's id in the response")
    error_code: str | None = None
    error_text: str | None = None
    idempotent_for: float = Field(
        default=0.0,
        ge=0,
        description="seconds for which the provider recognises a repeated request and sends nothing",
    )


class Definition(_Part):
    """One provider."""

    name: str = Field(pattern=Name)
    title: str
    docs: str = Field(pattern="^https://")
    channel: str
    channels: dict[str, str] = {}
    recognise: Recognise | None = None
    signature: Signature
    format: Literal["json", "form"] = "json"
    items: str | None = Field(default=None, description="path of the list of items; if absent, the body is one item")
    handle: str | None = Field(
        default=None, description="kind of the customer's handle, if the channel does not determine it"
    )
    handle_prefix: str = ""
    job_ids: frozenset[str] = Field(
        default=frozenset(),
        description="channels on which `message_id` is the id of a job with several recipients, so that a message is that id "
        "and the recipient",
    )
    handle_suffix: str | tuple[str, ...] = Field(
        default="",
        description="text after the customer's address (@c.us), or several such texts, without which it is another's, e.g. a "
        "group's",
    )
    leave_out: tuple[str, ...] = Field(
        default=(), description="keys at the top of an item whose values are kept nowhere, e.g. an API key"
    )
    event: Fields
    types: dict[str, str] = Field(min_length=1)
    reasons: dict[str, str] = {}
    settings: dict[str, str] = Field(default={}, description="further settings, each with its purpose")
    answer_status: int = Field(default=200, ge=200, lt=300)
    answer_body: str = ""
    send: Send | None = None

    @field_validator("types")
    @classmethod
    def _known_types(cls, types: dict[str, str]) -> dict[str, str]:
        named = {word: TYPE_OF_DOTTED.get(type, type) for word, type in types.items()}
        if unknown := sorted({type for type in named.values() if type not in EVENT_TYPES}):
            raise ValueError(f"no event type is called {', '.join(unknown)}; there are: {', '.join(EVENT_TYPES)}")
        return named

    @model_validator(mode="after")
    def _known_words(self) -> "Definition":
        for what, given, known in (
            ("channel", {self.channel, *self.channels.values()}, CHANNELS),
            ("channel of job_ids", set(self.job_ids), {self.channel, *self.channels.values()}),
            ("reason", set(self.reasons.values()), REASONS),
            ("kind of handle", {self.handle} - {None}, HANDLE_KINDS),
        ):
            if unknown := sorted(word for word in given if word is not None and word not in known):
                raise ValueError(f"no {what} is called {', '.join(unknown)}; there are: {', '.join(known)}")
        return self

    @property
    def own_settings(self) -> tuple[str, ...]:
        """The names of the settings of its sources."""
        scheme = ("basic_auth", "url_secret") if self.signature.scheme == "unsigned" else ("secret",)
        sender = ("sender",) if self.send is not None else ()
        return tuple(dict.fromkeys([*scheme, *sender, *self.settings]))

    @model_validator(mode="after")
    def _known_marks(self) -> "Definition":
        wrong = list(templates.unknown(self.signature.message, templates.SIGNED, "signature.message"))
        if (send := self.send) is not None:
            known = [*templates.PARTS, *(f"{templates.SETTING}{name}" for name in self.own_settings)]
            for at, template in (("url", send.url), ("headers", send.headers), ("body", send.body)):
                wrong += templates.unknown(template, known, f"send.{at}")
            if parts := templates.parts_in_origin(send.url):
                wrong.append(
                    f"send.url: {{{parts[0]}}} is the message's, which must not choose the host that is called"
                )
        if wrong:
            raise ValueError("\n".join(wrong))
        return self


def definition_of(document: Any, name: str) -> Definition:
    """Return the definition in a parsed file; `name` is the default for its name. Raises InvalidDefinition."""
    if not isinstance(document, dict):
        raise InvalidDefinition("a definition is a table, with [signature] and [event] in it")
    try:
        return Definition.model_validate({"name": name} | document)
    except ValidationError as error:
        faults = [_fault(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
        raise InvalidDefinition("\n".join(faults)) from error


def _fault(at: str, message: str) -> str:
    """Return one fault as a line; the message of a fault of the whole definition names the keys already."""
    words = message.removeprefix("Value error, ").replace("Extra inputs are not permitted", "there is no such key")
    return f"{at}: {words}" if at else words
