"""Webhooks as the providers post them, signed as the providers sign them, for the demo to send."""

import base64
import hashlib
import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from app.embedded import firstrun
from app.settings import Settings, Source

DOOR = "/webhooks/aggregate"


@dataclass(frozen=True, slots=True)
class Post:
    """One request: whose it is, its path below the door, headers and body."""

    source: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Twilio:
    """Signs a form over the URL that the source is told:
    https://www.twilio.com/docs/usage/webhooks/webhooks-security"""

    source: str
    token: str
    url: str

    def post(self, fields: Mapping[str, str]) -> Post:
        """The request of these parameters."""
        signed = self.url + "".join(f"{name}{fields[name]}" for name in sorted(fields))
        signature = hmac.digest(self.token.encode(), signed.encode(), hashlib.sha1)
        headers = {
            "content-type": "application/x-www-form-urlencoded; charset=UTF-8",
            "x-twilio-signature": base64.b64encode(signature).decode(),
            "user-agent": "TwilioProxy/1.1",
        }
        return Post(self.source, f"/{self.source}", headers, urlencode(fields).encode())


@dataclass(frozen=True, slots=True)
class WhatsApp:
    """Signs the body with the app's secret: https://developers.facebook.com/docs/graph-api/webhooks/getting-started"""

    source: str
    secret: str

    def post(self, value: Mapping[str, Any]) -> Post:
        """The request of one change's value."""
        change = {"field": "messages", "value": {"messaging_product": "whatsapp", **value}}
        body = orjson.dumps(
            {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}
        )
        signature = hmac.digest(self.secret.encode(), body, hashlib.sha256).hex()
        headers = {"content-type": "application/json", "x-hub-signature-256": f"sha256={signature}"}
        return Post(self.source, f"/{self.source}", headers, body)


@dataclass(frozen=True, slots=True)
class SendGrid:
    """Signs time and body by ECDSA over P-256:
    https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features"""

    source: str
    pem: bytes

    def post(self, events: Sequence[Mapping[str, Any]]) -> Post:
        """The request of a batch of events."""
        key = load_pem_private_key(self.pem, None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        body, at = orjson.dumps(list(events)) + b"\r\n", str(int(time.time()))
        signature = key.sign(at.encode() + body, ec.ECDSA(hashes.SHA256()))
        headers = {
            "content-type": "application/json;charset=utf-8",
            "x-twilio-email-event-webhook-timestamp": at,
            "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        }
        return Post(self.source, f"/{self.source}", headers, body)


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
