"""Simulates a trusted relay: envelopes, signed by Standard Webhooks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from adapters.simulating import Incoming, Post, Sent, Settings, Simulator, Statuses, Webhooks

_TYPES = {
    "UserMessageSent": "message.sent",
    "MessageDelivered": "message.delivered",
    "MessageRead": "message.read",
    "MessageFailed": "message.failed",
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Make the envelope of an event of an outbound message."""
    data = {"providerMessageId": sent.id, "to": sent.to, "from": sent.sender}
    return _post(url, _TYPES[state], {**data, "channel": sent.channel, "timestamp": at.isoformat()})


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make the envelope of an inbound message."""
    data = {"providerMessageId": incoming.id, "from": incoming.sender, "to": incoming.to, "channel": incoming.channel}
    return _post(url, "message.received", {**data, "content": {"text": incoming.text}, "timestamp": at.isoformat()})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign `id.timestamp.body` with HMAC-SHA256, in base64."""
    event_id, timestamp = "msg_" + hashlib.sha256(post.body).hexdigest()[:24], str(int(at.timestamp()))
    secret = base64.b64decode(settings["secret"].removeprefix("whsec_"))
    digest = hmac.new(secret, f"{event_id}.{timestamp}.".encode() + post.body, hashlib.sha256).digest()
    signature = f"v1,{base64.b64encode(digest).decode()}"
    headers = {"webhook-id": event_id, "webhook-timestamp": timestamp, "webhook-signature": signature}
    return replace(post, headers=post.headers | headers)


def _post(url: str, type: str, data: dict[str, Any]) -> Post:
    body = orjson.dumps({"source": "simulated", "eventType": type, "data": data})
    return Post(url, body, {"content-type": "application/json"})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms", "email", "whatsapp"),
        statuses=Statuses(states=tuple(_TYPES), build=status, absent={"sms": ("MessageRead",)}),
        inbound=inbound,
        sign=sign,
    ),
)
