"""Simulates Zenvia: messages that it accepted for sending, and inbound messages.

https://github.com/zenvia/zenvia-openapi-spec/blob/master/spec/tags/subscriptions.md. Later statuses do not name the
recipient, so they cannot be part of a simulated customer's timeline.
"""

import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from adapters.simulating import Incoming, Post, Sent, Settings, Simulator, Statuses, Webhooks


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a MESSAGE event of the direction OUT."""
    return _post(url, at, sent.id, sent.channel, "OUT", sent.sender, sent.to, sent.text or "")


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build a MESSAGE event of the direction IN."""
    return _post(url, at, incoming.id, incoming.channel, "IN", incoming.sender, incoming.to, incoming.text)


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Add the header that the subscription was created with."""
    name, _, value = settings["webhook_header"].partition(":")
    return replace(post, headers=post.headers | {name.strip().lower(): value.strip()})


def _post(url: str, at: datetime, id: str, channel: str, direction: str, sender: str, to: str, text: str) -> Post:
    message: dict[str, Any] = {
        "id": id,
        "from": sender.removeprefix("+"),
        "to": to.removeprefix("+"),
        "direction": direction,
        "channel": channel,
        "contents": [{"type": "text", "text": text}],
    }
    if direction == "IN" and channel == "whatsapp":
        message["visitor"] = {"name": "Simulated"}
    document = {
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"{id} {direction}")),
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "type": "MESSAGE",
        "subscriptionId": "3b1a1f9c-0000-4000-8000-0123456789ab",
        "channel": channel,
        "direction": direction,
        "message": message,
    }
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms", "whatsapp"),
        statuses=Statuses(states=("MessageQueued",), build=status),
        inbound=inbound,
        sign=sign,
    ),
)
