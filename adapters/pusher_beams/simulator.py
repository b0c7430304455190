"""Simulates Pusher Beams' signed reports on pushes: https://pusher.com/docs/beams/concepts/webhooks"""

import hashlib
import hmac
import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from adapters.simulating import Post, Sent, Settings, Simulator, Statuses, Webhooks

CUSTOMERS = {"push": "user_id:user-0001"}
_LISTS = {
    "UserMessageSent": "users_delivered_to_gateway",
    "MessageFailed": "users_gateway_failed",
    "MessageRejected": "users_no_devices",
}
_REPORTS = {
    "MessageDelivered": "v1.UserNotificationAcknowledgement",
    "MessageOpened": "v1.UserNotificationOpen",
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a device's report, or an attempt with this user alone."""
    user = sent.to.removeprefix("user_id:")
    payload: dict[str, Any] = {"instance_id": "9c83c1b2-0000-49c5-94c2-bfc96f9bec49", "publish_id": f"pubid-{sent.id}"}
    kind = _REPORTS.get(state, "v1.PublishToUsersAttempt")
    if state in _REPORTS:
        payload["user_id"] = user
    else:
        payload |= {name: [user] if name == _LISTS[state] else [] for name in _LISTS.values()}
    event_id = str(uuid.uuid5(uuid.NAMESPACE_OID, f"{sent.id}{user}{state}"))
    metadata = {
        "created_at": f"{at:%Y-%m-%dT%H:%M:%S}+0000",
        "event_type": kind,
        "event_id": event_id,
        "product": "beams",
    }
    body = orjson.dumps({"payload": payload, "metadata": metadata, "custom_data": {}})
    headers = {
        "content-type": "application/json",
        "user-agent": "pusher-webhooks",
        "webhook-event-type": kind,
        "webhook-request-id-uuid": event_id,
    }
    return Post(url, body, headers)


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the body by HMAC-SHA1, in hex."""
    digest = hmac.new(settings["secret"].encode(), post.body, hashlib.sha1).hexdigest()
    return replace(post, headers=post.headers | {"Webhook-Signature": digest})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("push",),
        statuses=Statuses(
            states=("UserMessageSent", "MessageDelivered", "MessageOpened", "MessageFailed", "MessageRejected"),
            build=status,
        ),
        sign=sign,
    ),
    customers=CUSTOMERS,
)
