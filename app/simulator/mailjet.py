"""Mailjet played: the Send API v3.1, the Event API and the Parse API.

https://dev.mailjet.com/email/guides/webhooks/, …/guides/parse-api/, …/reference/send-emails/.
"""

import base64
from dataclasses import replace
from datetime import datetime
from typing import Any

import orjson

from app.simulator.base import Call, Post, Refusal, Refused, Reply, Said, Sent, Settings

CHANNELS = ("email",)
_EVENTS = {
    "MessageDelivered": "sent",
    "MessageOpened": "open",
    "MessageClicked": "click",
    "MessageDelayed": "bounce",
    "MessageBounced": "bounce",
    "MessageRejected": "blocked",
    "MessageComplained": "spam",
    "RecipientUnsubscribed": "unsub",
}
STATES = tuple(_EVENTS)
_REFUSALS: dict[Refusal, tuple[int, str, str]] = {
    "rate": (429, "mj-0018", "Too many requests"),
    "invalid": (400, "mj-0013", '"ana" is an invalid email address.'),
    "unauthorized": (401, "mj-0002", "API key authentication/authorization failure."),
    "unavailable": (500, "mj-0001", "Internal error"),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """A list of one event, as grouped events are posted."""
    item: dict[str, Any] = {
        "event": _EVENTS[state],
        "time": int(at.timestamp()),
        "MessageID": int(sent.id) if sent.id.isdecimal() else sent.id,
        "Message_GUID": sent.extra.get("guid", ""),
        "email": sent.to,
        "mj_campaign_id": 7257,
        "mj_contact_id": 4,
        "customcampaign": "",
        "CustomID": sent.reference or "",
        "Payload": "",
    }
    if state == "MessageDelivered":
        item["smtp_reply"] = "sent (250 2.0.0 OK)"
    elif state in ("MessageDelayed", "MessageBounced", "MessageRejected"):
        hard = state == "MessageBounced"
        item |= {"error_related_to": "recipient", "error": "user unknown" if hard else "preblocked"}
        item |= {"error_related_to": "domain", "error": "greylisted"} if state == "MessageDelayed" else {}
        item |= {"blocked": False, "hard_bounce": hard} if state != "MessageRejected" else {}
    elif state in ("MessageOpened", "MessageClicked"):
        item |= {"ip": "198.51.100.7", "geo": "LT", "agent": "Mozilla/5.0", "url": "https://example.com/orders/1"}
    return Post(url, orjson.dumps([item]), {"content-type": "application/json"})


def inbound(said: Said, at: datetime, url: str) -> Post:
    """…/guides/parse-api/"""
    item = {
        "Sender": said.sender,
        "Recipient": said.to,
        "Date": at.strftime("%Y%m%dT%H%M%S"),
        "From": f"Ana <{said.sender}>",
        "Subject": "A question",
        "Headers": {"Message-ID": f"<{said.id}@mail.example.com>", "From": f"Ana <{said.sender}>"},
        "Parts": [{"Headers": {"Content-Type": "text/plain; charset=UTF-8"}, "ContentRef": "Text-part"}],
        "Text-part": said.text,
        "SpamAssassinScore": "0.1",
    }
    return Post(url, orjson.dumps(item), {"content-type": "application/json"})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Nothing is signed: the user and password of the URL come along."""
    if "url_secret" in settings and "basic_auth" not in settings:
        return post
    credentials = base64.b64encode(settings["basic_auth"].encode()).decode()
    return replace(post, headers=post.headers | {"authorization": f"Basic {credentials}"})


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """POST /v3.1/send."""
    credentials = base64.b64encode(f"{settings['api_key']}:{settings['secret_key']}".encode()).decode()
    if call.headers.get("authorization") != f"Basic {credentials}":
        raise Refused("unauthorized")
    if call.path != "/v3.1/send":
        raise Refused("invalid", "no such resource")
    made = []
    for number, one in enumerate(orjson.loads(call.body)["Messages"]):
        (to,) = one["To"]
        if "@" not in to["Email"] or "@" not in one["From"]["Email"]:
            raise Refused("invalid", "an invalid email address")
        if not {"TextPart", "HTMLPart", "TemplateID"} & one.keys():
            raise Refused("invalid", "At least HTMLPart, TextPart or TemplateID must be provided.")
        # Mailjet's ids are numbers of 17 digits or more, which are kept as they are.
        number = int(f"{int(id, 16)}"[:17]) + number
        text, reference = one.get("TextPart"), one.get("CustomID")
        made.append(Sent(str(number), "email", to["Email"], one["From"]["Email"], text, reference))
    return made


def reply(sent: list[Sent]) -> Reply:
    """200 with the ids as numbers."""
    messages = [
        {"Status": "success", "CustomID": one.reference or "", "To": [{"Email": one.to, "MessageID": int(one.id)}]}
        for one in sent
    ]
    return Reply(200, orjson.dumps({"Messages": messages}))


def refuse(why: Refusal) -> Reply:
    """An error of the message, or of the whole call."""
    code, name, words = _REFUSALS[why]
    error = {"ErrorIdentifier": "f987008f", "ErrorCode": name, "StatusCode": code, "ErrorMessage": words}
    if why == "invalid":
        error |= {"ErrorRelatedTo": ["To[0].Email"]}
        return Reply(code, orjson.dumps({"Messages": [{"Status": "error", "Errors": [error]}]}))
    return Reply(code, orjson.dumps(error))
