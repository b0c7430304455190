"""Simulates Bandwidth: a message's events and inbound messages. https://dev.bandwidth.com/docs/messaging/webhooks"""

import base64
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from adapters.simulating import Incoming, Post, Sent, Settings, Simulator, Statuses, Webhooks

_TYPES = {
    "UserMessageSent": ("message-sent", "Message sent to carrier"),
    "MessageDelivered": ("message-delivered", "Message delivered to carrier."),
    "MessageRead": ("message-read", "Message read by recipient."),
    "MessageQueued": ("message-sending", "Message is sending to carrier"),
    "MessageFailed": ("message-failed", "rejected-unallocated-to-number"),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Make a list with one event of an outbound message."""
    type, description = _TYPES[state]
    message = _message(sent.id, "out", sent.sender, sent.to, "", at)
    if sent.reference:
        message["tag"] = sent.reference
    item: dict[str, Any] = {
        "type": type,
        "time": _time(at),
        "description": description,
        "to": sent.to,
        "message": message,
    }
    if sent.channel == "rcs":
        message |= {"channel": "RBM", "content": {"text": sent.text or ""}}
    if state == "MessageFailed":
        item["errorCode"] = 4406
    elif state == "MessageRead":
        item["eventTime"] = _time(at)
    return _post(url, item)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make a list with the event of an inbound message."""
    message = _message(incoming.id, "in", incoming.sender, incoming.to, incoming.text, at)
    if incoming.channel == "rcs":
        message |= {"channel": "RBM", "content": {"text": message.pop("text")}}
    item = {
        "type": "message-received",
        "time": _time(at),
        "description": "Incoming message received",
        "to": incoming.to,
    }
    return _post(url, {**item, "message": message})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Add the application's user and password; nothing is signed."""
    credentials = base64.b64encode(settings["basic_auth"].encode()).decode()
    return replace(post, headers=post.headers | {"authorization": f"Basic {credentials}"})


def _message(id: str, direction: str, sender: str, to: str, text: str, at: datetime) -> dict[str, Any]:
    return {
        "id": id,
        "owner": sender if direction == "out" else to,
        "applicationId": "93de2206-9669-4e07-948d-329f4b722ee2",
        "time": _time(at),
        "segmentCount": 1,
        "direction": direction,
        "to": [to],
        "from": sender,
        "text": text,
    }


def _post(url: str, item: dict[str, Any]) -> Post:
    headers = {"content-type": "application/json; charset=utf-8", "user-agent": "BandwidthAPI/v2"}
    return Post(url, orjson.dumps([item]), headers)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms", "rcs"),
        statuses=Statuses(states=tuple(_TYPES), build=status, absent={"sms": ("MessageRead",)}),
        inbound=inbound,
        sign=sign,
    ),
)
