"""Simulates Instagram Messaging: signed webhooks of echoes, seen messages and inbound messages.

https://developers.facebook.com/documentation/business-messaging/instagram-messaging/webhooks
"""

import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from adapters.simulating import Incoming, Post, Sent, Settings, Simulator, Statuses, Webhooks

CUSTOMERS = {"chat": "instagram:3603717463085785"}
SENDERS = {"chat": "17841453247170088"}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Make an echo (`is_echo`), or a `read` (`messaging_seen`)."""
    person, account = {"id": sent.to.removeprefix("instagram:")}, {"id": sent.sender}
    now = int(at.timestamp() * 1000)
    if state == "UserMessageSent":
        message = {"mid": sent.id, "is_echo": True, "text": sent.text}
        return _post(url, {"sender": account, "recipient": person, "timestamp": now, "message": message})
    return _post(url, {"sender": person, "recipient": account, "timestamp": now, "read": {"mid": sent.id}})


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make the webhook of an inbound text."""
    person, account = {"id": incoming.sender.removeprefix("instagram:")}, {"id": incoming.to}
    message = {"mid": f"aWdfZAG{incoming.id}", "text": incoming.text}
    return _post(
        url, {"sender": person, "recipient": account, "timestamp": int(at.timestamp() * 1000), "message": message}
    )


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the body with HMAC-SHA256 and the app secret."""
    digest = hmac.new(settings["app_secret"].encode(), post.body, hashlib.sha256).hexdigest()
    return replace(post, headers=post.headers | {"X-Hub-Signature-256": f"sha256={digest}"})


def _post(url: str, item: dict[str, Any]) -> Post:
    entry = {"time": item["timestamp"] + 120, "id": SENDERS["chat"], "messaging": [item]}
    headers = {"content-type": "application/json", "user-agent": "facebookexternalua"}
    return Post(url, orjson.dumps({"object": "instagram", "entry": [entry]}), headers)


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("chat",),
        statuses=Statuses(states=("UserMessageSent", "MessageRead"), build=status),
        inbound=inbound,
        sign=sign,
    ),
    customers=CUSTOMERS,
    senders=SENDERS,
)
