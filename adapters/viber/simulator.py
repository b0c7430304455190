"""Simulates Viber: the REST Bot API's send_message, message receipts, and users' messages.

https://developers.viber.com/docs/api/rest-bot-api/
"""

import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any
from zlib import crc32

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

CUSTOMERS = {"chat": "viber:01234567890A=="}
_EVENTS = {"MessageDelivered": "delivered", "MessageRead": "seen", "MessageFailed": "failed"}
#: …#error-codes; a fault of Viber's own is HTTP's 500.
_REFUSALS: dict[Refusal, tuple[int, int, str]] = {
    "rate": (200, 12, "tooManyRequests"),
    "invalid": (200, 5, "receiverNotRegistered"),
    "unauthorized": (200, 2, "invalidAuthToken"),
    "unavailable": (500, 100, "general error"),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a receipt: …#message-receipts-callbacks, …#failed-callback."""
    document = {
        "event": _EVENTS[state],
        "timestamp": int(at.timestamp() * 1000),
        "message_token": _number(sent.id),
        "user_id": sent.to.removeprefix("viber:"),
    }
    if state == "MessageFailed":
        document["desc"] = "failure description"
    return _post(url, document)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build an inbound message: …#receive-message-from-user."""
    sender = {"id": incoming.sender.removeprefix("viber:"), "name": "Simulated", "language": "en", "country": "GB"}
    document = {
        "event": "message",
        "timestamp": int(at.timestamp() * 1000),
        "message_token": _number(incoming.id),
        "sender": sender | {"api_version": 10},
        "message": {"type": "text", "text": incoming.text},
        "silent": False,
    }
    return _post(url, document)


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the body with the token as the key: …#callbacks."""
    digest = hmac.new(settings["auth_token"].encode(), post.body, hashlib.sha256).hexdigest()
    return replace(post, headers=post.headers | {"X-Viber-Content-Signature": digest})


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a send request: …#send-message. Raises Refused."""
    if call.headers.get("x-viber-auth-token") != settings["auth_token"]:
        raise Refused("unauthorized")
    fields: dict[str, Any] = orjson.loads(call.body)
    if call.path != "/pa/send_message" or not fields.get("receiver") or not fields.get("sender", {}).get("name"):
        raise Refused("invalid", "missingData")
    needs = {"text": "text", "picture": "media"}.get(fields.get("type", ""))
    if needs is None or not fields.get(needs):
        raise Refused("invalid", "badData")
    to, sender = f"viber:{fields['receiver']}", fields["sender"]["name"]
    return [Sent(id, "chat", to, sender, fields.get("text"), fields.get("tracking_data"))]


def reply(sent: list[Sent]) -> Reply:
    """Return success: …#response."""
    document = {
        "status": 0,
        "status_message": "ok",
        "message_token": _number(sent[0].id),
        "chat_hostname": f"SN-{crc32(sent[0].id.encode()) % 1000}_",
        "billing_status": 1,
    }
    return Reply(200, orjson.dumps(document))


def refuse(why: Refusal) -> Reply:
    """Return an error response: …#error-codes."""
    status, code, words = _REFUSALS[why]
    return Reply(status, orjson.dumps({"status": code, "status_message": words}))


def _post(url: str, document: dict[str, Any]) -> Post:
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})


def _number(text: str) -> int | str:
    """Return an id as a number, as Viber's tokens are; ids of test data may be other text."""
    return int(text) if text.isdecimal() and len(text) < 20 else text


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("chat",), statuses=Statuses(states=tuple(_EVENTS), build=status), inbound=inbound, sign=sign
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse),
    customers=CUSTOMERS,
)
