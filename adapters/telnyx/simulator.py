"""Simulates Telnyx: /v2/messages, a message's webhooks and inbound messages, signed with Ed25519.

https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks, …/receiving-rcs-webhooks
"""

import base64
import uuid
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

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

_STATUSES = {
    "UserMessageSent": ("message.sent", "sent"),
    "MessageDelivered": ("message.finalized", "delivered"),
    "MessageRead": ("message.read", "read"),
    "MessageFailed": ("message.finalized", "delivery_failed"),
}
_REFUSALS: dict[Refusal, tuple[int, str, str]] = {
    "rate": (429, "10011", "Too many requests"),
    "invalid": (400, "40310", "Invalid 'to' address"),
    "unauthorized": (401, "10009", "Authentication failed"),
    "unavailable": (503, "10007", "Unexpected error"),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a message's webhook: …/receiving-webhooks."""
    kind, word = _STATUSES[state]
    payload = _payload(sent.id, "outbound", sent.sender, [{"phone_number": sent.to, "status": word, "carrier": "SIM"}])
    payload["tags"] = sent.extra.get("tags", [])
    if sent.channel == "rcs":
        payload |= {"type": "RCS", "from": _agent(sent.sender), "cost": None, "body": {"text": sent.text or ""}}
    else:
        payload["text"] = sent.text or ""
    if state == "MessageFailed":
        payload["errors"] = [{"code": "40008", "title": "Undeliverable", "detail": "The carrier did not accept it."}]
    return _post(sent.callback_url or url, kind, payload, at, f"{sent.id}{state}")


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build an inbound message: …/receiving-webhooks."""
    payload = _payload(
        incoming.id, "inbound", incoming.sender, [{"phone_number": incoming.to, "status": "webhook_delivered"}]
    )
    if incoming.channel == "rcs":
        payload |= {"type": "RCS", "to": [_agent(incoming.to)], "body": {"text": incoming.text}}
    else:
        payload |= {"text": incoming.text, "media": []}
    return _post(url, "message.received", payload, at, incoming.id)


def keys() -> dict[str, str]:
    """Make a new key pair."""
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return {"private_key": private, "public_key": base64.b64encode(public).decode()}


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the timestamp, a bar and the body by Ed25519."""
    key = load_pem_private_key(settings["private_key"].encode(), None)
    assert isinstance(key, Ed25519PrivateKey)
    timestamp = str(int(at.timestamp()))
    signature = base64.b64encode(key.sign(f"{timestamp}|".encode() + post.body)).decode()
    return replace(post, headers=post.headers | {"telnyx-signature-ed25519": signature, "telnyx-timestamp": timestamp})


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a send request: …/messages/send-message. Raises Refused."""
    if call.headers.get("authorization") != f"Bearer {settings['api_key']}":
        raise Refused("unauthorized")
    request = orjson.loads(call.body)
    if call.path != "/v2/messages" or not request.get("to") or not (request.get("text") or request.get("media_urls")):
        raise Refused("invalid")
    extra = {"tags": request.get("tags", [])}
    own = str(uuid.UUID(id))
    return [
        Sent(
            own,
            "sms",
            request["to"],
            request.get("from", ""),
            request.get("text"),
            None,
            request.get("webhook_url"),
            extra,
        )
    ]


def reply(sent: list[Sent]) -> Reply:
    """Return 200 with the message, queued."""
    one = sent[0]
    payload = _payload(one.id, "outbound", one.sender, [{"phone_number": one.to, "status": "queued"}])
    return Reply(200, orjson.dumps({"data": payload | {"text": one.text}}))


def refuse(why: Refusal) -> Reply:
    """Return a list of one error."""
    status, code, title = _REFUSALS[why]
    answer = Reply(status, orjson.dumps({"errors": [{"code": code, "title": title, "detail": title}]}))
    if why == "rate":
        answer.headers["retry-after"] = "1"
    return answer


def _payload(id: str, direction: str, sender: str, to: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "record_type": "message",
        "direction": direction,
        "id": id,
        "type": "SMS",
        "from": {"phone_number": sender, "carrier": "SIM", "line_type": "Wireless"},
        "to": to,
        "encoding": "GSM-7",
        "parts": 1,
        "cost": {"amount": "0.0051", "currency": "USD"},
        "errors": [],
    }


def _agent(id: str) -> dict[str, str]:
    return {"agent_id": id, "agent_name": "Shop"}


def _post(url: str, kind: str, payload: dict[str, Any], at: datetime, about: str) -> Post:
    data = {
        "record_type": "event",
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, about)),
        "event_type": kind,
        "occurred_at": f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03d}+00:00",
        "payload": payload,
    }
    document = {"data": data, "meta": {"attempt": 1, "delivered_to": url}}
    return Post(url, orjson.dumps(document), {"content-type": "application/json", "user-agent": "telnyx-webhooks"})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms", "rcs"),
        statuses=Statuses(states=tuple(_STATUSES), build=status, absent={"sms": ("MessageRead",)}),
        inbound=inbound,
        sign=sign,
        keys=keys,
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse),
)
