"""Callbacks of the SMS API as events: reports of a recipient or of a batch, and messages that came in.

https://developers.sinch.com/docs/sms/api-reference/sms/tag/Webhooks/, the fields as in Sinch's own library,
https://github.com/sinch/sinch-sdk-node/tree/main/packages/sms. The batch's id is what sending answers.
"""

from datetime import datetime
from typing import Any

from adapters.contract import Normalized, Request, Unprocessable
from adapters.reading.addresses import dialled
from adapters.reading.facts import count, fact_id, identifier, text, unknown
from adapters.reading.times import from_text
from adapters.sinch.errors import sms_error
from schemas.events import Event

Item = dict[str, Any]

#: …/tag/Delivery-reports/#section/Delivery-report-statuses. `Aborted`: before it reached the operator.
STATUSES: dict[str, str] = {
    "Queued": "MessageQueued",
    "Dispatched": "UserMessageSent",
    "Delivered": "MessageDelivered",
    "Aborted": "MessageRejected",
    "Cancelled": "MessageCancelled",
    "Rejected": "MessageFailed",
    "Deleted": "MessageFailed",
    "Failed": "MessageFailed",
    "Expired": "MessageFailed",
    "Unknown": "ProviderEventReceived",
}
_FAILED = frozenset({"MessageFailed", "MessageRejected"})


def is_sms(body: Item) -> bool:
    """Return whether it is a report, or a message that came in."""
    return isinstance(body.get("type"), str) and ("batch_id" in body or "received_at" in body)


def events(body: Item, request: Request) -> Normalized:
    """Return the events. Raises Unprocessable if there is no id."""
    kind = str(body["type"])
    if "received_at" in body:
        return Normalized([_message(body, kind, request)])
    batch = identifier(body.get("batch_id"))
    if batch is None:
        raise Unprocessable("a report of no batch")
    if kind.startswith("recipient_"):
        told = (text(body.get("status")) or "", body.get("code"), body.get("at"))
        return Normalized([_report(body, batch, body.get("recipient"), *told, request, body)])
    return _batch(body, batch, request)


def _batch(body: Item, batch: str, request: Request) -> Normalized:
    """A full report names the recipients of each state; a summary counts them, and is kept whole."""
    found = Normalized()
    statuses = body.get("statuses")
    for part in statuses if isinstance(statuses, list) else []:
        recipients = part.get("recipients") if isinstance(part, dict) else None
        if not isinstance(recipients, list):
            continue
        status, code = (text(part.get("status")) or "")[:255], (text(part.get("code")) or "")[:255] or None
        for recipient in recipients:
            if text(recipient) is None:
                found.unprocessable.append((recipient, "a recipient that is none"))
                continue
            # What is told of this one: the whole once a recipient would be a thousand times the webhook.
            item = {"batch_id": batch, "recipient": recipient, "status": status, "code": code}
            found.events.append(_report(body, batch, recipient, status, code, None, request, item))
    if not found.events and not found.unprocessable:
        event = unknown(request, body, status=text(body.get("type")))
        event.channel, event.direction, event.provider_message_id = "sms", "outbound", batch
        found.events.append(event)
    return found


def _report(
    body: Item, batch: str, recipient: Any, status: str, code: Any, at: Any, request: Request, item: Item
) -> Event:
    """What became of one recipient's message; `item` is kept of what no word of ours fits."""
    type_ = STATUSES.get(status, "ProviderEventReceived")
    customer = dialled(recipient, "sms")
    payload: Item = {"providerStatus": status[:255]}
    if customer is not None:
        payload["to"] = customer.value
    if (ours := dialled(body.get("applied_originator"), "sms")) is not None:
        payload["from"] = ours.value
    for key, name, most in (("reference", "client_reference", 1024), ("carrier", "operator", 255)):
        if value := text(body.get(name)):
            payload[key] = value[:most]
    if (segments := count(body.get("number_of_message_parts"))) is not None:
        payload["segments"] = segments
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    return Event(
        type_,
        request.source,
        fact_id("report", batch, text(recipient), status, text(code), text(at)),
        channel="sms",
        direction="outbound",
        provider_message_id=batch,
        handle=customer,
        occurred_at=from_text(at),
        error=sms_error(code, status) if type_ in _FAILED else None,
        payload=payload,
    )


def _message(body: Item, kind: str, request: Request) -> Event:
    message_id = identifier(body.get("id"))
    if message_id is None:
        raise Unprocessable("a message without its id")
    customer, payload = dialled(body.get("from"), "sms"), _addresses(body)
    payload["providerStatus"] = kind[:255]
    if reference := text(body.get("client_reference")):
        payload["reference"] = reference[:1024]
    if carrier := text(body.get("operator_id")):
        payload["carrier"] = carrier[:255]
    content = _content(body, kind)
    if content is None:
        payload["native"] = unknown(request, body).payload["native"]
    elif content:
        payload["content"] = content
    when: datetime | None = from_text(body.get("sent_at")) or from_text(body.get("received_at"))
    return Event(
        "ProviderEventReceived" if content is None else "MessageReceived",
        request.source,
        fact_id("message", message_id),
        channel="sms",
        direction="inbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=when,
        payload=payload,
    )


def _addresses(body: Item) -> Item:
    return {key: found.value for key in ("from", "to") if (found := dialled(body.get(key), "sms")) is not None}


def _content(body: Item, kind: str) -> Item | None:
    """None of a kind that is not known. Binary is base64, its header hexadecimal."""
    said = body.get("body")
    if kind == "mo_text":
        return {"text": words} if (words := text(said)) else {}
    if kind == "mo_binary":
        names = (("data", said), ("udh", body.get("udh")))
        return {key: told for key, value in names if (told := text(value))}
    if kind != "mo_media" or not isinstance(said, dict):
        return None
    content: Item = {
        key: words for key, name in (("text", "message"), ("subject", "subject")) if (words := text(said.get(name)))
    }
    files = said.get("media")
    names = (("url", "url"), ("type", "content_type"))
    if isinstance(files, list) and files:
        content["media"] = [
            {key: value for key, name in names if (value := text(file.get(name)))}
            for file in files[:100]
            if isinstance(file, dict)
        ]
    return content
