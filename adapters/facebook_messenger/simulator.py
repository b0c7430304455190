"""Simulates Facebook Messenger: the Send API, and signed webhooks of echoes, deliveries and inbound messages.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events,
…/messenger-platform/reference/send-api
"""

import hashlib
import hmac
import re
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from adapters.simulating import (
    Api,
    Call,
    Incoming,
    Post,
    Refusal,
    Refused,
    Reply,
    Sent,
    Settings,
    Simulator,
    Statuses,
    Webhooks,
)

CUSTOMERS = {"chat": "messenger:5278543218765432"}
SENDERS = {"chat": "1906385232743451"}
_REFUSALS: dict[Refusal, tuple[int, int, int | None, str]] = {
    "rate": (400, 613, None, "Calls to this API have exceeded the rate limit"),
    "invalid": (400, 100, 2018001, "No matching user found"),
    "unauthorized": (401, 190, None, "Invalid OAuth access token."),
    "unavailable": (500, 1200, None, "Temporary send message failure. Please try again later."),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Make an echo or a delivery. …/message-echoes, …/message-deliveries"""
    person, page = {"id": sent.to.removeprefix("messenger:")}, {"id": sent.sender}
    now = int(at.timestamp() * 1000)
    if state == "UserMessageSent":
        message: dict[str, Any] = {"mid": sent.id, "is_echo": True, "app_id": 1517776481860111, "text": sent.text}
        if sent.reference:
            message["metadata"] = sent.reference
        return _post(url, {"sender": page, "recipient": person, "timestamp": now, "message": message})
    delivery = {"mids": [sent.id], "watermark": now}
    return _post(url, {"sender": person, "recipient": page, "timestamp": now, "delivery": delivery})


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make the webhook of an inbound message. …/messages"""
    message = {"mid": f"m_{incoming.id}", "text": incoming.text}
    person = {"id": incoming.sender.removeprefix("messenger:")}
    time = int(at.timestamp() * 1000)
    return _post(url, {"sender": person, "recipient": {"id": incoming.to}, "timestamp": time, "message": message})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the body with HMAC-SHA256 and the app secret."""
    digest = hmac.new(settings["app_secret"].encode(), post.body, hashlib.sha256).hexdigest()
    return replace(post, headers=post.headers | {"X-Hub-Signature-256": f"sha256={digest}"})


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Accept one message. Raises Refused. …/send-api"""
    if call.headers.get("authorization") != f"Bearer {settings['access_token']}":
        raise Refused("unauthorized")
    place = re.fullmatch(r"/v[0-9]+\.[0-9]+/([0-9]+|me)/messages", call.path)
    body = orjson.loads(call.body)
    message, kind = body.get("message", {}), body.get("messaging_type")
    person = body.get("recipient", {}).get("id", "")
    if place is None or not person.isdigit():
        raise Refused("invalid", "(#100) No matching user found")
    if kind not in ("RESPONSE", "UPDATE", "MESSAGE_TAG", "UTILITY") or (kind == "MESSAGE_TAG") != ("tag" in body):
        raise Refused("invalid", "(#100) Param messaging_type must be one of …")
    if sum(part in message for part in ("text", "attachment", "template")) != 1:
        raise Refused("invalid", "(#100) Must provide text or attachment")
    page = place[1] if place[1] != "me" else SENDERS["chat"]
    to = f"messenger:{person}"
    return [Sent(f"m_{id}", "chat", to, page, message.get("text"), message.get("metadata"))]


def reply(sent: list[Sent]) -> Reply:
    """Return 200 with the recipient's and the message's id."""
    one = sent[0]
    return Reply(200, orjson.dumps({"recipient_id": one.to.removeprefix("messenger:"), "message_id": one.id}))


def refuse(why: Refusal) -> Reply:
    """Return an error. …/messenger-platform/error-codes"""
    status, code, subcode, text = _REFUSALS[why]
    error: dict[str, Any] = {"message": text, "type": "OAuthException", "code": code, "fbtrace_id": "BLBz/WZt8dN"}
    return Reply(status, orjson.dumps({"error": error | ({"error_subcode": subcode} if subcode else {})}))


def _post(url: str, item: dict[str, Any]) -> Post:
    entry = {"id": SENDERS["chat"], "time": item["timestamp"] + 120, "messaging": [item]}
    headers = {"content-type": "application/json", "user-agent": "facebookexternalua"}
    return Post(url, orjson.dumps({"object": "page", "entry": [entry]}), headers)


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("chat",),
        statuses=Statuses(states=("UserMessageSent", "MessageDelivered"), build=status),
        inbound=inbound,
        sign=sign,
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse),
    customers=CUSTOMERS,
    senders=SENDERS,
)
