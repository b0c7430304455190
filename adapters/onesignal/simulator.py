"""Simulates OneSignal: the create-message API for push, and an Event Stream with the documentation's template.

https://documentation.onesignal.com/reference/push-notification, …/docs/en/event-streams-data
"""

from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5
from zlib import crc32

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
from adapters.simulating.shared_secrets import sign

__all__ = ["sign"]

CUSTOMERS = {"push": "b2c3d4e5-f6a7-4901-8cde-f12345678901"}
_KINDS = {
    "UserMessageSent": "sent",
    "MessageDelivered": "received",
    "MessageClicked": "clicked",
    "MessageFailed": "failed",
    "RecipientUnsubscribed": "unsubscribed",
}
APP = "5eb5a37e-b458-11e3-ac11-000c2940e62c"
_REFUSALS: dict[Refusal, tuple[int, dict[str, Any]]] = {
    "rate": (429, {"errors": ["API rate limit exceeded"]}),
    "invalid": (200, {"id": "", "errors": {"invalid_player_ids": [CUSTOMERS["push"]]}}),
    "unauthorized": (403, {"errors": ["Access denied. Please include an 'Authorization: ...' header."]}),
    "unavailable": (503, {"errors": ["Service Unavailable"]}),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build an event: …/event-streams-data#example-event-object and #example-message-object."""
    kind = f"message.push.{_KINDS[state]}"
    document = {
        "event.kind": kind,
        "event.id": str(uuid5(NAMESPACE_URL, f"{sent.id}/{kind}/{sent.to}")),
        "event.timestamp": str(int(at.timestamp())),
        "event.datetime": at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "event.app_id": APP,
        "event.subscription_device_type": "Android",
        "event.subscription_id": str(uuid5(NAMESPACE_URL, f"device/{sent.to}"))
        if sent.extra.get("external")
        else sent.to,
        "event.onesignal_id": str(uuid5(NAMESPACE_URL, sent.to)),
        "event.external_id": sent.to.removeprefix("user_id:") if sent.extra.get("external") else "",
        "event.data.failure_reason": "InvalidRegistration" if state == "MessageFailed" else "",
        "message.id": sent.id,
        "message.name": f"threadline:tl_{crc32(sent.reference.encode()):08x}_{sent.reference}"
        if sent.reference
        else "",
        "message.url": "",
    }
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a send request: …/reference/push-notification. Raises Refused."""
    if call.headers.get("authorization") != f"Key {settings['api_key']}":
        raise Refused("unauthorized")
    fields: dict[str, Any] = orjson.loads(call.body)
    if call.path.partition("?")[0] != "/notifications" or fields.get("app_id") != settings.get("app_id", APP):
        raise Refused("invalid", "app_id not found")
    if not fields.get("template_id") and not fields.get("contents", {}).get("en"):
        raise Refused("invalid", "Message Notifications must have English language content")
    users = fields.get("include_aliases", {}).get("external_id", [])
    targets = fields.get("include_subscription_ids", users)
    if len(targets) != 1:
        raise Refused(
            "invalid", "You must include which players, segments, or tags you wish to send this notification to."
        )
    to = f"user_id:{users[0]}" if users else targets[0]
    text, name = fields.get("contents", {}).get("en"), fields.get("name", "")
    return [Sent(id, "push", to, APP, text, name.partition(":")[2][12:] or None, None, {"external": bool(users)})]


def key(call: Call) -> str | None:
    """Return the idempotency key: https://documentation.onesignal.com/reference/idempotent-notification-requests."""
    found: str | None = orjson.loads(call.body).get("idempotency_key")
    return found


def reply(sent: list[Sent]) -> Reply:
    """Return 200 with the id: …/reference/create-message."""
    return Reply(200, orjson.dumps({"id": sent[0].id, "external_id": None}))


def refuse(why: Refusal) -> Reply:
    """Return an error response: …/reference/create-message."""
    status, document = _REFUSALS[why]
    return Reply(status, orjson.dumps(document))


SIMULATOR = Simulator(
    webhooks=Webhooks(channels=("push",), statuses=Statuses(states=tuple(_KINDS), build=status), sign=sign),
    api=Api(accept=accept, reply=reply, refuse=refuse, idempotency=Idempotency(key=key)),
    customers=CUSTOMERS,
)
