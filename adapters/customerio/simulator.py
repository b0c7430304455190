"""Simulates Customer.io: reporting webhooks of its channels, signed. https://docs.customer.io/api/webhooks"""

import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from adapters.simulating import Post, Sent, Settings, Simulator, Statuses, Webhooks

#: `opened` of WhatsApp is a mark that the person read it.
_ABSENT = {"whatsapp": ("MessageOpened",)} | dict.fromkeys(("email", "sms", "push"), ("MessageRead",))
_METRICS = {
    "UserMessageSent": "sent",
    "MessageDelivered": "delivered",
    "MessageRead": "opened",
    "MessageOpened": "opened",
    "MessageDelayed": "attempted",
    "MessageBounced": "bounced",
    "MessageFailed": "failed",
    "MessageRejected": "undeliverable",
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Make the webhook of one event."""
    metric = _METRICS[state]
    data: dict[str, Any] = {
        "delivery_id": sent.id,
        "campaign_id": 23,
        "action_id": 36,
        "identifiers": {"cio_id": "d9c1"},
    }
    if sent.channel == "push":
        data["recipients"] = [{"device_id": sent.to, "device_platform": "ios"}]
    else:
        data["recipient"] = sent.to
    if state in ("MessageDelayed", "MessageBounced", "MessageFailed"):
        data["failure_message"] = "550 5.1.1 no such user" if sent.channel == "email" else "refused by the provider"
    event_id = hashlib.sha256(f"{sent.id}{sent.channel}{state}".encode()).hexdigest()[:26].upper()
    document = {
        "event_id": event_id,
        "object_type": sent.channel,
        "metric": metric,
        "timestamp": int(at.timestamp()),
        "data": data,
    }
    headers = {"content-type": "application/json", "user-agent": "Customer.io Web Hooks 1.0"}
    return Post(url, orjson.dumps(document), headers)


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign with HMAC-SHA256 over the version, the timestamp and the body, in hex."""
    timestamp = str(int(at.timestamp()))
    key = settings["signing_key"].encode()
    digest = hmac.new(key, f"v0:{timestamp}:".encode() + post.body, hashlib.sha256).hexdigest()
    return replace(post, headers=post.headers | {"X-CIO-Timestamp": timestamp, "X-CIO-Signature": digest})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("email", "sms", "whatsapp", "push"),
        statuses=Statuses(states=tuple(_METRICS), build=status, absent=_ABSENT),
        sign=sign,
    ),
)
