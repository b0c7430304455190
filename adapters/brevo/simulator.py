"""Simulates Brevo: /v3/smtp/email, its transactional webhooks of mail and SMS, and inbound parsing.

https://developers.brevo.com/docs/transactional-webhooks, …/docs/inbound-parse-webhooks, …/reference/sendtransacemail.
"""

import base64
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
    Statuses,
    Webhooks,
)

_EVENTS = {
    "MessageQueued": "request",
    "MessageDelayed": "deferred",
    "MessageDelivered": "delivered",
    "MessageOpened": "opened",
    "MessageClicked": "click",
    "MessageBounced": "hard_bounce",
    "MessageRejected": "blocked",
    "MessageComplained": "spam",
    "RecipientUnsubscribed": "unsubscribed",
}
_REFUSALS: dict[Refusal, tuple[int, str, str]] = {
    "rate": (429, "too_many_requests", "Too many requests"),
    "invalid": (400, "invalid_parameter", "email is not valid in to"),
    "unauthorized": (401, "unauthorized", "Key not found"),
    "unavailable": (503, "internal_error", "Service unavailable"),
}
_JSON = {"content-type": "application/json"}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Make the webhook of one event; `id` is the webhook's, not the event's."""
    word = _EVENTS[state]
    item: dict[str, Any] = {
        "event": word,
        "email": sent.to,
        "id": 26224,
        "date": at.strftime("%Y-%m-%d %H:%M:%S"),
        "ts": int(at.timestamp()),
        "message-id": f"<{_id(sent)}>",
        "ts_event": int(at.timestamp()),
        "subject": "Your order",
        "sending_ip": "192.0.2.7",
        "ts_epoch": int(at.timestamp() * 1000),
        "tags": [],
    }
    if sent.reference:
        item["X-Mailin-custom"] = orjson.dumps({"reference": sent.reference}).decode()
    if word in ("deferred", "hard_bounce", "blocked"):
        item["reason"] = "550 5.1.1 no such user" if word == "hard_bounce" else "421 4.3.2 try again later"
    elif word == "click":
        item["link"] = "https://example.com/orders/1"
    return Post(url, orjson.dumps(item), dict(_JSON))


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make the webhook of one inbound mail. …/docs/inbound-parse-webhooks"""
    item = {
        "Uuid": [
            f"{incoming.id[:8]}-{incoming.id[8:12]}-{incoming.id[12:16]}-{incoming.id[16:20]}-{incoming.id[20:32]}"
        ],
        "MessageId": f"<{incoming.id}@mail.example.com>",
        "InReplyTo": None,
        "From": {"Name": "Ana", "Address": incoming.sender},
        "To": [{"Name": None, "Address": incoming.to}],
        "Recipients": [incoming.to],
        "Cc": [],
        "ReplyTo": None,
        "SentAtDate": at.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        "Subject": "A question",
        "RawHtmlBody": None,
        "RawTextBody": incoming.text,
        "ExtractedMarkdownMessage": incoming.text,
        "ExtractedMarkdownSignature": None,
        "SpamScore": 0.1,
        "Attachments": [],
        "Headers": {},
    }
    return Post(url, orjson.dumps({"items": [item]}), dict(_JSON))


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Add the configured header, or else the URL's user and password; nothing is signed."""
    if "webhook_header" in settings:
        name, _, value = settings["webhook_header"].partition(": ")
        return replace(post, headers=post.headers | {name.lower(): value})
    credentials = base64.b64encode(settings["basic_auth"].encode()).decode()
    return replace(post, headers=post.headers | {"authorization": f"Basic {credentials}"})


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Accept POST /v3/smtp/email. Raises Refused."""
    if call.headers.get("api-key") != settings["api_key"]:
        raise Refused("unauthorized")
    request = orjson.loads(call.body)
    (to,) = request.get("to", [{}])
    if call.path != "/v3/smtp/email" or "@" not in to.get("email", "") or "@" not in request["sender"].get("email", ""):
        raise Refused("invalid", "email is not valid in to")
    if "templateId" not in request and not (
        "subject" in request and ("textContent" in request or "htmlContent" in request)
    ):
        raise Refused("invalid", "either of htmlContent, textContent or templateId is required")
    custom = orjson.loads(request.get("headers", {}).get("X-Mailin-custom", "{}"))
    reference = custom.get("reference")
    return [Sent(id, "email", to["email"], request["sender"]["email"], request.get("textContent"), reference)]


def key(call: Call) -> str | None:
    """Return the idempotency key. …/docs/heterogenous-versions-batch-emails"""
    found: str | None = orjson.loads(call.body).get("headers", {}).get("idempotencyKey")
    return found


def repeated(first: Reply) -> Reply:
    """Refuse a repeated idempotency key."""
    return Reply(400, orjson.dumps({"code": "duplicate_parameter", "message": "duplicate idempotencyKey"}))


def reply(sent: list[Sent]) -> Reply:
    """Return 201 with the message's id."""
    return Reply(201, orjson.dumps({"messageId": f"<{_id(sent[0])}>"}))


def refuse(why: Refusal) -> Reply:
    """Return an error with its code and message."""
    code, name, words = _REFUSALS[why]
    return Reply(code, orjson.dumps({"code": name, "message": words}))


def _id(sent: Sent) -> str:
    return f"{sent.id}@smtp-relay.mailin.fr"


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("email",), statuses=Statuses(states=tuple(_EVENTS), build=status), inbound=inbound, sign=sign
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse, idempotency=Idempotency(key=key, repeat=repeated)),
)
