"""Simulates Jasmin: the HTTP API, delivery reports and inbound messages.

https://docs.jasminsms.com/en/latest/apis/http/index.html
"""

from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

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

_STATES = {
    "UserMessageSent": ("ESME_ROK", "1"),
    "MessageDelivered": ("DELIVRD", "2"),
    "MessageFailed": ("UNDELIV", "2"),
    "MessageRejected": ("REJECTD", "2"),
}
_FORM = {"content-type": "application/x-www-form-urlencoded"}
_REFUSALS: dict[Refusal, tuple[int, str]] = {
    "rate": (403, "User throughput exceeded"),
    "invalid": (400, "Argument [to] has an invalid value: [x]."),
    "unauthorized": (403, "Authentication failure for username:x"),
    "unavailable": (500, "Cannot send submit_sm, check SMPPClientManagerPB log file for details"),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Make a delivery report of level 1 or 2."""
    word, level = _STATES[state]
    fields = {"id": sent.id, "message_status": word, "level": level, "connector": "operator-1"}
    if level == "2":
        done = f"{at:%y%m%d%H%M}"
        fields |= {"id_smsc": sent.id[-8:], "subdate": done, "donedate": done, "sub": "001"}
        fields |= {
            "dlvrd": "001" if word == "DELIVRD" else "000",
            "err": "000" if word == "DELIVRD" else "069",
            "text": "",
        }
    return Post(sent.callback_url or url, urlencode(fields).encode(), dict(_FORM))


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make the request of an inbound message, in UCS-2."""
    raw = incoming.text.encode("utf-16-be")
    fields = {
        "id": incoming.id,
        "from": incoming.sender,
        "to": incoming.to,
        "origin-connector": "operator-1",
        "priority": "1",
        "coding": "8",
        "validity": "",
        "content": raw.decode("latin-1"),
        "binary": raw.hex(),
    }
    return Post(url, urlencode(fields).encode(), dict(_FORM))


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Add the secret to the URL; nothing is signed."""
    address, _, query = post.url.partition("?")
    kept = "&".join(part for part in query.split("&") if part and not part.startswith("key="))
    secret = f"key={settings['url_secret']}"
    return replace(post, url=f"{address}?{kept}&{secret}" if kept else f"{address}?{secret}")


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Accept one message. Raises Refused. …#sending-sms-mt"""
    path, _, query = call.path.partition("?")
    fields = dict(parse_qsl(call.body.decode() if call.method == "POST" else query, keep_blank_values=True))
    if path != "/send" or "to" not in fields or not ("content" in fields or "hex-content" in fields):
        raise Refused("invalid")
    if (fields.get("username"), fields.get("password")) != (settings["username"], settings["password"]):
        raise Refused("unauthorized")
    hexadecimal = fields.get("hex-content")
    text = bytes.fromhex(hexadecimal).decode("utf-16-be") if hexadecimal else fields["content"]
    url = fields.get("dlr-url") if fields.get("dlr") == "yes" else None
    return [Sent(str(UUID(id)), "sms", fields["to"], fields.get("from", ""), text, None, url)]


def reply(sent: list[Sent]) -> Reply:
    """Return a line with the message's id."""
    return Reply(200, f'Success "{sent[0].id}"'.encode(), {"content-type": "text/plain"})


def refuse(why: Refusal) -> Reply:
    """Return a line with the error."""
    status, text = _REFUSALS[why]
    return Reply(status, f'Error "{text}"'.encode(), {"content-type": "text/plain"})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms",),
        statuses=Statuses(states=tuple(_STATES), build=status, names_recipient=False),
        inbound=inbound,
        sign=sign,
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse),
)
