"""Simulates Telegram: the Bot API's sendMessage and its sibling methods, and updates with a customer's messages.

https://core.telegram.org/bots/api. Telegram reports no status of a bot's message.
"""

from dataclasses import replace
from datetime import datetime
from typing import Any
from zlib import crc32

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
    Webhooks,
)

CUSTOMERS = {"chat": "telegram:12345678"}
_METHODS = {
    "sendMessage": "text",
    "sendPhoto": "photo",
    "sendVideo": "video",
    "sendAudio": "audio",
    "sendAnimation": "animation",
    "sendDocument": "document",
    "sendMediaGroup": "media",
}
_REFUSALS: dict[Refusal, tuple[int, str]] = {
    "rate": (429, "Too Many Requests: retry after 1"),
    "invalid": (400, "Bad Request: chat not found"),
    "unauthorized": (401, "Unauthorized"),
    "unavailable": (500, "Internal Server Error"),
}


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build an update (…#update) with a message of a private chat (…#message)."""
    who = _number(incoming.sender.removeprefix("telegram:"))
    user = {"id": who, "is_bot": False, "first_name": "Simulated", "language_code": "en"}
    message = {
        "message_id": _number(incoming.id),
        "from": user,
        "chat": {"id": who, "first_name": "Simulated", "type": "private"},
        "date": int(at.timestamp()),
        "text": incoming.text,
    }
    document = {"update_id": crc32(incoming.id.encode()) >> 2, "message": message}
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Put the secret token into a header: …#setwebhook."""
    return replace(post, headers=post.headers | {"X-Telegram-Bot-Api-Secret-Token": settings["secret_token"]})


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read POST /bot<token>/<method>: …#making-requests. Raises Refused."""
    _, bot, method = (*call.path.split("/"), "", "")[:3]
    if bot != f"bot{settings['bot_token']}":
        raise Refused("unauthorized")
    fields: dict[str, Any] = orjson.loads(call.body)
    if method not in _METHODS or not fields.get(_METHODS[method]):
        raise Refused("invalid", "Bad Request: message text is empty")
    if not str(fields.get("chat_id", "")).lstrip("-").isdigit():
        raise Refused("invalid", "Bad Request: chat not found")
    words = fields.get("text") or fields.get("caption")
    return [Sent(id, "chat", f"telegram:{fields['chat_id']}", "bot", words)]


def reply(sent: list[Sent]) -> Reply:
    """Return the message that was sent."""
    one = sent[0]
    chat = {"id": _number(one.to.removeprefix("telegram:")), "first_name": "Simulated", "type": "private"}
    bot = {"id": 123456, "is_bot": True, "first_name": "Shop", "username": "shop_bot"}
    message = {"message_id": _number(one.id), "from": bot, "chat": chat, "date": 1772443770, "text": one.text}
    return Reply(200, orjson.dumps({"ok": True, "result": message}))


def refuse(why: Refusal) -> Reply:
    """Return an error response: …#responseparameters."""
    status, words = _REFUSALS[why]
    document: dict[str, Any] = {"ok": False, "error_code": status, "description": words}
    if why == "rate":
        document["parameters"] = {"retry_after": 1}
    return Reply(status, orjson.dumps(document))


def _number(text: str) -> int | str:
    """Return an id as a number, as Telegram's are; ids of test data may be other text."""
    return int(text) if text.lstrip("-").isdecimal() and len(text) < 17 else text


SIMULATOR = Simulator(
    webhooks=Webhooks(channels=("chat",), inbound=inbound, sign=sign),
    api=Api(accept=accept, reply=reply, refuse=refuse),
    customers=CUSTOMERS,
)
