"""SendGrid played: the event webhook, signed. https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event"""

import base64
from dataclasses import replace
from datetime import datetime

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from app.simulator.base import Post, Sent, Settings

CHANNELS = ("email",)
_EVENTS = {
    "MessageQueued": "processed",
    "MessageDelivered": "delivered",
    "MessageOpened": "open",
    "MessageBounced": "bounce",
    "MessageDelayed": "deferred",
}
STATES = tuple(_EVENTS)


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """One event in a list; `sg_event_id` is the same whenever the same is told."""
    item = {
        "email": sent.to,
        "timestamp": int(at.timestamp()),
        "event": _EVENTS[state],
        "sg_event_id": base64.urlsafe_b64encode(f"{sent.id}{state}".encode()[-33:]).decode().rstrip("="),
        "sg_message_id": f"{sent.id}.recvd-5c8d4b7f-1",
    }
    if sent.reference:
        item["reference"] = sent.reference
    if state == "MessageBounced":
        item |= {"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 no such user"}
    headers = {"content-type": "application/json;charset=utf-8", "user-agent": "SendGrid Event API"}
    return Post(url, orjson.dumps([item]), headers)


def keys() -> dict[str, str]:
    """A new pair."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {"private_key": private, "public_key": base64.b64encode(public).decode()}


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """ECDSA with SHA-256 over the timestamp and the body."""
    key = load_pem_private_key(settings["private_key"].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    timestamp = str(int(at.timestamp()))
    signature = key.sign(timestamp.encode() + post.body, ec.ECDSA(hashes.SHA256()))
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
    }
    return replace(post, headers=post.headers | headers)
