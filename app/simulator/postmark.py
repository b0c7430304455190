"""Postmark played: /email, its webhooks under basic auth, and a mail that comes in.

https://postmarkapp.com/developer/webhooks/delivery-webhook and the pages beside it, …/developer/api/email-api.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

import orjson

from app.simulator.base import Call, Post, Refusal, Refused, Reply, Said, Sent, Settings
from app.simulator.told import sign

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
    """POST /email and /email/withTemplate."""
    if call.headers.get("x-postmark-server-token") != settings["server_token"]:
        raise Refused("unauthorized")
    said = orjson.loads(call.body)
    templated = call.path == "/email/withTemplate" and ("TemplateId" in said or "TemplateAlias" in said)
    if not templated and (call.path != "/email" or not ("TextBody" in said or "HtmlBody" in said)):
        raise Refused("invalid", "no body")
    if "@" not in said.get("To", "") or "From" not in said:
        raise Refused("invalid", "Illegal email address")
    reference = said.get("Metadata", {}).get("reference")
    return [Sent(str(UUID(id)), "email", said["To"], said["From"], said.get("TextBody"), reference)]


def reply(sent: list[Sent]) -> Reply:
    """200 with the id."""
    one = sent[0]
    body = {"To": one.to, "SubmittedAt": "2026-03-02T09:29:30.1234567Z", "MessageID": one.id}
    return Reply(200, orjson.dumps(body | {"ErrorCode": 0, "Message": "OK"}))


def refuse(why: Refusal) -> Reply:
    """…/developer/api/overview#error-codes"""
    code, number, words = _REFUSALS[why]
    return Reply(code, orjson.dumps({"ErrorCode": number, "Message": words}))
