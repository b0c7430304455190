"""Customer.io played: reporting webhooks of deliveries, signed. https://docs.customer.io/api/webhooks"""

import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from app.simulator.base import Post, Sent, Settings

CHANNELS = ("email", "sms", "push", "whatsapp")
_METRICS = {
    "UserMessageSent": "sent",
    "MessageDelivered": "delivered",
    "MessageDelayed": "attempted",
    "MessageClicked": "clicked",
    "MessageBounced": "bounced",
    "MessageRejected": "dropped",
    "MessageFailed": "failed",
}
STATES = tuple(_METRICS)


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """One event; `event_id` is the same whenever the same is told."""
    metric = _METRICS[state]
    data: dict[str, Any] = {
        "customer_id": "0200102",
        "identifiers": {"id": "0200102", "email": None, "cio_id": "d9c106000001"},
        "delivery_id": sent.id,
        "campaign_id": 23,
        "action_id": 42,
    }
    if sent.channel == "push":
        data["recipients"] = [{"device_id": sent.to, "device_platform": "ios"}]
    else:
        data["recipient"] = sent.to
    if metric == "clicked":
        data |= {"href": "https://example.com/", "link_id": 1}
    if metric in ("attempted", "bounced", "dropped", "failed"):
        data["failure_message"] = "550 5.1.1 no such user"
    event_id = hashlib.sha256(f"{sent.id}{state}".encode()).hexdigest()[:26].upper()
    body = {
        "event_id": event_id,
        "object_type": sent.channel,
        "metric": metric,
        "timestamp": int(at.timestamp()),
        "data": data,
    }
    return Post(url, orjson.dumps(body), {"content-type": "application/json"})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """HMAC-SHA256 over the version, the timestamp and the body."""
    timestamp = str(int(at.timestamp()))
    message = b"v0:" + timestamp.encode() + b":" + post.body
    digest = hmac.new(settings["signing_key"].encode(), message, hashlib.sha256).hexdigest()
    return replace(post, headers=post.headers | {"X-CIO-Timestamp": timestamp, "X-CIO-Signature": digest})
