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
    """One request: its source, its path below `DOOR`, headers and body."""

    source: str
    path: str
    headers: Mapping[str, str]
    body: bytes


def signed(source: str, provider: str, settings: Mapping[str, str], url: str, body: bytes, kind: str) -> Post:
    """Return the request, signed by the simulated provider."""
    post = simulated.Post(url, body, {"content-type": kind})
    made = webhooks_of(provider).sign(post, settings, datetime.now(UTC))
    return Post(source, f"/{source}", {name.lower(): value for name, value in made.headers.items()}, made.body)


@dataclass(frozen=True, slots=True)
class Twilio:
    """Makes forms, signed over the URL that the provider has for the source."""

    source: str
    token: str
    url: str

    def post(self, fields: Mapping[str, str]) -> Post:
        """Return the request with these parameters."""
        kind = "application/x-www-form-urlencoded; charset=UTF-8"
        return signed(self.source, "twilio", {"auth_token": self.token}, self.url, urlencode(fields).encode(), kind)


@dataclass(frozen=True, slots=True)
class WhatsApp:
    """Makes changes, signed with the app's secret."""

    source: str
    secret: str

    def post(self, value: Mapping[str, Any]) -> Post:
        """Return the request with the value of one change."""
        change = {"field": "messages", "value": {"messaging_product": "whatsapp", **value}}
        body = orjson.dumps(
            {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}
        )
        return signed(self.source, "whatsapp_cloud", {"app_secret": self.secret}, "", body, "application/json")


@dataclass(frozen=True, slots=True)
class SendGrid:
    """Makes batches, signed with a private key (PEM)."""

    source: str
    pem: bytes

    def post(self, events: Sequence[Mapping[str, Any]]) -> Post:
        """Return the request with a batch of events."""
        body, settings = orjson.dumps(list(events)) + b"\r\n", {"private_key": self.pem.decode()}
        return signed(self.source, "sendgrid", settings, "", body, "application/json;charset=utf-8")


@dataclass(frozen=True, slots=True)
class RelayPosts:
    """Makes envelopes with an API key, as the service that sent the messages would."""

    token: str

    def post(self, source: str, event_type: str, data: Mapping[str, Any]) -> Post:
        """Return the request with an envelope about a source's message."""
        body = orjson.dumps({"source": source, "eventType": event_type, "data": data})
        headers = {"content-type": "application/json", "authorization": f"Bearer {self.token}"}
        return Post("envelope", "", headers, body)


def client(settings: Settings) -> str:
    """Return the client of the first source in the settings: the demo's customers are its customers."""
    return next((source.client for _, source in settings.sources.items()), "default")


def providers(settings: Settings, url: str) -> dict[str, Any]:
    """Return the signer of each provider; None if the settings have no source of it with a secret to sign with."""
    twilio = _source(settings, "twilio", "auth_token")
    whatsapp = _source(settings, "whatsapp_cloud", "app_secret")
    sendgrid = _source(settings, "sendgrid", "public_key")
    pem = firstrun.secrets_folder(settings.data) / firstrun.SENDGRID_KEY
    return {
        "twilio": twilio and Twilio(twilio[0], twilio[2], _public(twilio[1], f"{url}{DOOR}/{twilio[0]}")),
        "whatsapp": whatsapp and WhatsApp(whatsapp[0], whatsapp[2]),
        "sendgrid": SendGrid(sendgrid[0], pem.read_bytes()) if sendgrid and pem.exists() else None,
    }


def _source(settings: Settings, adapter: str, secret: str) -> tuple[str, Source, str] | None:
    for name, source in settings.sources.items():
        if (source.adapter or name) == adapter and source.client == client(settings) and source.values.get(secret):
            return name, source, source.values[secret][0]
    return None


def _public(source: Source, posted: str) -> str:
    """Return the URL that the provider would sign: the source's public URL, or `posted` if it has none."""
    if source.url is None:
        return posted
    public = urlsplit(source.url)
    return f"{public.scheme}://{public.netloc}{public.path or urlsplit(posted).path}"
