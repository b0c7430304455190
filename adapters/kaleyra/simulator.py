"""Simulates Kaleyra: WhatsApp messages and their statuses.

https://developers.kaleyra.io/docs/wa-status-update-webhooks-payload-v2-sent
"""

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
    """Make a status callback. …/wa-status-update-webhooks-payload-v2-sent"""
    word = _STATUSES[state]
    item: dict[str, Any] = {
        "id": f"k{sent.id}",
        "status": word,
        "timestamp": str(int(at.timestamp())),
        "recipient_id": sent.to.removeprefix("+"),
    }
    if state == "MessageFailed":
        item["errors"] = [{"code": 131026, "title": "Message undeliverable"}]
    return _post(url, sent.sender, {"statuses": [item]}, {"status": word, "message_id": sent.id}, sent.reference)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make the callback of an inbound message, in the same format."""
    sender = incoming.sender.removeprefix("+")
    text = {"body": incoming.text}
    item = {"from": sender, "id": incoming.id, "timestamp": str(int(at.timestamp())), "type": "text", "text": text}
    contacts = [{"profile": {"name": "Simulated"}, "wa_id": sender}]
    return _post(url, incoming.to, {"contacts": contacts, "messages": [item]}, {}, None)


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Add the callback profile's header."""
    name, _, value = settings["webhook_header"].partition(":")
    return replace(post, headers=post.headers | {name.strip().lower(): value.strip()})


def _post(url: str, ours: str, value: dict[str, Any], beside: dict[str, Any], ref: str | None) -> Post:
    metadata = {"display_phone_number": ours.removeprefix("+"), "phone_number_id": "104000000000060"}
    meta = {"value": {"messaging_product": "whatsapp", "metadata": metadata, **value}, "field": "messages"}
    extra = {"trace_id": "8f14e45f-0000-4c1a-9e77-1a5000000000", "waba_id": "120000034512345", "ref": ref}
    document = {"meta_object": meta, "extra_info": extra, **beside}
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("whatsapp",), statuses=Statuses(states=tuple(_STATUSES), build=status), inbound=inbound, sign=sign
    ),
)
