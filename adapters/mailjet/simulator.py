"""Simulates Mailjet: the Send API v3.1, the list of messages, the Event API and the Parse API.

https://dev.mailjet.com/email/guides/webhooks/, …/guides/parse-api/, …/reference/send-emails/, …/reference/messages/.
"""

import base64
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

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
_REFUSALS: dict[Refusal, tuple[int, str, str]] = {
    "rate": (429, "mj-0018", "Too many requests"),
    "invalid": (400, "mj-0013", '"ana" is an invalid email address.'),
    "unauthorized": (401, "mj-0015", "API key authentication/authorization failure."),
    "unavailable": (500, "mj-0001", "Internal error"),
}
_MOST = 50


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a list of one event, as Mailjet posts grouped events."""
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


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build the Parse API's post of a mail: …/guides/parse-api/."""
    item = {
        "Sender": incoming.sender,
        "Recipient": incoming.to,
        "Date": at.strftime("%Y%m%dT%H%M%S"),
        "From": f"Ana <{incoming.sender}>",
        "Subject": "A question",
        "Headers": {"Message-ID": f"<{incoming.id}@mail.example.com>", "From": f"Ana <{incoming.sender}>"},
        "Parts": [{"Headers": {"Content-Type": "text/plain; charset=UTF-8"}, "ContentRef": "Text-part"}],
        "Text-part": incoming.text,
        "SpamAssassinScore": "0.1",
    }
    return Post(url, orjson.dumps(item), {"content-type": "application/json"})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Add the URL's user and password: Mailjet signs nothing."""
    if "url_secret" in settings and "basic_auth" not in settings:
        return post
    credentials = base64.b64encode(settings["basic_auth"].encode()).decode()
    return replace(post, headers=post.headers | {"authorization": f"Basic {credentials}"})


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read POST /v3.1/send, each of whose messages is accepted or refused on its own. Raises Refused."""
    _let_in(call, settings)
    if call.path != "/v3.1/send":
        raise Refused("invalid", "no such resource")
    messages = orjson.loads(call.body)["Messages"]
    if not 0 < len(messages) <= _MOST:
        raise Refused("invalid", "too many elements")
    made = []
    for number, one in enumerate(messages):
        (to,) = one["To"]
        addressed = "@" in to["Email"] and "@" in one["From"]["Email"]
        worded = {"TextPart", "HTMLPart", "TemplateID"} & one.keys()
        # Mailjet's ids are numbers of at least 17 digits.
        own = str(int(f"{int(id, 16)}"[:17]) + number)
        text, reference = one.get("TextPart"), one.get("CustomID")
        sent = Sent(own, "email", to["Email"], one["From"]["Email"], text, reference)
        made.append(sent if addressed and worded else replace(sent, refused="invalid"))
    return made


def look_up(call: Call, settings: Settings, sent: Sequence[Sent]) -> Reply | None:
    """Answer GET /v3/REST/message by CustomID, which the items have if `ShowCustomID` asks for it."""
    path, _, query = call.path.partition("?")
    if call.method != "GET" or path != "/v3/REST/message":
        return None
    _let_in(call, settings)
    wanted = dict(parse_qsl(query))
    found = [one for one in sent if wanted.get("CustomID") in (None, one.reference)][: int(wanted.get("Limit", 10))]
    data = [
        {"ID": int(one.id), "ArrivedAt": "2026-03-02T09:29:30Z", "Status": "sent", "Subject": ""}
        | ({"CustomID": one.reference or ""} if wanted.get("ShowCustomID") == "true" else {})
        for one in found
    ]
    return Reply(200, orjson.dumps({"Count": len(data), "Data": data, "Total": len(data)}))


def reply(sent: list[Sent]) -> Reply:
    """Return 200 with numeric ids, or 400 if any message failed, with the outcome of each."""
    messages = [
        {"Status": "error", "Errors": [_error(one.refused)]}
        if one.refused
        else {"Status": "success", "CustomID": one.reference or "", "To": [{"Email": one.to, "MessageID": int(one.id)}]}
        for one in sent
    ]
    status = 400 if any([one.refused for one in sent]) else 200
    return Reply(status, orjson.dumps({"Messages": messages}))


def refuse(why: Refusal) -> Reply:
    """Return an error of the message, or of the whole call."""
    body: dict[str, Any] = _error(why)
    if why == "invalid":
        body = {"Messages": [{"Status": "error", "Errors": [body]}]}
    return Reply(_REFUSALS[why][0], orjson.dumps(body))


def _let_in(call: Call, settings: Settings) -> None:
    credentials = base64.b64encode(f"{settings['api_key']}:{settings['secret_key']}".encode()).decode()
    if call.headers.get("authorization") != f"Basic {credentials}":
        raise Refused("unauthorized")


def _error(why: Refusal) -> dict[str, Any]:
    code, name, words = _REFUSALS[why]
    error = {"ErrorIdentifier": "f987008f", "ErrorCode": name, "StatusCode": code, "ErrorMessage": words}
    return error | ({"ErrorRelatedTo": ["To[0].Email"]} if why == "invalid" else {})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("email",), statuses=Statuses(states=tuple(_EVENTS), build=status), inbound=inbound, sign=sign
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse, look_up=look_up),
)
