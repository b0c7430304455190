"""Webhooks as the providers post them, signed as the providers sign them, for the demo to send."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson

from adapters import simulating as simulated
from app.embedded import firstrun
from app.settings import Settings, Source
from app.simulator import webhooks_of

DOOR = "/webhooks/aggregate"


@dataclass(frozen=True, slots=True)
class Post:
    """One request: whose it is, its path below the door, headers and body."""

    source: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def signed(source: str, provider: str, settings: Mapping[str, str], url: str, body: bytes, kind: str) -> Post:
    """The request as the simulated provider signs it."""
    post = simulated.Post(url, body, {"content-type": kind})
    made = webhooks_of(provider).sign(post, settings, datetime.now(UTC))
    return Post(source, f"/{source}", {name.lower(): value for name, value in made.headers.items()}, made.body)


@dataclass(frozen=True, slots=True)
class Twilio:
    """Posts forms, signed over the URL that the source is told."""

    source: str
    token: str
    url: str

    def post(self, fields: Mapping[str, str]) -> Post:
        """The request of these parameters."""
        kind = "application/x-www-form-urlencoded; charset=UTF-8"
        return signed(self.source, "twilio", {"auth_token": self.token}, self.url, urlencode(fields).encode(), kind)


@dataclass(frozen=True, slots=True)
class WhatsApp:
    """Posts changes, signed with the app's secret."""

    source: str
    secret: str

    def post(self, value: Mapping[str, Any]) -> Post:
        """The request of one change's value."""
        change = {"field": "messages", "value": {"messaging_product": "whatsapp", **value}}
        body = orjson.dumps(
            {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}
        )
        return signed(self.source, "whatsapp_cloud", {"app_secret": self.secret}, "", body, "application/json")


@dataclass(frozen=True, slots=True)
class SendGrid:
    """Posts batches, signed with a private key (PEM)."""

    source: str
    pem: bytes

    def post(self, events: Sequence[Mapping[str, Any]]) -> Post:
        """The request of a batch of events."""
        body, settings = orjson.dumps(list(events)) + b"\r\n", {"private_key": self.pem.decode()}
        return signed(self.source, "sendgrid", settings, "", body, "application/json;charset=utf-8")


@dataclass(frozen=True, slots=True)
class Relay:
    """Posts the envelope under an API key, as the service that sent the messages would."""

    token: str

    def post(self, source: str, event_type: str, data: Mapping[str, Any]) -> Post:
        """The request of one envelope about a source's message."""
        body = orjson.dumps({"source": source, "eventType": event_type, "data": data})
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.token}"}
        return Post("envelope", "", headers, body)


def client(settings: Settings) -> str:
    """Whose customers the posts speak of: the client of the first source that is configured."""
    return next((source.client for _, source in settings.sources.items()), "default")


def providers(settings: Settings, url: str) -> dict[str, Any]:
    """What signs for each provider; None where no source of it, with a secret to sign with, is configured."""
    twilio = _source(settings, "twilio", "auth_token")
    whatsapp = _source(settings, "whatsapp_cloud", "app_secret")
    sendgrid = _source(settings, "sendgrid", "public_key")
    pem = firstrun.secrets_folder(settings.data) / firstrun.SENDGRID_KEY
    return {
        "twilio": twilio and Twilio(twilio[0], twilio[2], _told(twilio[1], f"{url}{DOOR}/{twilio[0]}")),
        "whatsapp": whatsapp and WhatsApp(whatsapp[0], whatsapp[2]),
        "sendgrid": SendGrid(sendgrid[0], pem.read_bytes()) if sendgrid and pem.exists() else None,
    }


def _source(settings: Settings, adapter: str, secret: str) -> tuple[str, Source, str] | None:
    for name, source in settings.sources.items():
        if (source.adapter or name) == adapter and source.client == client(settings) and source.values.get(secret):
            return name, source, source.values[secret][0]
    return None


def _told(source: Source, posted: str) -> str:
    """The URL that the provider knows, and signs, where we post to another."""
    if source.url is None:
        return posted
    public = urlsplit(source.url)
    return f"{public.scheme}://{public.netloc}{public.path or urlsplit(posted).path}"
