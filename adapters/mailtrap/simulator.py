"""Simulates Mailtrap's signed sending events: https://docs.mailtrap.io/email-api-smtp/advanced/webhooks"""

import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson

from adapters.simulating import Post, Sent, Settings, Simulator, Statuses, Webhooks

_EVENTS: dict[str, tuple[str, dict[str, Any]]] = {
    "MessageDelivered": ("delivery", {}),
    "MessageDelayed": ("soft bounce", {"response": "451 4.7.1 try again later", "response_code": 451}),
    "MessageOpened": ("open", {"ip": "203.0.113.8", "user_agent": "Mozilla/5.0"}),
    "MessageClicked": ("click", {"ip": "203.0.113.8", "user_agent": "Mozilla/5.0", "url": "https://example.com/"}),
    "MessageBounced": ("bounce", {"response": "550 5.1.1 no such user", "response_code": 550}),
    "MessageRejected": ("reject", {"reason": "unknown"}),
    "MessageComplained": ("spam", {}),
    "RecipientUnsubscribed": ("unsubscribe", {"ip": "203.0.113.8", "user_agent": "Mozilla/5.0"}),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a list of one event."""
    word, more = _EVENTS[state]
    item: dict[str, Any] = {
        "event": word,
        "timestamp": int(at.timestamp()),
        "sending_stream": "transactional",
        "message_id": sent.id,
        "email": sent.to,
        "event_id": str(uuid5(NAMESPACE_URL, f"{sent.id}{state}")),
        **more,
    }
    if sent.reference:
        item["custom_variables"] = {"reference": sent.reference}
    return Post(url, orjson.dumps({"events": [item]}), {"content-type": "application/json"})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the body: …/advanced/webhooks#webhook-signature-verification."""
    digest = hmac.new(settings["signing_secret"].encode(), post.body, hashlib.sha256).hexdigest()
    return replace(post, headers=post.headers | {"Mailtrap-Signature": digest})


SIMULATOR = Simulator(
    webhooks=Webhooks(channels=("email",), statuses=Statuses(states=tuple(_EVENTS), build=status), sign=sign),
)
