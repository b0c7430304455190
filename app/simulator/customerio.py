<<<<<<< HEAD
"""Customer.io played: reporting webhooks of deliveries, signed. https://docs.customer.io/api/webhooks"""
=======
"""Customer.io played: reporting webhooks of its channels, signed. https://docs.customer.io/api/webhooks"""
>>>>>>> build/mail2

import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from app.simulator.base import Post, Sent, Settings

<<<<<<< HEAD
CHANNELS = ("email", "sms", "push", "whatsapp")
_METRICS = {
    "UserMessageSent": "sent",
    "MessageDelivered": "delivered",
    "MessageDelayed": "attempted",
    "MessageClicked": "clicked",
    "MessageBounced": "bounced",
    "MessageRejected": "dropped",
    "MessageFailed": "failed",
=======
CHANNELS = ("email", "sms", "whatsapp", "push")
_METRICS = {
    "UserMessageSent": "sent",
    "MessageDelivered": "delivered",
    "MessageOpened": "opened",
    "MessageDelayed": "attempted",
    "MessageBounced": "bounced",
    "MessageFailed": "failed",
    "MessageRejected": "undeliverable",
>>>>>>> build/mail2
}
STATES = tuple(_METRICS)


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
<<<<<<< HEAD
    """One event; `event_id` is the same whenever the same is told."""
    metric = _METRICS[state]
    data: dict[str, Any] = {
        "customer_id": "0200102",
        "identifiers": {"id": "0200102", "email": None, "cio_id": "d9c106000001"},
        "delivery_id": sent.id,
        "campaign_id": 23,
        "action_id": 42,
=======
    """One event."""
    metric = _METRICS[state]
    data: dict[str, Any] = {
        "delivery_id": sent.id,
        "campaign_id": 23,
        "action_id": 36,
        "identifiers": {"cio_id": "d9c1"},
>>>>>>> build/mail2
    }
    if sent.channel == "push":
        data["recipients"] = [{"device_id": sent.to, "device_platform": "ios"}]
    else:
        data["recipient"] = sent.to
<<<<<<< HEAD
    if metric == "clicked":
        data |= {"href": "https://example.com/", "link_id": 1}
    if metric in ("attempted", "bounced", "dropped", "failed"):
        data["failure_message"] = "550 5.1.1 no such user"
    event_id = hashlib.sha256(f"{sent.id}{state}".encode()).hexdigest()[:26].upper()
    body = {
=======
    if state in ("MessageDelayed", "MessageBounced", "MessageFailed"):
        data["failure_message"] = "550 5.1.1 no such user" if sent.channel == "email" else "refused by the provider"
    event_id = hashlib.sha256(f"{sent.id}{sent.channel}{state}".encode()).hexdigest()[:26].upper()
    document = {
>>>>>>> build/mail2
        "event_id": event_id,
        "object_type": sent.channel,
        "metric": metric,
        "timestamp": int(at.timestamp()),
        "data": data,
    }
<<<<<<< HEAD
    return Post(url, orjson.dumps(body), {"content-type": "application/json"})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """HMAC-SHA256 over the version, the timestamp and the body."""
    timestamp = str(int(at.timestamp()))
    message = b"v0:" + timestamp.encode() + b":" + post.body
    digest = hmac.new(settings["signing_key"].encode(), message, hashlib.sha256).hexdigest()
=======
    headers = {"content-type": "application/json", "user-agent": "Customer.io Web Hooks 1.0"}
    return Post(url, orjson.dumps(document), headers)


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """HMAC-SHA256 over the version, the timestamp and the body, in hex."""
    timestamp = str(int(at.timestamp()))
    key = settings["signing_key"].encode()
    digest = hmac.new(key, f"v0:{timestamp}:".encode() + post.body, hashlib.sha256).hexdigest()
>>>>>>> build/mail2
    return replace(post, headers=post.headers | {"X-CIO-Timestamp": timestamp, "X-CIO-Signature": digest})
