"""Simulates MessageBird: SMS by the REST API, WhatsApp by Conversations, and their webhooks with tokens.

Of Bird it only signs webhooks. https://developers.messagebird.com/api/sms-messaging, …/api/conversations,
…/api/#verifying-http-requests, https://docs.bird.com/api/notifications-api.
"""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

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

_STATUSES = {
    "UserMessageSent": ("sent", "sent"),
    "MessageDelivered": ("delivered", "delivered"),
    "MessageRead": ("delivered", "read"),
    "MessageQueued": ("scheduled", "pending"),
    "MessageFailed": ("delivery_failed", "failed"),
}
_REFUSALS: dict[Refusal, tuple[int, int, str, str | None]] = {
    "rate": (429, 99, "Too many requests", None),
    "invalid": (422, 10, "no (correct) recipients found", "recipients"),
    "unauthorized": (401, 2, "Request not allowed (incorrect access_key)", "access_key"),
    "unavailable": (500, 99, "Internal error", None),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a status: a GET for SMS (…/api/sms-messaging/#handle-a-status-report), `message.updated` for WhatsApp."""
    sms, conversation = _STATUSES[state]
    if sent.channel == "whatsapp":
        message = _message(sent.id, conversation, "sent", sent.sender, sent.to, sent.text, at)
        if sent.reference:
            message["source"] = {"reference": sent.reference}
        if state == "MessageFailed":
            message["error"] = {"code": 301, "description": "Message failed to send"}
        document = {"type": "message.updated", "contact": _contact(sent.to), "message": message}
        return _post(sent.callback_url or url, document)
    fields = {
        "id": sent.id,
        "reference": sent.reference or "",
        "recipient": sent.to.removeprefix("+"),
        "status": sms,
        "statusReason": "unknown subscriber" if state == "MessageFailed" else "successfully delivered",
        "statusErrorCode": "1" if state == "MessageFailed" else "0",
        "statusDatetime": _time(at),
        "mccmnc": "310004",
        "messagePartCount": "1",
    }
    return _get(sent.callback_url or url, fields)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build an inbound message: …/api/sms-messaging/#receive-a-message for SMS, `message.created` for WhatsApp."""
    if incoming.channel == "whatsapp":
        message = _message(incoming.id, "received", "received", incoming.sender, incoming.to, incoming.text, at)
        return _post(url, {"type": "message.created", "contact": _contact(incoming.sender), "message": message})
    fields = {
        "id": incoming.id,
        "recipient": incoming.to.removeprefix("+"),
        "originator": incoming.sender.removeprefix("+"),
        "body": incoming.text,
        "createdDatetime": _time(at),
    }
    return _get(url, fields)


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Add a token with the hashes of URL and body; for Bird's webhooks, Bird's own signature."""
    key, now = settings["signing_key"].encode(), int(at.timestamp())
    body = hashlib.sha256(post.body)
    if b'"service":"channels"' in post.body:
        signed = b"\n".join([str(now).encode(), post.url.encode(), body.digest()])
        signature = base64.b64encode(hmac.new(key, signed, "sha256").digest()).decode()
        headers = {"MessageBird-Signature": signature, "MessageBird-Request-Timestamp": str(now)}
        return replace(post, headers=post.headers | headers)
    claims = {
        "iss": "MessageBird",
        "nbf": now - 1,
        "exp": now + 60,
        "jti": "f1a2b3c4-0000-4000-8000-000000000001",
        "url_hash": hashlib.sha256(post.url.encode()).hexdigest(),
    }
    if post.body:
        claims["payload_hash"] = body.hexdigest()
    token = f"{_part({'alg': 'HS256', 'typ': 'JWT'})}.{_part(claims)}"
    signature = base64.urlsafe_b64encode(hmac.new(key, token.encode(), "sha256").digest()).decode().rstrip("=")
    return replace(post, headers=post.headers | {"MessageBird-Signature-JWT": f"{token}.{signature}"})


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a send request: …/api/sms-messaging/#send-outbound-sms, …/api/conversations/#send-message. Raises
    Refused."""
    if call.headers.get("authorization") != f"AccessKey {settings.get('access_key')}":
        raise Refused("unauthorized")
    document = orjson.loads(call.body)
    try:
        if call.path.endswith("/v1/send"):
            part = document["content"][document["type"]]
            words = part if isinstance(part, str) else part.get("caption")
            reference = document.get("source", {}).get("reference")
            url = document.get("reportUrl")
            return [Sent(id, "whatsapp", document["to"], document["from"], words, reference, url)]
        if not call.path.endswith("/messages") or not document["recipients"]:
            raise Refused("invalid")
        to, reference, url = f"+{document['recipients'][0]}", document.get("reference"), document.get("reportUrl")
        return [Sent(id, "sms", to, document["originator"], document["body"], reference, url)]
    except (KeyError, TypeError, AttributeError) as error:
        raise Refused("invalid") from error


def reply(sent: list[Sent]) -> Reply:
    """Return the message for SMS, its id for Conversations."""
    one = sent[0]
    if one.channel == "whatsapp":
        return Reply(202, orjson.dumps({"id": one.id, "status": "accepted"}))
    items = [{"recipient": int(one.to.removeprefix("+")), "status": "sent"}]
    recipients = {"totalCount": 1, "totalSentCount": 1, "items": items}
    document = {"id": one.id, "direction": "mt", "type": "sms", "originator": one.sender, "recipients": recipients}
    return Reply(201, orjson.dumps(document))


def refuse(why: Refusal) -> Reply:
    """Return an error response: https://developers.messagebird.com/api/#api-errors."""
    status, code, text, parameter = _REFUSALS[why]
    error = {"code": code, "description": text, "parameter": parameter}
    return Reply(status, orjson.dumps({"errors": [error]}))


def _message(
    id: str, state: str, direction: str, sender: str, to: str, words: str | None, at: datetime
) -> dict[str, Any]:
    return {
        "id": id,
        "conversationId": "c-0123456789abcdef",
        "channelId": "0123456789abcdef0123456789abcdef",
        "platform": "whatsapp",
        "to": to,
        "from": sender,
        "direction": direction,
        "status": state,
        "type": "text",
        "content": {"text": words},
        "createdDatetime": _time(at),
        "updatedDatetime": _time(at),
    }


def _contact(number: str) -> dict[str, Any]:
    return {"id": "contact-1", "msisdn": int(number.removeprefix("+")), "displayName": "Ana Example"}


def _get(url: str, fields: dict[str, str]) -> Post:
    return Post(f"{url}{'&' if '?' in url else '?'}{urlencode(fields)}", b"", {}, "GET")


def _post(url: str, document: dict[str, Any]) -> Post:
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})


def _part(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(document)).decode().rstrip("=")


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S+00:00")


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms", "whatsapp"),
        statuses=Statuses(states=tuple(_STATUSES), build=status, absent={"sms": ("MessageRead",)}),
        inbound=inbound,
        sign=sign,
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse),
)
