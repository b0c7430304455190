"""Reads Gupshup's webhooks: WhatsApp in its own format (version 2) or Meta's (version 3), and reports of SMS.

https://docs.gupshup.io/docs/subscriptions-and-notifications, …/message-events, …/inbound-messages, …/user-event.
Version 3: `passthrough`. SMS: `sms`. Gupshup signs nothing, and gives an event no id. A message is known by Gupshup's
id (`gsId`), which the API returns; events more than a week after the send have WhatsApp's id only.
"""

from datetime import datetime
from typing import Any

from adapters.contract import Adapter, Normalized, Request, Unprocessable, Values
from adapters.gupshup import enterprise, passthrough, sms
from adapters.gupshup.content import content_of
from adapters.gupshup.errors import error_of
from adapters.reading.addresses import of_kind, phone
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_unix, from_unix_or_millis
from adapters.reading.words import spelled
from adapters.signing.shared_header import SETTINGS as SHARED_HEADER
from adapters.signing.shared_header import verify_shared
from adapters.whatsapp_cloud.messages import CHANGES
from schemas.events import Event

#: …/message-events; `deleted` and `mismatch` do not revoke a delivery.
STATUSES: dict[str, str] = passthrough.STATUSES | {"mismatch": "ProviderEventReceived"}
#: …/user-event
CONSENTS: dict[str, str] = {"opted-in": "RecipientSubscribed", "opted-out": "RecipientUnsubscribed"}

_TYPES = ("message-event", "message", "user-event")
#: Keys of a message that add nothing to what its event has.
_READ = frozenset({"id", "source", "type"})
_READ_OF_STATUS = frozenset({"gsId", "type", "destination"})

Item = dict[str, Any]


def recognise(request: Request) -> bool:
    """Recognise a webhook by the keys of one of its three formats, as its headers do not identify it."""
    if sms.is_report(request) or passthrough.is_one(request) or enterprise.is_one(request):
        return True
    head = request.body[:1024]
    return b'"app"' in head and b'"version"' in head and b'"payload"' in head and b'"timestamp"' in head


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the configured header or secret: Gupshup signs nothing. Raises InvalidSignature."""
    return verify_shared(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event for version 2, or one per item for version 3 and SMS. Raises Unprocessable."""
    if sms.is_report(request):
        return sms.normalize(request)
    if enterprise.is_one(request):
        return Normalized([enterprise.event(request)])
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of Gupshup: the body is not an object")
    if "entry" in body:
        return passthrough.normalize(body, request)
    kind, payload = spelled(text(body.get("type")), _TYPES) or None, body.get("payload")
    if isinstance(payload, dict):
        if kind == "message-event":
            return Normalized([_status(payload, body, request)])
        if kind == "message":
            return Normalized([_message(payload, body, request)])
        if kind == "user-event" and (type_ := CONSENTS.get(spelled(text(payload.get("type")), CONSENTS))):
            return Normalized([_consent(type_, payload, body, request)])
    return Normalized([_other(kind, payload, body, request)])


def _time(body: Item) -> datetime | None:
    return from_unix_or_millis(body.get("timestamp"))


def _status(item: Item, body: Item, request: Request) -> Event:
    given = text(item.get("type")) or ""
    status = spelled(given, STATUSES)
    type_ = STATUSES.get(status, "ProviderEventReceived")
    message_id = identifier(item.get("gsId")) or identifier(item.get("id"))
    if message_id is None:
        raise Unprocessable("a status has no message id")
    inner = item.get("payload")
    detail = inner if isinstance(inner, dict) else {}
    customer, others = passthrough.customer_of(item.get("destination"), item.get("userId"))
    payload: dict[str, Any] = {"providerStatus": given[:255]}
    if customer is not None:
        payload["to"] = customer.value
    if others:
        payload["handles"] = others
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, body).payload["native"]
    if isinstance(pricing := item.get("pricing"), dict) and (category := text(pricing.get("category"))):
        payload["pricingCategory"] = category[:255]
    if whatsapp_id := text(detail.get("whatsappMessageId")):
        payload["whatsappMessageId"] = whatsapp_id
    error = error_of(detail.get("code"), detail.get("reason")) if type_ == "MessageFailed" else None
    when = text(detail.get("ts")) or text(body.get("timestamp"))
    event_id = fact_id("status", message_id, status, text(item.get("destination")), when)
    event = Event(
        type_,
        request.source,
        event_id,
        channel="whatsapp",
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_unix(detail.get("ts")) or _time(body),
        error=error,
        payload=payload,
    )
    return keep_rest(event, item, _READ_OF_STATUS)


def _message(item: Item, body: Item, request: Request) -> Event:
    message_id, kind = identifier(item.get("id")), text(item.get("type")) or ""
    if message_id is None:
        raise Unprocessable("a message without its id")
    nested, inner = item.get("sender"), item.get("payload")
    sender = nested if isinstance(nested, dict) else {}
    customer, others = passthrough.customer_of(item.get("source") or sender.get("phone"), sender.get("userId"))
    payload: dict[str, Any] = {"providerStatus": kind[:255]}
    if customer is not None:
        payload["from"] = customer.value
    if others:
        payload["handles"] = others
    if content := content_of(kind, inner if isinstance(inner, dict) else {}):
        payload["content"] = content
    if name := text(sender.get("name")):
        payload["displayName"] = name[:1024]
    if replied_to := passthrough.replied_to(item.get("context"), "gsId"):
        payload["inReplyTo"] = replied_to
        if "reaction" in content:  # by the id that the message is known by, as far as there is one
            content["reaction"]["providerMessageId"] = replied_to
    event_id = fact_id("message", message_id, kind)
    event = Event(
        "MessageReceived",
        request.source,
        event_id,
        channel="whatsapp",
        direction="inbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=_time(body),
        payload=payload,
    )
    return keep_rest(event, item, _READ)


def _consent(type_: str, item: Item, body: Item, request: Request) -> Event:
    customer = phone(item.get("phone"))
    payload: dict[str, Any] = {"providerStatus": text(item.get("type"))}
    if customer is not None:
        payload["from"] = customer.value
    event_id = fact_id("consent", text(item.get("phone")), type_, text(body.get("timestamp")))
    return Event(
        type_,
        request.source,
        event_id,
        channel="whatsapp",
        direction="inbound",
        handle=customer,
        occurred_at=_time(body),
        payload=payload,
    )


def _other(kind: str | None, item: Any, body: Item, request: Request) -> Event:
    """Return the unmapped event of a bill (which names its message), a template or the account."""
    event = unknown(request, body, status=kind)
    event.occurred_at = _time(body)
    about = item.get("references") if isinstance(item, dict) else None
    if isinstance(about, dict):
        event.channel = "whatsapp"
        event.provider_message_id = identifier(about.get("gsId")) or identifier(about.get("id"))
        destination = about.get("destination")
        event.handle = phone(destination) or of_kind("whatsapp_user_id", about.get("userId"))
    return event


ADAPTER = Adapter(
    name="gupshup",
    title="Gupshup",
    docs="https://docs.gupshup.io/docs/subscriptions-and-notifications",
    channels=frozenset({"whatsapp", "sms", "voice"}),
    events=frozenset({*STATUSES.values(), *CONSENTS.values(), *CHANGES.values(), "MessageReceived"}),
    signature="signs nothing: a header, basic auth or a secret in the URL",
    signs_body=False,
    settings=SHARED_HEADER,
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Gupshup expects 200 with an empty body. It has no handshake, but posts an event of the user `callbackSetPhone`
    # to a new URL.
)
