"""Simulates Resend: webhooks of one event each, signed by Svix's scheme, and the e-mails endpoint.

https://resend.com/docs/webhooks/event-types, https://docs.svix.com/receiving/verifying-payloads/how-manual,
https://resend.com/docs/api-reference/emails/send-email.
"""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from adapters.simulating import (
    Api,
    Call,
    Idempotency,
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
    "UserMessageSent": "email.sent",
    "MessageDelivered": "email.delivered",
    "MessageDelayed": "email.delivery_delayed",
    "MessageBounced": "email.bounced",
    "MessageOpened": "email.opened",
    "MessageClicked": "email.clicked",
    "MessageComplained": "email.complained",
    "MessageRejected": "email.suppressed",
}
_MORE: dict[str, dict[str, Any]] = {
    "MessageBounced": {"bounce": {"message": "550 5.1.1 no such user", "subType": "General", "type": "Permanent"}},
    "MessageRejected": {"suppressed": {"message": "on the list", "type": "OnAccountSuppressionList"}},
}
_REFUSALS: dict[Refusal, tuple[int, str, str]] = {
    "rate": (429, "rate_limit_exceeded", "Too many requests."),
    "invalid": (422, "missing_required_field", "Missing `subject` field."),
    "unauthorized": (401, "missing_api_key", "Missing API key in the authorization header."),
    "unavailable": (503, "service_unavailable", "API is temporarily unavailable"),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a webhook: https://resend.com/docs/webhooks/emails/delivered and its neighbours."""
    data: dict[str, Any] = {
        "created_at": _iso(at),
        "email_id": sent.id,
        "message_id": f"<{sent.id}@email.example.com>",
        "from": sent.sender,
        "to": [sent.to],
        "subject": "Hello",
        **_MORE.get(state, {}),
    }
    if state == "MessageClicked":
        click = {"ipAddress": "203.0.113.8", "link": "https://example.com/", "userAgent": "Mozilla/5.0"}
        data["click"] = click | {"timestamp": _iso(at)}
    if sent.reference:
        data["tags"] = {"reference": sent.reference}
    return _post(_TYPES[state], data, at, url, f"{sent.id}{state}")


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign id, timestamp and body by HMAC-SHA256, with the secret's base64 part as the key."""
    key = base64.b64decode(settings["signing_secret"].split("_", 1)[1])
    id_, timestamp = post.headers["svix-id"], str(int(at.timestamp()))
    digest = hmac.new(key, f"{id_}.{timestamp}.".encode() + post.body, hashlib.sha256).digest()
    headers = {"svix-timestamp": timestamp, "svix-signature": f"v1,{base64.b64encode(digest).decode()}"}
    return replace(post, headers=post.headers | headers)


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a send request: https://resend.com/docs/api-reference/emails/send-email. Raises Refused."""
    if call.headers.get("authorization") != f"Bearer {settings['api_key']}":
        raise Refused("unauthorized")
    mail = orjson.loads(call.body)
    if call.path != "/emails" or not mail.get("to") or not mail.get("from"):
        raise Refused("invalid", "Missing a field")
    if "template" not in mail and not (mail.get("subject") and (mail.get("text") or mail.get("html"))):
        raise Refused("invalid", "Missing `html` or `text` field.")
    to = mail["to"] if isinstance(mail["to"], str) else mail["to"][0]
    tags = {tag["name"]: tag["value"] for tag in mail.get("tags", [])}
    return [Sent(str(UUID(id)), "email", to, mail["from"], mail.get("text"), tags.get("reference"))]


def key(call: Call) -> str | None:
    """Return the idempotency key: https://resend.com/docs/dashboard/emails/idempotency-keys."""
    return call.headers.get("idempotency-key")


def reply(sent: list[Sent]) -> Reply:
    """Return 200 with the id."""
    return Reply(200, orjson.dumps({"id": sent[0].id}))


def refuse(why: Refusal) -> Reply:
    """Return an error response: https://resend.com/docs/api-reference/errors."""
    code, name, text = _REFUSALS[why]
    answer = Reply(code, orjson.dumps({"statusCode": code, "name": name, "message": text}))
    if why == "rate":
        answer.headers["retry-after"] = "1"
    return answer


def _post(word: str, data: dict[str, Any], at: datetime, url: str, seed: str) -> Post:
    body = orjson.dumps({"type": word, "created_at": _iso(at), "data": data})
    id_ = "msg_" + hashlib.sha256(seed.encode()).hexdigest()[:27]
    return Post(url, body, {"content-type": "application/json", "user-agent": "Svix-Webhooks/1.24.0", "svix-id": id_})


def _iso(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


SIMULATOR = Simulator(
    webhooks=Webhooks(channels=("email",), statuses=Statuses(states=tuple(_TYPES), build=status), sign=sign),
    api=Api(accept=accept, reply=reply, refuse=refuse, idempotency=Idempotency(key=key)),
)
