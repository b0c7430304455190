"""Meta's WhatsApp Cloud API played: statuses and messages, signed.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview
"""

import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from app.simulator.base import Post, Said, Sent, Settings

CHANNELS = ("whatsapp",)
_STATUSES = {
    "UserMessageSent": "sent",
    "MessageDelivered": "delivered",
    "MessageRead": "read",
    "MessageFailed": "failed",
}
STATES = tuple(_STATUSES)


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """…/webhooks/reference/messages/status"""
    item: dict[str, Any] = {
        "id": sent.id,
        "status": _STATUSES[state],
        "timestamp": str(int(at.timestamp())),
        "recipient_id": sent.to.removeprefix("+"),
    }
    if sent.reference:
        item["biz_opaque_callback_data"] = sent.reference
    if state == "MessageFailed":
        item["errors"] = [{"code": 131026, "title": "Message undeliverable"}]
    return _post(url, sent.sender, {"statuses": [item]})


def inbound(said: Said, at: datetime, url: str) -> Post:
    """…/webhooks/reference/messages/text"""
    sender = said.sender.removeprefix("+")
    item = {
        "from": sender,
        "id": said.id,
        "timestamp": str(int(at.timestamp())),
        "type": "text",
        "text": {"body": said.text},
    }
    contacts = [{"profile": {"name": "Simulated"}, "wa_id": sender}]
    return _post(url, said.to, {"contacts": contacts, "messages": [item]})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """HMAC-SHA256 of the body with the app secret."""
    digest = hmac.new(settings["app_secret"].encode(), post.body, hashlib.sha256).hexdigest()
    return replace(post, headers=post.headers | {"X-Hub-Signature-256": f"sha256={digest}"})


def _post(url: str, ours: str, value: dict[str, Any]) -> Post:
    metadata = {"display_phone_number": ours.removeprefix("+"), "phone_number_id": "106540352242922"}
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
    document = {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})
