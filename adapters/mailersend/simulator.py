"""Simulates MailerSend: activity webhooks of version 2, inbound mail, and the e-mail endpoint.

https://developers.mailersend.com/api/v1/webhooks.html, https://developers.mailersend.com/api/v1/email.html.
"""

import hashlib
import hmac
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

_TYPES = {
    "UserMessageSent": "sent",
    "MessageDelivered": "delivered",
    "MessageDelayed": "deferred",
    "MessageBounced": "hard_bounced",
    "MessageRejected": "suppressed",
    "MessageOpened": "opened",
    "MessageClicked": "clicked",
    "MessageComplained": "spam_complaint",
    "RecipientUnsubscribed": "unsubscribed",
}
_META: dict[str, dict[str, Any]] = {
    "MessageBounced": {"bounce_reason": "Host or domain name not found", "bounce_code": 550, "bounce_type": "hard"},
    "MessageRejected": {"suppression_reason": "on_hold"},
    "MessageOpened": {"ip": "203.0.113.8", "user_agent": "Mozilla/5.0"},
    "MessageClicked": {"ip": "203.0.113.8", "user_agent": "Mozilla/5.0", "url": "https://example.com/"},
}
_REFUSALS: dict[Refusal, tuple[int, dict[str, Any]]] = {
    "rate": (429, {"message": "Too Many Attempts."}),
    "invalid": (
        422,
        {"message": "The given data was invalid.", "errors": {"to.0.email": ["The to.0.email must be a valid email."]}},
    ),
    "unauthorized": (401, {"message": "Unauthenticated."}),
    "unavailable": (503, {"message": "Service Unavailable"}),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build an activity webhook: …/webhooks.html#payload-example."""
    word = _TYPES[state]
    data = {
        "id": hashlib.sha256(f"{sent.id}{state}".encode()).hexdigest()[:24],
        "domain_id": "yv69oxl5kl785kw2",
        "message_id": sent.id,
        "email_id": hashlib.sha256(sent.id.encode()).hexdigest()[:24],
        "type": "spam_complaints" if word == "spam_complaint" else word,
        "subject": "Hello",
        "recipient": sent.to,
        "tags": [f"reference:{sent.reference}"] if sent.reference else [],
        "meta": _META.get(state, []),
    }
    return _post(
        {"type": f"activity.{word}", "created_at": _iso(at), "data": data, "webhook_id": "2351ndgwr4zqx8ko"}, url
    )


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build the webhook of an inbound route."""
    data = {
        "object": "message",
        "id": incoming.id,
        "recipients": {
            "rcptTo": [{"email": incoming.to}],
            "to": {"raw": incoming.to, "data": [{"email": incoming.to}]},
        },
        "from": {"email": incoming.sender, "name": "Ana", "raw": f"Ana <{incoming.sender}>"},
        "sender": {"email": incoming.sender},
        "subject": "Hello",
        "headers": {"Message-ID": f"<{incoming.id}@mail.example.com>"},
        "text": incoming.text,
        "attachments": [],
        "created_at": _iso(at),
    }
    return _post(
        {"type": "inbound.message", "inbound_id": "v57gn2j67qlr6z4d", "created_at": _iso(at), "data": data}, url
    )


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the body: …/webhooks.html#security."""
    digest = hmac.new(settings["signing_secret"].encode(), post.body, hashlib.sha256).hexdigest()
    return replace(post, headers=post.headers | {"Signature": digest})


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a send request: …/email.html#send-an-email. Raises Refused."""
    if call.headers.get("authorization") != f"Bearer {settings['api_key']}":
        raise Refused("unauthorized")
    mail = orjson.loads(call.body)
    if call.path != "/v1/email" or not mail.get("to") or "@" not in mail.get("from", {}).get("email", ""):
        raise Refused("invalid", "The given data was invalid.")
    if "template_id" not in mail and not (mail.get("subject") and (mail.get("text") or mail.get("html"))):
        raise Refused("invalid", "The text field is required when html is not present.")
    tag = next((tag for tag in mail.get("tags", []) if tag.startswith("reference:")), "")
    reference = tag.partition(":")[2] or None
    return [Sent(id[:24], "email", mail["to"][0]["email"], mail["from"]["email"], mail.get("text"), reference)]


def reply(sent: list[Sent]) -> Reply:
    """Return 202 without a body, with the id in a header."""
    return Reply(202, b"", {"content-type": "text/plain; charset=utf-8", "x-message-id": sent[0].id})


def refuse(why: Refusal) -> Reply:
    """Return an error response: https://developers.mailersend.com/general.html#api-response."""
    code, body = _REFUSALS[why]
    answer = Reply(code, orjson.dumps(body))
    if why == "rate":
        answer.headers["retry-after"] = "1"
    return answer


def _post(document: dict[str, Any], url: str) -> Post:
    # MailerSend escapes slashes.
    return Post(url, orjson.dumps(document).replace(b"/", rb"\/"), {"content-type": "application/json"})


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("email",), statuses=Statuses(states=tuple(_TYPES), build=status), inbound=inbound, sign=sign
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse),
)
