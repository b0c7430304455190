"""Simulates Postmark: /email and its batches, the search of messages, its webhooks under basic auth, and inbound mail.

https://postmarkapp.com/developer/webhooks/delivery-webhook and the pages beside it, …/developer/api/email-api,
…/templates-api, …/messages-api, https://postmarkapp.com/support/article/1125-custom-metadata-faq.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

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
from adapters.simulating.shared_secrets import sign

__all__ = ["sign"]

_RECORDS = {
    "MessageDelivered": ("Delivery", "DeliveredAt"),
    "MessageOpened": ("Open", "ReceivedAt"),
    "MessageClicked": ("Click", "ReceivedAt"),
    "MessageDelayed": ("Bounce", "BouncedAt"),
    "MessageBounced": ("Bounce", "BouncedAt"),
    "MessageComplained": ("SpamComplaint", "BouncedAt"),
    "RecipientUnsubscribed": ("SubscriptionChange", "ChangedAt"),
}
_BOUNCES = {
    "MessageDelayed": ("Transient", 2, "4.2.1 try again"),
    "MessageBounced": ("HardBounce", 1, "smtp;550 5.1.1 no such user"),
    "MessageComplained": ("SpamComplaint", 512, "complained"),
}
_REFUSALS: dict[Refusal, tuple[int, int, str]] = {
    "rate": (429, 429, "Rate limit exceeded"),
    "invalid": (422, 300, "Error parsing 'To': Illegal email address 'ana'."),
    "unauthorized": (
        401,
        10,
        "The Server Token you provided in the X-Postmark-Server-Token request header was invalid.",
    ),
    "unavailable": (503, 100, "Maintenance"),
}
#: The resource for each item of a batch endpoint.
_BATCHES = {"/email/batch": "/email", "/email/batchWithTemplates": "/email/withTemplate"}
_MOST = 500
_METADATA = "metadata_"
_HEADERS = {"content-type": "application/json", "user-agent": "Postmark"}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build the webhook of a record."""
    record, time = _RECORDS[state]
    recipient = "Email" if "Bounce" in record or record == "SpamComplaint" else "Recipient"
    item: dict[str, Any] = {
        "RecordType": record,
        "MessageID": sent.id,
        "ServerID": 23,
        "MessageStream": "outbound",
        recipient: sent.to,
        time: at.strftime("%Y-%m-%dT%H:%M:%S.%f0Z"),
        "Metadata": {"reference": sent.reference} if sent.reference else {},
    }
    if state in _BOUNCES:
        kind, code, details = _BOUNCES[state]
        number = int.from_bytes(f"{sent.id}{state}".encode()[-24:], "big") % 10**12
        item |= {"ID": number, "Type": kind, "TypeCode": code, "Details": details, "Inactive": code == 1}
    elif record == "SubscriptionChange":
        item |= {"Origin": "Recipient", "SuppressSending": True, "SuppressionReason": "ManualSuppression"}
    elif record in ("Open", "Click"):
        item |= {"UserAgent": "Mozilla/5.0", "Geo": {"IP": "198.51.100.7"}, "Platform": "Desktop"}
        item |= {"FirstOpen": True} if record == "Open" else {"OriginalLink": "https://example.com/orders/1"}
    return Post(url, orjson.dumps(item), dict(_HEADERS))


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build an inbound mail: …/inbound-webhook."""
    item = {
        "FromName": "Ana",
        "MessageStream": "inbound",
        "From": incoming.sender,
        "FromFull": {"Email": incoming.sender, "Name": "Ana", "MailboxHash": ""},
        "To": incoming.to,
        "ToFull": [{"Email": incoming.to, "Name": "", "MailboxHash": ""}],
        "OriginalRecipient": incoming.to,
        "Subject": "A question",
        "MessageID": incoming.id,
        "MailboxHash": "",
        "Date": at.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        "TextBody": incoming.text,
        "Headers": [{"Name": "Message-ID", "Value": f"<{incoming.id}@mail.example.com>"}],
        "Attachments": [],
    }
    return Post(url, orjson.dumps(item), dict(_HEADERS))


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read POST /email, /email/withTemplate and their batches, in which each message is accepted or refused on its
    own. Raises Refused."""
    _let_in(call, settings)
    request = orjson.loads(call.body)
    if call.path not in _BATCHES:
        return [_taken(request, call.path, UUID(id))]
    items = request["Messages"] if "Messages" in request else request
    if not isinstance(items, list) or not 0 < len(items) <= _MOST:
        raise Refused("invalid", "Too many batch messages")
    made = []
    for number, one in enumerate(items):
        own = UUID(int=(int(id, 16) + number) % 2**128)
        try:
            sent = _taken(one, _BATCHES[call.path], own)
        except Refused as refused:
            sent = Sent(str(own), "email", one.get("To", ""), one.get("From", ""), refused=refused.why)
        sent.extra["batch"] = True
        made.append(sent)
    return made


