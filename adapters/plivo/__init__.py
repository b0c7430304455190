"""Reads Plivo's webhooks: messages (SMS, MMS, WhatsApp), calls and recordings, each a request of form parameters.

Statuses: https://docs.plivo.com/docs/messaging/api/message/message-status-callbacks; inbound:
…/message/handling-incoming. Unless answered with 2xx within eight seconds, a webhook is retried after 60, 120 and
240 seconds (https://support.plivo.com/hc/en-us/articles/360041344652). Times have no zone: a call's are in the zone
set in the console (…/voice/api/call/the-call-object), so they are not used.
"""

from typing import Any

from adapters.contract import Adapter, Answer, Normalized, Request, Send, Setting, Unprocessable, Values, secrets_of
from adapters.plivo import calls, signature
from adapters.plivo.errors import error_of
from adapters.plivo.send import API, build_request, read_response
from adapters.plivo.signature import once
from adapters.reading.addresses import handle
from adapters.reading.bodies import Pairs, form_of, query_of
from adapters.reading.facts import count, fact_id, identifier, location, unknown
from adapters.reading.own_ids import own_id_in_url
from schemas.events import Event

Fields = dict[str, str]

#: …/message-status-callbacks: `Status`.
STATUSES: dict[str, str] = {
    "queued": "MessageQueued",
    "sent": "UserMessageSent",
    "delivered": "MessageDelivered",
    "read": "MessageRead",
    "undelivered": "MessageFailed",
    "failed": "MessageFailed",
    "rejected": "MessageRejected",
}
#: …/handling-incoming: `MessageIntent`, Plivo's interpretation of the sender's word; `help` changes no consent.
INTENTS: dict[str, str] = {"optout": "RecipientUnsubscribed", "optin": "RecipientSubscribed"}
_HEADERS = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3", "x-plivo-signature-v2", "x-plivo-signature-ma-v2")
_XML = Answer(200, b'<?xml version="1.0" encoding="UTF-8"?><Response/>', "application/xml; charset=utf-8")
#: …/handling-incoming: numbered from `Media1`; `Media0` is read too.
_MEDIA = tuple(f"Media{index}" for index in range(11))


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature headers, or by names that only its parameters have."""
    if any([name in request.headers for name in _HEADERS]):
        return True
    body = request.body[:8192]
    return b"MessageUUID=" in body or (b"CallUUID=" in body and b"HangupCause" in body)


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the signature with `signature.verify`. No time is signed, so `fresh` has no effect. Raises
    InvalidSignature."""
    tokens = secrets_of(values, "auth_token")
    if not tokens:
        return None
    signature.verify(request, tokens)
    return True


def normalize(request: Request) -> Normalized:
    """Return one event, or two for a message that opts out or in. Raises Unprocessable."""
    fields = dict(_pairs(request))
    if "CallUUID" in fields:
        return Normalized(calls.events(fields, request))
    if "MessageUUID" in fields:
        return Normalized([_status(fields, request)] if "Status" in fields else _received(fields, request))
    if not fields:
        raise Unprocessable("a request without parameters")
    return Normalized([unknown(request, fields)])


def answer(request: Request) -> Answer:
    """Answer 200, and a call's request with empty instructions."""
    return _XML if b"CallUUID=" in request.body or "CallUUID=" in request.url else Answer()


def _pairs(request: Request) -> Pairs:
    return query_of(request) if request.method == "GET" else form_of(request)


def _status(fields: Fields, request: Request) -> Event:
    get = fields.get
    message_id, status, to = identifier(fields["MessageUUID"]), fields["Status"].lower(), get("To", "")
    type = STATUSES.get(status)
    if message_id is None:
        raise Unprocessable("a status has no message id")
    if type is None:
        event = unknown(request, fields, status=status or None)
    else:
        event = Event(type, request.source, fact_id("status", message_id, status), payload={"providerStatus": status})
    event.direction, event.channel, event.provider_message_id = "outbound", _channel(fields), message_id
    event.handle = handle(to, event.channel)
    event.echoed_message_id = own_id_in_url(request)
    event.payload |= {key: value for key, value in (("from", get("From")), ("to", to)) if value}
    if (units := count(get("Units"))) is not None:
        event.payload["segments"] = units
    amount = get("TotalAmount", "")
    if amount.replace(".", "", 1).isdigit() and amount.isascii() and amount[0] != ".":
        event.payload["price"] = {"amount": amount.rstrip("."), "currency": "USD"}
    if type in ("MessageFailed", "MessageRejected"):
        event.error = error_of(get("ErrorCode") or None, status)
    return event


def _received(fields: Fields, request: Request) -> list[Event]:
    get = fields.get
    message_id, channel = identifier(fields["MessageUUID"]), _channel(fields)
    if message_id is None:
        raise Unprocessable("a message without its id")
    content: dict[str, Any] = {"text": words} if (words := get("Text") or get("Body") or get("Caption")) else {}
    kind = {"type": mime[:255]} if (mime := get("MimeType")) else {}
    if media := [{"url": url} | kind for name in _MEDIA if (url := get(name))]:
        content["media"] = media
    if place := location(get("Latitude"), get("Longitude"), get("Name") or get("Address")):
        content["location"] = place
    event = Event(
        "MessageReceived",
        request.source,
        fact_id("inbound", message_id),
        channel=channel,
        direction="inbound",
        provider_message_id=message_id,
    )
    event.handle = handle(get("From"), channel)
    event.payload = {key: value for key, name in (("from", "From"), ("to", "To")) if (value := get(name))}
    if name := get("ProfileName"):
        event.payload["displayName"] = name[:1024]
    if replied_to := get("ContextMessageUUID"):
        event.payload["inReplyTo"] = replied_to[:2048]
    if content:
        event.payload["content"] = content
    if (intent := INTENTS.get(get("MessageIntent", "").lower())) is None:
        return [event]
    consent = Event(
        intent,
        request.source,
        fact_id("intent", message_id),
        channel=channel,
        direction="inbound",
        provider_message_id=message_id,
    )
    consent.handle = event.handle
    consent.payload = {key: event.payload[key] for key in ("from", "to") if key in event.payload}
    return [event, consent]


def _channel(fields: Fields) -> str:
    return "whatsapp" if (fields.get("Type") or fields.get("MessageType", "")).lower() == "whatsapp" else "sms"


ADAPTER = Adapter(
    name="plivo",
    title="Plivo",
    docs="https://docs.plivo.com/docs/messaging/api/message/message-status-callbacks",
    channels=frozenset({"sms", "whatsapp", "voice"}),
    events=frozenset(
        {
            *STATUSES.values(),
            *INTENTS.values(),
            *calls.STATUSES.values(),
            *("MessageReceived", "CallRecorded", "ProviderEventReceived"),
        }
    ),
    signature="HMAC-SHA256 over URL, form and nonce (V3); of messages over URL and nonce (V2)",
    # V3 covers the parameters; V2, the only signature of many messages, covers the URL alone.
    signs_body=False,
    settings=(
        Setting("auth_token", "The auth token of the account or subaccount (Console, Overview)."),
        Setting("auth_id", "The account's auth id, MA…, for sending.", secret=False),
        Setting("sender", "The number, short code or sender id to send from.", secret=False),
        Setting("api_url", f"The URL of the API; {API} if not set.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    answer=answer,
    once=once,
    send=Send(
        channels=frozenset({"sms", "whatsapp"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
