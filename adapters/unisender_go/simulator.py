"""Simulates Unisender Go's signed statuses of mails: https://godocs.unisender.ru/web-api-ref#callback-format."""

import hashlib
import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from adapters.simulating import Post, Sent, Settings, Simulator, Statuses, Webhooks

_WORDS = {
    "UserMessageSent": "sent",
    "MessageDelivered": "delivered",
    "MessageOpened": "opened",
    "MessageClicked": "clicked",
    "MessageDelayed": "soft_bounced",
    "MessageBounced": "hard_bounced",
    "MessageComplained": "spam",
    "RecipientUnsubscribed": "unsubscribed",
    "RecipientSubscribed": "subscribed",
}
_EMPTY = "0" * 32


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a list of one status."""
    data: dict[str, Any] = {
        "job_id": sent.id,
        "metadata": {"reference": sent.reference} if sent.reference else {},
        "email": sent.to,
        "status": _WORDS[state],
        "event_time": f"{at:%Y-%m-%d %H:%M:%S}",
    }
    if state == "MessageClicked":
        data["url"] = "https://shop.example.com/orders/4711"
    if state in ("MessageDelayed", "MessageBounced"):
        later = state == "MessageDelayed"
        data["delivery_info"] = {
            "delivery_status": "err_will_retry" if later else "err_user_unknown",
            "destination_response": "451 4.7.1 try again later" if later else "550 5.1.1 no such user",
        }
    event = {"event_name": "transactional_email_status", "event_data": data}
    document = {"auth": _EMPTY, "events_by_user": [{"user_id": 456, "events": [event]}]}
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Put the MD5 of the body with the API key as its `auth` into the place of `auth`."""
    before, auth, after = re.split(rb'("auth":\s*")(?:[0-9a-f]{32})?', post.body, maxsplit=1)
    digest = hashlib.md5(before + auth + settings["api_key"].encode() + after, usedforsecurity=False).hexdigest()
    return replace(post, body=before + auth + digest.encode() + after)


SIMULATOR = Simulator(
    webhooks=Webhooks(channels=("email",), statuses=Statuses(states=tuple(_WORDS), build=status), sign=sign),
)
