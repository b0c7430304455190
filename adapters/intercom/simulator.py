"""Simulates Intercom: messages of a contact and of a teammate.

https://developers.intercom.com/docs/webhooks, https://developers.intercom.com/docs/references/webhooks/webhook-models
"""

import hashlib
import hmac
import html
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from adapters.simulating import Incoming, Post, Sent, Settings, Simulator, Statuses, Webhooks

CUSTOMERS = {"chat": "intercom:5ba682d23d7cf92bef87bfd4"}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Make the notification of a teammate's reply (`conversation.admin.replied`)."""
    author = {"type": "admin", "id": "274", "name": "Shop", "email": "shop@example.com"}
    part = _part(sent.id, sent.text or "", author, at)
    return _post(url, at, "conversation.admin.replied", _conversation(_contact(sent.to), at, [part]))


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make the notification of a contact's reply (`conversation.user.replied`)."""
    author = {"type": "user", "id": _contact(incoming.sender), "name": "Simulated", "email": ""}
    part = _part(incoming.id, incoming.text, author, at)
    return _post(url, at, "conversation.user.replied", _conversation(_contact(incoming.sender), at, [part]))


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the body with HMAC-SHA1."""
    digest = hmac.new(settings["client_secret"].encode(), post.body, hashlib.sha1).hexdigest()
    return replace(post, headers=post.headers | {"X-Hub-Signature": f"sha1={digest}"})


def _contact(address: str) -> str:
    return address.removeprefix("intercom:")


def _part(id: str, text: str, author: dict[str, str], at: datetime) -> dict[str, Any]:
    return {
        "type": "conversation_part",
        "id": id,
        "part_type": "comment",
        "body": f"<p>{html.escape(text, quote=False)}</p>",
        "created_at": int(at.timestamp()),
        "author": author,
        "attachments": [],
    }


def _conversation(contact: str, at: datetime, parts: list[dict[str, Any]]) -> dict[str, Any]:
    author = {"type": "user", "id": contact, "name": "Simulated", "email": ""}
    return {
        "type": "conversation",
        "id": "1199",
        "created_at": int(at.timestamp()) - 60,
        "source": {"type": "conversation", "id": "403918", "body": "<p>Hello</p>", "author": author},
        "contacts": {"type": "contact.list", "contacts": [{"type": "contact", "id": contact}]},
        "state": "open",
        "conversation_parts": {"type": "conversation_part.list", "conversation_parts": parts, "total_count": 1},
    }


def _post(url: str, at: datetime, topic: str, item: dict[str, Any]) -> Post:
    part = item["conversation_parts"]["conversation_parts"][0]["id"]
    document = {
        "type": "notification_event",
        "app_id": "a86dr8yl",
        "data": {"type": "notification_event_data", "item": item},
        "links": {},
        "id": f"notif_{part}",
        "topic": topic,
        "delivery_status": "pending",
        "delivery_attempts": 1,
        "delivered_at": 0,
        "first_sent_at": int(at.timestamp()),
        "created_at": int(at.timestamp()),
        "self": None,
    }
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("chat",), statuses=Statuses(states=("UserMessageSent",), build=status), inbound=inbound, sign=sign
    ),
    customers=CUSTOMERS,
)
