"""Simulates Gupshup: WhatsApp messages and their events in Gupshup's own format, version 2.

https://docs.gupshup.io/docs/message-events, https://docs.gupshup.io/docs/text
"""

from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson

from adapters.simulating import Incoming, Post, Sent, Settings, Simulator, Statuses, Webhooks

_STATUSES = {
    "MessageQueued": "enqueued",
    "UserMessageSent": "sent",
    "MessageDelivered": "delivered",
    "MessageRead": "read",
    "MessageFailed": "failed",
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Make a message's event. `id` is Gupshup's until WhatsApp accepts the message; then WhatsApp's, with Gupshup's in
    `gsId`. …/docs/message-events"""
    word = _STATUSES[state]
    item: dict[str, Any] = {"id": sent.id, "type": word, "destination": sent.to.removeprefix("+")}
    if state == "MessageQueued":
        item["payload"] = {"whatsappMessageId": f"gBEG{sent.id}", "type": "session"}
    elif state == "MessageFailed":
        item["payload"] = {"code": 1002, "reason": "Number Does Not Exists On WhatsApp"}
    else:
        item |= {"id": f"gBEG{sent.id}", "gsId": sent.id, "payload": {"ts": int(at.timestamp())}}
    return _post(url, at, "message-event", item)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make the webhook of an inbound text. …/docs/text"""
    number = incoming.sender.removeprefix("+")
    sender = {"phone": number, "name": "Simulated", "country_code": number[:1], "dial_code": number[1:]}
    item = {"id": incoming.id, "source": number, "type": "text", "payload": {"text": incoming.text}, "sender": sender}
    return _post(url, at, "message", item)


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Return the post with the secret in its URL."""
    address, _, query = post.url.partition("?")
    pairs = [pair for pair in parse_qsl(query, keep_blank_values=True) if pair[0] != "key"]
    return replace(post, url=f"{address}?{urlencode([*pairs, ('key', settings['url_secret'])])}")


def _post(url: str, at: datetime, kind: str, item: dict[str, Any]) -> Post:
    document = {"app": "Shop", "timestamp": int(at.timestamp() * 1000), "version": 2, "type": kind, "payload": item}
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("whatsapp",), statuses=Statuses(states=tuple(_STATUSES), build=status), inbound=inbound, sign=sign
    ),
)
