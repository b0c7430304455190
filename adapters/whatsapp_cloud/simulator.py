"""Simulates Meta's WhatsApp Cloud API: the phone number's `messages`, and signed statuses and inbound messages.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview,
…/whatsapp/reference/whatsapp-business-phone-number/message-api
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

#: Messages are sent from a phone number's id.
SENDERS = {"whatsapp": "106540352242922"}
_STATUSES = {
    "UserMessageSent": "sent",
    "MessageDelivered": "delivered",
    "MessageRead": "read",
    "MessageFailed": "failed",
}
_REFUSALS: dict[Refusal, tuple[int, int, str]] = {
    "rate": (400, 130429, "Cloud API message throughput has been reached."),
    "invalid": (400, 131009, "Parameter value is not valid"),
    "unauthorized": (401, 190, "Error validating access token"),
    "unavailable": (503, 131016, "A service is temporarily unavailable."),
}
_USER_ID = re.compile(r"[A-Z]{2}\.[A-Za-z0-9.]{1,128}")


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a status: …/webhooks/reference/messages/status."""
    item: dict[str, Any] = {
        "id": sent.id,
        "status": _STATUSES[state],
        "timestamp": str(int(at.timestamp())),
    }
    if _USER_ID.fullmatch(sent.to):
        item["recipient_user_id"] = sent.to
    else:
        item["recipient_id"] = sent.to.removeprefix("+")
    if sent.reference:
        item["biz_opaque_callback_data"] = sent.reference
    if state == "MessageFailed":
        item["errors"] = [{"code": 131026, "title": "Message undeliverable"}]
    return _post(url, sent.sender, {"statuses": [item]})


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build an inbound message: …/webhooks/reference/messages/text."""
    sender = incoming.sender.removeprefix("+")
    item = {
        "from": sender,
        "id": incoming.id,
        "timestamp": str(int(at.timestamp())),
        "type": "text",
        "text": {"body": incoming.text},
    }
    contacts = [{"profile": {"name": "Simulated"}, "wa_id": sender}]
    return _post(url, incoming.to, {"contacts": contacts, "messages": [item]})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the body by HMAC-SHA256 with the app secret."""
    digest = hmac.new(settings["app_secret"].encode(), post.body, hashlib.sha256).hexdigest()
    return replace(post, headers=post.headers | {"X-Hub-Signature-256": f"sha256={digest}"})


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a send request of one message: …/message-api. Raises Refused."""
    if call.headers.get("authorization") != f"Bearer {settings['access_token']}":
        raise Refused("unauthorized")
    place = re.fullmatch(r"/v[0-9]+\.[0-9]+/([0-9]+)/messages", call.path)
    body = orjson.loads(call.body)
    kind = body.get("type", "text")
    if place is None or body.get("messaging_product") != "whatsapp" or not isinstance(body.get(kind), dict):
        raise Refused("invalid", "(#100) Invalid parameter")
    to = body.get("to") or body.get("recipient")
    if not to or (body.get("to") and not re.fullmatch(r"\+?[0-9]{7,15}", body["to"])):
        raise Refused("invalid", "(#131009) Parameter value is not valid")
    text = body[kind].get("body") or body[kind].get("caption")
    to = to if _USER_ID.fullmatch(to) else f"+{to.removeprefix('+')}"
    reference = body.get("biz_opaque_callback_data")
    return [Sent(_wamid(to, id), "whatsapp", to, place[1], text, reference, None, {"kind": kind})]


def reply(sent: list[Sent]) -> Reply:
    """Return 200 with the recipient and the message's id."""
    one = sent[0]
    whom = {"user_id": one.to} if _USER_ID.fullmatch(one.to) else {"wa_id": one.to.removeprefix("+")}
    message = {"id": one.id}
    if one.extra.get("kind") == "template":
        message["message_status"] = "accepted"
    contacts = [{"input": one.to, **whom}]
    return Reply(200, orjson.dumps({"messaging_product": "whatsapp", "contacts": contacts, "messages": [message]}))


def refuse(why: Refusal) -> Reply:
    """Return an error response: …/whatsapp/support/error-codes."""
    status, code, details = _REFUSALS[why]
    error: dict[str, Any] = {"message": f"(#{code}) {details}", "type": "OAuthException", "code": code}
    error |= {"error_data": {"messaging_product": "whatsapp", "details": details}, "fbtrace_id": "Az8or2yhqkZfEZ_4Qn"}
    return Reply(status, orjson.dumps({"error": error}))


def _wamid(to: str, id: str) -> str:
    """Return an id in Meta's form: base64 of the recipient and a random number."""
    return "wamid." + base64.b64encode(f"\x1d{to}\x15\x02{id}".encode()).decode()


def _post(url: str, ours: str, value: dict[str, Any]) -> Post:
    number = ours.removeprefix("+") if ours.startswith("+") else "15550001111"
    metadata = {"display_phone_number": number, "phone_number_id": "106540352242922"}
    change = {"field": "messages", "value": {"messaging_product": "whatsapp", "metadata": metadata, **value}}
    document = {"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [change]}]}
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("whatsapp",), statuses=Statuses(states=tuple(_STATUSES), build=status), inbound=inbound, sign=sign
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse),
    senders=SENDERS,
)
