"""Reads Plivo's webhooks: messages (SMS, MMS, WhatsApp), calls and recordings, each a request of form parameters.

Statuses: https://docs.plivo.com/docs/messaging/api/message/message-status-callbacks; inbound:
…/message/handling-incoming. Unless answered with 2xx within eight seconds, a webhook is retried after 60, 120 and
240 seconds (https://support.plivo.com/hc/en-us/articles/360041344652). Times have no zone: a call's are in the zone
set in the console (…/voice/api/call/the-call-object), so they are not used.
"""

from adapters.contract import Adapter, Answer, Normalized, Request, Send, Setting, Unprocessable, Values, secrets_of
from adapters.plivo import calls, inbound, signature
from adapters.plivo.errors import error_of
from adapters.plivo.send import API, build_request, read_response
from adapters.plivo.signature import once
from adapters.reading.addresses import dialled
from adapters.reading.bodies import Pairs, form_of
from adapters.reading.facts import count, fact_id, identifier, unknown
from adapters.reading.own_ids import own_id_in_url
from adapters.reading.parameters import given, whole_of
from adapters.reading.remainder import keep_rest
from adapters.signing.optional import SETTINGS as _UNSIGNED
from adapters.signing.optional import WORDS, verify_signed_or_known
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
#: …/handling-incoming: `Type`, or for WhatsApp `MessageType`: what kind of message came in.
_KINDS = frozenset({"sms", "mms", "whatsapp"})
#: The parameters that decide what an event is, in any case.
_NAMES = {name.lower(): name for name in ("CallUUID", "MessageUUID", "Status", "Type", "MessageType")}
#: Keys whose value the event has in another form.
_READ = frozenset({"Type", "MessageType", "Status", "CallStatus", "Direction"})
_HEADERS = ("x-plivo-signature-v3", "x-plivo-signature-ma-v3", "x-plivo-signature-v2", "x-plivo-signature-ma-v2")
_XML = Answer(200, b'<?xml version="1.0" encoding="UTF-8"?><Response/>', "application/xml; charset=utf-8")


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature headers, or by names that only its parameters have."""
    if any([name in request.headers for name in _HEADERS]):
        return True
    body = request.body[:8192]
    return b"MessageUUID=" in body or (b"CallUUID=" in body and b"HangupCause" in body)


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the signature with `signature.verify`; without one, basic authentication or the secret in the URL. No time
    is signed, so `fresh` has no effect. Raises InvalidSignature."""
    tokens = secrets_of(values, "auth_token")
    return verify_signed_or_known(
        request,
        values,
        keys=tokens,
        signed=any([name in request.headers for name in _HEADERS]),
        check=lambda: signature.verify(request, tokens),
    )


def normalize(request: Request) -> Normalized:
    """Return one event, or two for a message that opts out or in. Raises Unprocessable."""
    fields = {_NAMES.get(name.lower(), name): value for name, value in _pairs(request)}
    if not fields:
        raise Unprocessable("a request without parameters")
    if "CallUUID" in fields:
        made = calls.events(fields, request)
    elif "MessageUUID" not in fields:
        return Normalized([unknown(request, whole_of(request))])
    elif "Status" in fields:
        made = [_status(fields, request)]
    elif (fields.get("Type") or fields.get("MessageType", "")).lower() in _KINDS and not inbound.CONTENT.isdisjoint(
        fields
    ):
        made = inbound.events(fields, request)
    else:  # neither the word of a state nor that of a kind of message
        made = [_other(fields, request)]
    keep_rest(made[0], whole_of(request), read=_READ)
    return Normalized(made)


def answer(request: Request) -> Answer:
    """Answer 200, and a call's request with empty instructions."""
    return _XML if b"CallUUID=" in request.body or "CallUUID=" in request.url else Answer()


def _pairs(request: Request) -> Pairs:
    return given(request) if request.method == "GET" else form_of(request)


def _status(fields: Fields, request: Request) -> Event:
    get = fields.get
    message_id, status, to = identifier(fields["MessageUUID"]), fields["Status"].lower(), get("To", "")
    type = STATUSES.get(status)
    if message_id is None:
        raise Unprocessable("a status has no message id")
    if type is None:
        event = unknown(request, whole_of(request), status=status or None)
    else:
        event = Event(type, request.source, fact_id("status", message_id, status), payload={"providerStatus": status})
    event.direction, event.channel, event.provider_message_id = "outbound", inbound.channel_of(fields), message_id
    event.handle = dialled(to, event.channel)
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


def _other(fields: Fields, request: Request) -> Event:
    """Return the event of a request without a known word for what happened to its message, so that the direction, and
    with it the customer, is unknown."""
    event = unknown(request, whole_of(request), status=fields.get("Type") or None)
    event.channel, event.provider_message_id = inbound.channel_of(fields), identifier(fields["MessageUUID"])
    return event


ADAPTER = Adapter(
    name="plivo",
    title="Plivo",
    docs="https://docs.plivo.com/docs/messaging/api/message/message-status-callbacks",
    channels=frozenset({"sms", "whatsapp", "voice"}),
    events=frozenset(
        {
            *STATUSES.values(),
            *inbound.INTENTS.values(),
            *calls.STATUSES.values(),
            *("MessageReceived", "CallRecorded", "ProviderEventReceived"),
        }
    ),
    signature=f"HMAC-SHA256 over URL, form and nonce (V3); of messages over URL and nonce (V2); {WORDS}",
    # V3 covers the parameters; V2, the only signature of many messages, covers the URL alone.
    signs_body=False,
    settings=(
        Setting("auth_token", "The auth token of the account or subaccount (Console, Overview)."),
        *_UNSIGNED,
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
