"""Simulates seven's webhooks: https://docs.seven.io/en/rest-api/webhooks and …/rest-api/signing."""

import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from adapters.simulating import Incoming, Post, Sent, Settings, Simulator, Statuses, Webhooks

_STATUSES = {
    "UserMessageSent": "TRANSMITTED",
    "MessageDelayed": "BUFFERED",
    "MessageDelivered": "DELIVERED",
    "MessageFailed": "NOTDELIVERED",
    "MessageRejected": "REJECTED",
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build the webhook `dlr`. Its time has no zone."""
    data = {"msg_id": sent.id, "status": _STATUSES[state], "timestamp": f"{at:%Y-%m-%d %H:%M:%S.%f}"}
    return _post(url, "dlr", data, at)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build the webhook `sms_mo`. Numbers have no plus sign."""
    data = {
        "id": incoming.id,
        "sender": incoming.sender.removeprefix("+"),
        "system": incoming.to.removeprefix("+"),
        "text": incoming.text,
        "time": str(int(at.timestamp())),
        "message_type": "SMS",
    }
    return _post(url, "sms_mo", data, at)


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Add the HMAC-SHA256 of time, nonce, method, URL and the body's MD5, one per line. The nonce is derived from the body,
    so that a fixture is signed the same each time."""
    timestamp = str(int(at.timestamp()))
    nonce = hashlib.sha256(post.body).hexdigest()[:32]
    body = hashlib.md5(post.body).hexdigest()  # noqa: S324  seven's scheme
    signed = f"{timestamp}\n{nonce}\n{post.method}\n{post.url}\n{body}".encode()
    signature = hmac.new(settings["signing_key"].encode(), signed, hashlib.sha256).hexdigest()
    made = {"X-Signature": signature, "X-Timestamp": timestamp, "X-Nonce": nonce}
    return replace(post, headers=post.headers | made)


def _post(url: str, event: str, data: dict[str, Any], at: datetime) -> Post:
    document = {"data": data, "webhook_event": event, "webhook_timestamp": at.isoformat(timespec="seconds")}
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms",),
        statuses=Statuses(states=tuple(_STATUSES), build=status, names_recipient=False),
        inbound=inbound,
        sign=sign,
    )
)
