"""Simulates LINE: the Messaging API's push messages, and webhooks with a user's messages.

https://developers.line.biz/en/reference/messaging-api/. LINE reports no status of a push message.
"""

import base64
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
    Idempotency,
    Incoming,
    Post,
    Refusal,
    Refused,
    Reply,
    Sent,
    Settings,
    Simulator,
    Webhooks,
)

CUSTOMERS = {"chat": "line:U0123456789abcdef0123456789abcdef"}
BOT = "Ufedcba9876543210fedcba9876543210"
_UUID = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_REFUSALS: dict[Refusal, tuple[int, str]] = {
    "rate": (429, "The API rate limit has been exceeded. Try again later."),
    "invalid": (400, "The property, 'to', in the request body is invalid (line: -, column: -)"),
    "unauthorized": (401, "Authentication failed due to the following reason: invalid token."),
    "unavailable": (500, "Internal Server Error"),
}


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make the webhook of an inbound text. …#message-event"""
    event = {
        "type": "message",
        "message": {"type": "text", "id": incoming.id, "quoteToken": f"q{incoming.id}", "text": incoming.text},
        "webhookEventId": f"01{incoming.id[:24].upper()}",
        "deliveryContext": {"isRedelivery": False},
        "timestamp": int(at.timestamp() * 1000),
        "source": {"type": "user", "userId": incoming.sender.removeprefix("line:")},
        "replyToken": incoming.id,
        "mode": "active",
    }
    headers = {"content-type": "application/json; charset=utf-8", "user-agent": "LineBotWebhook/2.0"}
    return Post(url, orjson.dumps({"destination": BOT, "events": [event]}), headers)


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the body with HMAC-SHA256, in base64. …#signature-validation"""
    digest = hmac.new(settings["channel_secret"].encode(), post.body, hashlib.sha256).digest()
    return replace(post, headers=post.headers | {"x-line-signature": base64.b64encode(digest).decode()})


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Accept one push. Raises Refused. …#send-push-message"""
    if call.headers.get("authorization") != f"Bearer {settings['channel_access_token']}":
        raise Refused("unauthorized")
    fields: dict[str, Any] = orjson.loads(call.body)
    if call.path != "/v2/bot/message/push" or not re.fullmatch("[UCR][0-9a-f]{32}", fields.get("to", "")):
        raise Refused("invalid", "The property, 'to', in the request body is invalid")
    if not _UUID.fullmatch(call.headers.get("x-line-retry-key", "")) or not 1 <= len(fields["messages"]) <= 5:
        raise Refused("invalid", "The request body has 1 error(s)")
    return [Sent(id, "chat", f"line:{fields['to']}", BOT, fields["messages"][0].get("text"))]


def key(call: Call) -> str | None:
    """Return the retry key. https://developers.line.biz/en/docs/messaging-api/retrying-api-request/"""
    return call.headers.get("x-line-retry-key")


def repeated(first: Reply) -> Reply:
    """Return 409 with the id of the accepted request and the messages that it sent."""
    fields = {"message": "The retry key is already accepted"} | orjson.loads(first.body)
    return Reply(409, orjson.dumps(fields), {"x-line-accepted-request-id": "123e4567-e89b-12d3-a456-426655440001"})


def reply(sent: list[Sent]) -> Reply:
    """Return 200 with the messages' ids. …#send-push-message-response"""
    return Reply(200, orjson.dumps({"sentMessages": [{"id": one.id, "quoteToken": f"q{one.id}"} for one in sent]}))


def refuse(why: Refusal) -> Reply:
    """Return an error. …#error-responses"""
    status, words = _REFUSALS[why]
    return Reply(status, orjson.dumps({"message": words}))


SIMULATOR = Simulator(
    webhooks=Webhooks(channels=("chat",), inbound=inbound, sign=sign),
    api=Api(accept=accept, reply=reply, refuse=refuse, idempotency=Idempotency(key=key, repeat=repeated)),
    customers=CUSTOMERS,
)