def look_up(call: Call, settings: Settings, sent: Sequence[Sent]) -> Reply | None:
    """Answer GET /messages/outbound for one stream, by one field of Metadata."""
    path, _, query = call.path.partition("?")
    if call.method != "GET" or path != "/messages/outbound":
        return None
    _let_in(call, settings)
    wanted = dict(parse_qsl(query))
    fields = {name.removeprefix(_METADATA): value for name, value in wanted.items() if name.startswith(_METADATA)}
    if not {"count", "offset"} <= wanted.keys() or len(fields) > 1:
        raise Refused("invalid", "count and offset are required")
    of_stream = [one for one in sent if one.extra["MessageStream"] == wanted.get("messagestream", "outbound")]
    found = [one for one in of_stream if fields.items() <= one.extra["Metadata"].items()]
    first = int(wanted["offset"])
    messages = [_listed(one) for one in found[first : first + int(wanted["count"])]]
    return Reply(200, orjson.dumps({"TotalCount": len(found), "Messages": messages}))


def reply(sent: list[Sent]) -> Reply:
    """Return 200 with the id; for a batch a list, in which a refused message has its error."""
    replies = [_reply_to(one) for one in sent]
    return Reply(200, orjson.dumps(replies if sent[0].extra.get("batch") else replies[0]))


def refuse(why: Refusal) -> Reply:
    """Return an error response: …/developer/api/overview#error-codes."""
    code, number, words = _REFUSALS[why]
    return Reply(code, orjson.dumps({"ErrorCode": number, "Message": words}))


def _let_in(call: Call, settings: Settings) -> None:
    if call.headers.get("x-postmark-server-token") != settings["server_token"]:
        raise Refused("unauthorized")


def _taken(request: dict[str, Any], path: str, id: UUID) -> Sent:
    templated = path == "/email/withTemplate" and ("TemplateId" in request or "TemplateAlias" in request)
    if not templated and (path != "/email" or not ("TextBody" in request or "HtmlBody" in request)):
        raise Refused("invalid", "no body")
    if "@" not in request.get("To", "") or "From" not in request:
        raise Refused("invalid", "Illegal email address")
    metadata = request.get("Metadata", {})
    kept = {"Metadata": metadata, "MessageStream": request.get("MessageStream", "outbound")}
    return Sent(
        str(id), "email", request["To"], request["From"], request.get("TextBody"), metadata.get("reference"), extra=kept
    )


def _reply_to(one: Sent) -> dict[str, Any]:
    if one.refused:
        _, number, words = _REFUSALS[one.refused]
        return {"ErrorCode": number, "Message": words}
    body = {"To": one.to, "SubmittedAt": "2026-03-02T09:29:30.1234567Z", "MessageID": one.id}
    return body | {"ErrorCode": 0, "Message": "OK"}


def _listed(one: Sent) -> dict[str, Any]:
    return {
        "MessageID": one.id,
        "MessageStream": one.extra["MessageStream"],
        "To": [{"Email": one.to, "Name": None}],
        "Recipients": [one.to],
        "ReceivedAt": "2026-03-02T04:29:30.1234567-05:00",
        "From": one.sender,
        "Status": "Sent",
        "Metadata": one.extra["Metadata"],
    }


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("email",), statuses=Statuses(states=tuple(_RECORDS), build=status), inbound=inbound, sign=sign
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse, look_up=look_up),
)
