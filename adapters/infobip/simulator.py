"""Simulates Infobip: SMS (v3) and WhatsApp text messages, their reports, and inbound messages.

https://www.infobip.com/docs/api/channels/sms, …/api/channels/whatsapp. Webhooks have the credentials of the
notification profile: basic authentication, or a secret in the URL.
"""

import base64
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

_STATUSES: dict[str, tuple[int, str, int, str]] = {
    "MessageQueued": (1, "PENDING", 26, "PENDING_ACCEPTED"),
    "UserMessageSent": (1, "PENDING", 7, "PENDING_ENROUTE"),
    "MessageDelivered": (3, "DELIVERED", 5, "DELIVERED_TO_HANDSET"),
    "MessageRead": (3, "DELIVERED", 5, "DELIVERED_TO_HANDSET"),
    "MessageFailed": (2, "UNDELIVERABLE", 9, "UNDELIVERABLE_NOT_DELIVERED"),
}
_NO_ERROR = {
    "groupId": 0,
    "groupName": "OK",
    "id": 0,
    "name": "NO_ERROR",
    "description": "No Error",
    "permanent": False,
}
_ABSENT = {
    "groupId": 1,
    "groupName": "HANDSET_ERRORS",
    "id": 27,
    "name": "EC_ABSENT_SUBSCRIBER",
    "description": "Absent Subscriber",
    "permanent": False,
}
_REFUSALS: dict[Refusal, tuple[int, str, str]] = {
    "rate": (429, "TOO_MANY_REQUESTS", "Too many requests"),
    "invalid": (400, "BAD_REQUEST", "Bad Request"),
    "unauthorized": (401, "UNAUTHORIZED", "Invalid login details"),
    "unavailable": (500, "GENERAL_ERROR", "Something went wrong. Please contact support."),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Make a delivery or seen report.

    …/receive-outbound-sms-message-reports-v3, …/receive-whatsapp-delivery-reports, …/receive-whatsapp-seen-reports
    """
    item: dict[str, Any] = {
        "messageId": sent.id,
        "to": _bare(sent.to),
        "sender": _bare(sent.sender),
        "sentAt": _time(at),
    }
    if state == "MessageRead":
        item["seenAt"] = _time(at)
    else:
        group, group_name, number, name = _STATUSES[state]
        item |= {
            "doneAt": _time(at),
            "messageCount": 1,
            "price": {"pricePerMessage": 0.01, "currency": "EUR"},
            "status": {"groupId": group, "groupName": group_name, "id": number, "name": name, "description": name},
            "error": _ABSENT if state == "MessageFailed" else _NO_ERROR,
        }
    if sent.reference:
        item["callbackData"] = sent.reference
    return _post(sent.callback_url or _with_channel(url, sent.channel), {"results": [item]})


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make the webhook of an inbound message.

    …/receive-inbound-sms-messages, …/receive-whatsapp-inbound-messages
    """
    item: dict[str, Any] = {
        "messageId": incoming.id,
        "from": _bare(incoming.sender),
        "to": _bare(incoming.to),
        "receivedAt": _time(at),
        "price": {"pricePerMessage": 0, "currency": "EUR"},
    }
    if incoming.channel == "whatsapp":
        item |= {"integrationType": "WHATSAPP", "message": {"type": "TEXT", "text": incoming.text}}
    else:
        item |= {"text": incoming.text, "cleanText": incoming.text, "keyword": "", "smsCount": 1}
    return _post(url, {"results": [item], "messageCount": 1, "pendingMessageCount": 0})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Add the secret to the URL, or else the notification profile's credentials."""
    if "url_secret" in settings:
        mark = "&" if "?" in post.url else "?"
        secret = f"key={settings['url_secret']}"
        return post if secret in post.url else replace(post, url=f"{post.url}{mark}{secret}")
    credentials = base64.b64encode(settings["basic_auth"].encode()).decode()
    return replace(post, headers=post.headers | {"Authorization": f"Basic {credentials}"})


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Accept one message. Raises Refused. …/send-sms-messages, …/whatsapp-outbound-messages"""
    if call.headers.get("authorization") != f"App {settings.get('api_key')}":
        raise Refused("unauthorized")
    document = orjson.loads(call.body)
    try:
        if call.path.partition("?")[0] == "/sms/3/messages":
            one = document["messages"][0]
            to, hooks = one["destinations"][0]["to"], one.get("webhooks", {})
            url = hooks.get("delivery", {}).get("url")
            return [Sent(id, "sms", f"+{to}", one["sender"], one["content"]["text"], hooks.get("callbackData"), url)]
        if not call.path.startswith("/whatsapp/1/message/"):
            raise Refused("invalid")
        one = document["messages"][0] if call.path.endswith("/template") else document
        words = one["content"].get("text") or one["content"].get("caption")
        reference = one.get("callbackData")
        return [Sent(id, "whatsapp", f"+{one['to']}", one["from"], words, reference, one.get("notifyUrl"))]
    except (KeyError, IndexError, TypeError) as error:
        raise Refused("invalid") from error


def reply(sent: list[Sent]) -> Reply:
    """Return 200 with the message, for SMS in a list."""
    one = sent[0]
    state = {"groupId": 1, "groupName": "PENDING", "id": 26, "name": "PENDING_ACCEPTED", "description": "Accepted"}
    if one.channel == "sms":
        message = {"messageId": one.id, "status": state, "destination": _bare(one.to), "details": {"messageCount": 1}}
        return Reply(200, orjson.dumps({"bulkId": f"bulk-{one.id}", "messages": [message]}))
    answer = {"to": _bare(one.to), "messageCount": 1, "messageId": one.id, "status": state}
    return Reply(200, orjson.dumps(answer))


def refuse(why: Refusal) -> Reply:
    """Return an error. https://www.infobip.com/docs/essentials/api-essentials/response-status-and-error-codes"""
    status, code, text = _REFUSALS[why]
    return Reply(status, orjson.dumps({"requestError": {"serviceException": {"messageId": code, "text": text}}}))


def _post(url: str, document: dict[str, Any]) -> Post:
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})


def _bare(address: str) -> str:
    return address.removeprefix("+")


def _time(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def _with_channel(url: str, channel: str) -> str:
    return f"{url}{'&' if '?' in url else '?'}channel={channel}"


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms", "whatsapp"),
        statuses=Statuses(
            states=("UserMessageSent", "MessageDelivered", "MessageRead", "MessageQueued", "MessageFailed"),
            build=status,
            absent={"sms": ("MessageRead",)},
        ),
        inbound=inbound,
        sign=sign,
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse),
)
