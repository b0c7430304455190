"""Simulates Turn.io's signed statuses and inbound messages: https://whatsapp.turn.io/docs/api/webhooks"""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from adapters.simulating import Incoming, Post, Sent, Settings, Simulator, Statuses, Webhooks

_STATUSES = {
    "UserMessageSent": "sent",
    "MessageDelivered": "delivered",
    "MessageRead": "read",
    "MessageFailed": "failed",
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a status notification."""
    item: dict[str, Any] = {
        "id": sent.id,
        "recipient_id": sent.to.removeprefix("+"),
        "status": _STATUSES[state],
        "timestamp": str(int(at.timestamp())),
    }
    if state == "MessageFailed":
        item["errors"] = [{"code": 131026, "title": "Message undeliverable", "message": "Message undeliverable"}]
    return _post(url, {"statuses": [item]})


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build an inbound message."""
    sender = incoming.sender.removeprefix("+")
    message = {
        "_vnd": {"v1": {"direction": "inbound", "author": {"id": sender, "name": "Simulated", "type": "OWNER"}}},
        "from": sender,
        "id": incoming.id,
        "text": {"body": incoming.text},
        "timestamp": str(int(at.timestamp())),
        "type": "text",
    }
    contacts = [{"profile": {"name": "Simulated"}, "wa_id": sender}]
    return _post(url, {"contacts": contacts, "messages": [message]})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the body by HMAC-SHA256 with the webhook's secret, in base64."""
    digest = hmac.new(settings["webhook_secret"].encode(), post.body, hashlib.sha256).digest()
    return replace(post, headers=post.headers | {"X-Turn-Hook-Signature": base64.b64encode(digest).decode()})


def _post(url: str, document: dict[str, Any]) -> Post:
    headers = {"content-type": "application/json", "x-turn-hook-subscription": "whatsapp"}
    return Post(url, orjson.dumps(document), headers)


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("whatsapp",), statuses=Statuses(states=tuple(_STATUSES), build=status), inbound=inbound, sign=sign
    ),
)
