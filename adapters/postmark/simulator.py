"""Postmark played: /email and its batches, the search of what was sent, its webhooks under basic auth, and a mail that
comes in.

https://postmarkapp.com/developer/webhooks/delivery-webhook and the pages beside it, …/developer/api/email-api,
…/templates-api, …/messages-api, https://postmarkapp.com/support/article/1125-custom-metadata-faq.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

import orjson

from adapters.simulating import Call, Post, Refusal, Refused, Reply, Said, Sent, Settings
from adapters.simulating.shared_secrets import sign

__all__ = ["sign"]

CHANNELS = ("email",)
_RECORDS = {
    "MessageDelivered": ("Delivery", "DeliveredAt"),
    "MessageOpened": ("Open", "ReceivedAt"),
    "MessageClicked": ("Click", "ReceivedAt"),
    "MessageDelayed": ("Bounce", "BouncedAt"),
    "MessageBounced": ("Bounce", "BouncedAt"),
    "MessageComplained": ("SpamComplaint", "BouncedAt"),
    "RecipientUnsubscribed": ("SubscriptionChange", "ChangedAt"),
}
STATES = tuple(_RECORDS)
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
#: What stands for which, one message in each item.
_BATCHES = {"/email/batch": "/email", "/email/batchWithTemplates": "/email/withTemplate"}
_MOST = 500
_METADATA = "metadata_"
_HEADERS = {"content-type": "application/json", "user-agent": "Postmark"}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """One webhook of the record's own form."""
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


def inbound(said: Said, at: datetime, url: str) -> Post:
    """…/inbound-webhook."""
    item = {
        "FromName": "Ana",
        "MessageStream": "inbound",
        "From": said.sender,
        "FromFull": {"Email": said.sender, "Name": "Ana", "MailboxHash": ""},
        "To": said.to,
        "ToFull": [{"Email": said.to, "Name": "", "MailboxHash": ""}],
        "OriginalRecipient": said.to,
        "Subject": "A question",
        "MessageID": said.id,
        "MailboxHash": "",
        "Date": at.strftime("%a, %d %b %Y %H:%M:%S +0000"),
        "TextBody": said.text,
        "Headers": [{"Name": "Message-ID", "Value": f"<{said.id}@mail.example.com>"}],
        "Attachments": [],
    }
    return Post(url, orjson.dumps(item), dict(_HEADERS))


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """POST /email and /email/withTemplate, and their batches, of which each message is taken or refused by itself."""
    _let_in(call, settings)
    said = orjson.loads(call.body)
    if call.path not in _BATCHES:
        return [_taken(said, call.path, UUID(id))]
    items = said["Messages"] if "Messages" in said else said
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
    """GET /messages/outbound, of one stream, by one field of Metadata."""
    path, _, query = call.path.partition("?")
    if call.method != "GET" or path != "/messages/outbound":
        return None
    _let_in(call, settings)
    asked = dict(parse_qsl(query))
    fields = {name.removeprefix(_METADATA): said for name, said in asked.items() if name.startswith(_METADATA)}
    if not {"count", "offset"} <= asked.keys() or len(fields) > 1:
        raise Refused("invalid", "count and offset are required")
    of_stream = [one for one in sent if one.extra["MessageStream"] == asked.get("messagestream", "outbound")]
    found = [one for one in of_stream if fields.items() <= one.extra["Metadata"].items()]
    first = int(asked["offset"])
    messages = [_listed(one) for one in found[first : first + int(asked["count"])]]
    return Reply(200, orjson.dumps({"TotalCount": len(found), "Messages": messages}))


def reply(sent: list[Sent]) -> Reply:
    """200 with the id; of a batch a list, in which a message that was refused has its error."""
    told = [_told(one) for one in sent]
    return Reply(200, orjson.dumps(told if sent[0].extra.get("batch") else told[0]))


def refuse(why: Refusal) -> Reply:
    """…/developer/api/overview#error-codes"""
    code, number, words = _REFUSALS[why]
    return Reply(code, orjson.dumps({"ErrorCode": number, "Message": words}))


def _let_in(call: Call, settings: Settings) -> None:
    if call.headers.get("x-postmark-server-token") != settings["server_token"]:
        raise Refused("unauthorized")


def _taken(said: dict[str, Any], path: str, id: UUID) -> Sent:
    templated = path == "/email/withTemplate" and ("TemplateId" in said or "TemplateAlias" in said)
    if not templated and (path != "/email" or not ("TextBody" in said or "HtmlBody" in said)):
        raise Refused("invalid", "no body")
    if "@" not in said.get("To", "") or "From" not in said:
        raise Refused("invalid", "Illegal email address")
    metadata = said.get("Metadata", {})
    kept = {"Metadata": metadata, "MessageStream": said.get("MessageStream", "outbound")}
    return Sent(str(id), "email", said["To"], said["From"], said.get("TextBody"), metadata.get("reference"), extra=kept)


def _told(one: Sent) -> dict[str, Any]:
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
