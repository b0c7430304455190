"""Simulates Mandrill's message events and inbound mail, in one signed form field.

https://mailchimp.com/developer/transactional/docs/webhooks/
"""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson

from adapters.simulating import Incoming, Post, Sent, Settings, Simulator, Statuses, Webhooks

_EVENTS = {
    "UserMessageSent": "send",
    "MessageDelivered": "delivered",
    "MessageDelayed": "deferral",
    "MessageOpened": "open",
    "MessageClicked": "click",
    "MessageBounced": "hard_bounce",
    "MessageRejected": "reject",
    "MessageComplained": "spam",
    "RecipientUnsubscribed": "unsub",
}
_FORM = {"content-type": "application/x-www-form-urlencoded", "user-agent": "Mandrill-Webhook/1.0"}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a form with one event."""
    msg: dict[str, Any] = {
        "ts": int(at.timestamp()) - 5,
        "_id": sent.id,
        "state": "sent",
        "subject": "Hello",
        "email": sent.to,
        "sender": sent.sender,
        "tags": [],
        "metadata": {"reference": sent.reference} if sent.reference else {},
    }
    if state == "MessageBounced":
        msg |= {"state": "bounced", "bounce_description": "bad_mailbox", "diag": "smtp;550 5.1.1 no such user"}
    item: dict[str, Any] = {"event": _EVENTS[state], "_id": sent.id, "ts": int(at.timestamp()), "msg": msg}
    if state in ("MessageOpened", "MessageClicked"):
        item |= {"ip": "203.0.113.8", "user_agent": "Mozilla/5.0"}
    if state == "MessageClicked":
        item["url"] = "https://example.com/"
    return _post(item, url)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build a form with one inbound mail."""
    msg = {
        "from_email": incoming.sender,
        "from_name": "Ana",
        "email": incoming.to,
        "to": [[incoming.to, None]],
        "subject": "Hello",
        "text": incoming.text,
        "headers": {"Message-Id": f"<{incoming.id}@mail.example.com>"},
    }
    return _post({"event": "inbound", "ts": int(at.timestamp()), "msg": msg}, url)


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the URL and each field's name and value, sorted by name, by HMAC-SHA1."""
    pairs = parse_qsl(post.body.decode(), keep_blank_values=True)
    data = post.url + "".join(name + value for name, value in sorted(pairs))
    digest = hmac.new(settings["webhook_key"].encode(), data.encode(), hashlib.sha1).digest()
    return replace(post, headers=post.headers | {"X-Mandrill-Signature": base64.b64encode(digest).decode()})


def _post(item: dict[str, Any], url: str) -> Post:
    return Post(url, urlencode({"mandrill_events": orjson.dumps([item]).decode()}).encode(), dict(_FORM))


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("email",), statuses=Statuses(states=tuple(_EVENTS), build=status), inbound=inbound, sign=sign
    ),
)
