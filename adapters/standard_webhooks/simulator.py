"""Simulates a sender that follows Standard Webhooks and reports messages in Threadline's event types.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from adapters.simulating import Incoming, Post, Sent, Settings, Simulator, Statuses, Webhooks

_TYPES = {
    "UserMessageSent": "message.sent",
    "MessageDelivered": "message.delivered",
    "MessageRead": "message.read",
    "MessageFailed": "message.failed",
    "MessageBounced": "message.bounced",
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build one event of a message's status."""
    data = {"providerMessageId": sent.id, "to": sent.to, "from": sent.sender, "channel": sent.channel}
    return _post(url, _TYPES[state], at, data)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build one event of an inbound message."""
    data = {"providerMessageId": incoming.id, "from": incoming.sender, "to": incoming.to, "channel": incoming.channel}
    return _post(url, "message.received", at, {**data, "content": {"text": incoming.text}})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign `id.timestamp.body` by Ed25519 if there is a private key (v1a), or by HMAC-SHA256 with the secret (v1)."""
    event_id, timestamp = "msg_" + hashlib.sha256(post.body).hexdigest()[:27], str(int(at.timestamp()))
    content = f"{event_id}.{timestamp}.".encode() + post.body
    if key := settings.get("private_key"):
        seed = base64.b64decode(key.removeprefix("whsk_"))
        made = "v1a," + base64.b64encode(Ed25519PrivateKey.from_private_bytes(seed).sign(content)).decode()
    else:
        text = settings["secret"]
        secret = base64.b64decode(text.removeprefix("whsec_")) if text.startswith("whsec_") else text.encode()
        made = "v1," + base64.b64encode(hmac.new(secret, content, hashlib.sha256).digest()).decode()
    headers = {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": made}
    return replace(post, headers=post.headers | headers)


def _post(url: str, type: str, at: datetime, data: dict[str, Any]) -> Post:
    body = orjson.dumps({"type": type, "timestamp": at.isoformat().replace("+00:00", "Z"), "data": data})
    return Post(url, body, {"content-type": "application/json"})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms", "email", "push", "chat"),
        statuses=Statuses(states=tuple(_TYPES), build=status, absent={"sms": ("MessageRead",)}),
        inbound=inbound,
        sign=sign,
    ),
)
