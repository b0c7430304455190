"""Simulates Sinch: SMS batches and their list, WhatsApp by the Conversation API, and their signed callbacks.

Of Voice it only signs callbacks. https://developers.sinch.com/docs/sms/api-reference, …/docs/conversation/callbacks,
…/docs/voice/api-reference/authentication/callback-signed-request.
"""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

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

_NONCE = "01FJA8B4A7BM43YGWSG9GBV067"
_STATUSES: dict[str, tuple[str, int, str]] = {
    "UserMessageSent": ("Dispatched", 401, "QUEUED_ON_CHANNEL"),
    "MessageDelivered": ("Delivered", 0, "DELIVERED"),
    "MessageRead": ("Delivered", 0, "READ"),
    "MessageQueued": ("Queued", 400, ""),
    "MessageFailed": ("Failed", 404, "FAILED"),
}
_PAGE = 30
_REFUSALS: dict[Refusal, tuple[int, str, str]] = {
    "rate": (429, "too_many_requests", "Too many requests"),
    "invalid": (400, "syntax_invalid_parameter_format", "Invalid recipient"),
    "unauthorized": (401, "unauthorized", "Invalid credentials"),
    "unavailable": (503, "unavailable", "Service unavailable"),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build `recipient_delivery_report_sms` for SMS; for WhatsApp `message_delivery_report`, or
    `message_submit_notification` of a queued message."""
    word, code, report = _STATUSES[state]
    if sent.channel == "sms":
        document: dict[str, Any] = {
            "type": "recipient_delivery_report_sms",
            "batch_id": sent.id,
            "recipient": sent.to.removeprefix("+"),
            "code": code,
            "status": word,
            "at": _time(at),
            "operator": "310004",
        }
        if sent.reference:
            document["client_reference"] = sent.reference
        return _post(sent.callback_url or url, document)
    identity = {"channel": "WHATSAPP", "identity": sent.to, "app_id": "app-1"}
    part: dict[str, Any] = {"message_id": sent.id, "conversation_id": "conversation-1", "channel_identity": identity}
    if state == "MessageQueued":
        submitted = part | {"submitted_message": {"text_message": {"text": sent.text}}}
        return _callback(sent.callback_url or url, "message_submit_notification", submitted, at, sent.reference)
    part["status"] = report
    if state == "MessageFailed":
        part["reason"] = {"code": "RECIPIENT_NOT_REACHABLE", "description": "Not reachable", "sub_code": "UNSPECIFIED"}
    return _callback(sent.callback_url or url, "message_delivery_report", part, at, sent.reference)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build `mo_text` for SMS, `message` for WhatsApp."""
    if incoming.channel == "sms":
        document = {
            "type": "mo_text",
            "id": incoming.id,
            "from": incoming.sender.removeprefix("+"),
            "to": incoming.to.removeprefix("+"),
            "body": incoming.text,
            "operator_id": "310004",
            "received_at": _time(at),
        }
        return _post(url, document)
    message = {
        "id": incoming.id,
        "direction": "TO_APP",
        "contact_message": {"text_message": {"text": incoming.text}},
        "channel_identity": {"channel": "WHATSAPP", "identity": incoming.sender.removeprefix("+"), "app_id": "app-1"},
        "conversation_id": "conversation-1",
        "contact_id": "contact-1",
        "metadata": "",
        "accept_time": _time(at),
        "sender_id": incoming.to.removeprefix("+"),
    }
    return _callback(url, "message", message, at, None)


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign body, nonce and time; for a call method, body, content type, time and path, with the application's
    secret."""
    if b'"callid"' in post.body:
        key = base64.b64decode(settings["application_secret"])
        digest = base64.b64encode(hashlib.md5(post.body).digest()).decode()  # noqa: S324  it is Sinch's
        timestamp = at.strftime("%Y-%m-%dT%H:%M:%S.0000000Z")
        lines = [post.method, digest, post.headers.get("content-type", ""), f"x-timestamp:{timestamp}"]
        message = "\n".join([*lines, urlsplit(post.url).path]).encode()
        signature = base64.b64encode(hmac.new(key, message, "sha256").digest()).decode()
        headers = {
            "Authorization": f"application 669E367E-6BBA-48AB-AF15-266871C28135:{signature}",
            "x-timestamp": timestamp,
        }
        return replace(post, headers=post.headers | headers)
    seconds = str(int(at.timestamp()))
    message = post.body + f".{_NONCE}.{seconds}".encode()
    signature = base64.b64encode(hmac.new(settings["webhook_secret"].encode(), message, "sha256").digest()).decode()
    headers = {
        "x-sinch-webhook-signature": signature,
        "x-sinch-webhook-signature-timestamp": seconds,
        "x-sinch-webhook-signature-nonce": _NONCE,
        "x-sinch-webhook-signature-algorithm": "HmacSHA256",
    }
    return replace(post, headers=post.headers | headers)


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a send request: …/tag/Batches/, …/tag/Messages/. Raises Refused."""
    given, document = call.headers.get("authorization"), orjson.loads(call.body)
    try:
        if call.path.endswith("/batches"):
            if given != f"Bearer {settings.get('api_token')}":
                raise Refused("unauthorized")
            words = document["body"] if isinstance(document["body"], str) else document["body"].get("message")
            to, url = f"+{document['to'][0]}", document.get("callback_url")
            return [Sent(id, "sms", to, document["from"], words, document.get("client_reference"), url)]
        key = base64.b64encode(f"{settings.get('key_id')}:{settings.get('key_secret')}".encode()).decode()
        if given != f"Basic {key}":
            raise Refused("unauthorized")
        if not call.path.endswith("/messages:send") or not document["app_id"]:
            raise Refused("invalid")
        identity = document["recipient"]["identified_by"]["channel_identities"][0]
        words = document["message"].get("text_message", {}).get("text")
        to, reference, url = f"+{identity['identity']}", document.get("message_metadata"), document.get("callback_url")
        return [Sent(id, "whatsapp", to, "app-1", words, reference, url)]
    except (KeyError, IndexError, TypeError) as error:
        raise Refused("invalid") from error


def look_up(call: Call, settings: Settings, sent: Sequence[Sent]) -> Reply | None:
    """Answer …/tag/Batches/#tag/Batches/operation/ListBatches, by `client_reference`, the newest first."""
    path, _, query = call.path.partition("?")
    if call.method != "GET" or not path.endswith("/batches"):
        return None
    if call.headers.get("authorization") != f"Bearer {settings.get('api_token')}":
        raise Refused("unauthorized")
    wanted = dict(parse_qsl(query)).get("client_reference")
    batches = [_batch(one) for one in reversed(sent) if one.channel == "sms" and wanted in (None, one.reference)]
    page = batches[:_PAGE]
    return Reply(200, orjson.dumps({"count": len(batches), "page": 0, "page_size": len(page), "batches": page}))


def reply(sent: list[Sent]) -> Reply:
    """Return the batch for SMS, the message's id for the Conversation API."""
    one = sent[0]
    if one.channel == "whatsapp":
        return Reply(200, orjson.dumps({"message_id": one.id, "accepted_time": "2026-03-02T09:29:30Z"}))
    return Reply(201, orjson.dumps(_batch(one)))


def refuse(why: Refusal) -> Reply:
    """Return an error response: https://developers.sinch.com/docs/sms/api-reference/status-codes."""
    status, code, text = _REFUSALS[why]
    return Reply(status, orjson.dumps({"code": code, "text": text}))


def _batch(one: Sent) -> dict[str, Any]:
    document = {
        "id": one.id,
        "to": [one.to.removeprefix("+")],
        "from": one.sender,
        "canceled": False,
        "type": "mt_text",
        "body": one.text,
    }
    return document | ({"client_reference": one.reference} if one.reference else {})


def _callback(url: str, name: str, part: dict[str, Any], at: datetime, reference: str | None) -> Post:
    document = {
        "app_id": "app-1",
        "accepted_time": _time(at),
        "event_time": _time(at),
        "project_id": "project-1",
        name: part,
        "message_metadata": reference or "",
    }
    return _post(url, document)


def _post(url: str, document: dict[str, Any]) -> Post:
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000Z")


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms", "whatsapp"),
        statuses=Statuses(states=tuple(_STATUSES), build=status, absent={"sms": ("MessageRead",)}),
        inbound=inbound,
        sign=sign,
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse, look_up=look_up),
)
