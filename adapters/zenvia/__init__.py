"""Reads Zenvia's webhooks: messages and statuses over SMS, WhatsApp, RCS, voice, e-mail and chats, one event each.

https://zenvia.github.io/zenvia-openapi-spec/v2/#tag/Webhooks, described in
https://github.com/zenvia/zenvia-openapi-spec/blob/master/spec/tags/subscriptions.md. Unless answered with 2xx, a
post is retried up to 30 times, half a minute apart. A status does not name the message's recipient.
"""

from typing import Any

from adapters.contract import Adapter, Normalized, Request, Unprocessable, Values
from adapters.reading.addresses import handle, of_kind, written
from adapters.reading.bodies import json_of
from adapters.reading.facts import count, fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.shapes import list_of, object_of
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from adapters.signing.shared_header import SETTINGS as SHARED_HEADER
from adapters.signing.shared_header import verify_shared
from adapters.whatsapp_cloud.errors import REASONS as _META
from adapters.zenvia import sms_v1
from adapters.zenvia.content import client_of, content_of
from schemas.events import Error, Event, Handle

#: …/spec/tags/subscriptions.md#code-field. DELETED concerns an inbound message, whose writer deleted it.
STATUSES: dict[str, str] = {
    "SENT": "UserMessageSent",
    "DELIVERED": "MessageDelivered",
    "VERIFIED": "MessageDelivered",
    "READ": "MessageRead",
    "CLICKED": "MessageClicked",
    "NOT_DELIVERED": "MessageFailed",
    "REJECTED": "MessageRejected",
    "DELETED": "MessageDeleted",
}
#: …/spec/components/schemas/message, one file per channel.
MEDIA: dict[str, str] = {
    "sms": "sms",
    "whatsapp": "whatsapp",
    "rcs": "rcs",
    "voice": "voice",
    "email": "email",
    "facebook": "chat",
    "instagram": "chat",
    "telegram": "chat",
    "gbm": "chat",
}

_TYPES = ("MESSAGE_STATUS", "MESSAGE")
_WAYS = frozenset({"IN", "OUT"})
#: Keys whose value the event has in another form.
_READ = frozenset({"type", "direction", "channel", "sgMachineOpen"})

Item = dict[str, Any]


def recognise(request: Request) -> bool:
    """Recognise a webhook by the names of its subscription and its event's type, as its headers do not identify it."""
    body = request.body
    if b'"callbackMoRequest"' in body or b'"callbackMtRequest"' in body:
        return True
    return b'"subscriptionId"' in body and (
        b'"MESSAGE_STATUS"' in body if b'"messageStatus"' in body else b'"MESSAGE"' in body and b'"contents"' in body
    )


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the header or secret configured in the subscription: Zenvia signs nothing. Raises InvalidSignature."""
    return verify_shared(request, values)


def normalize(request: Request) -> Normalized:
    """Return the one event of a post. Raises Unprocessable."""
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of Zenvia: the body is not an object")
    if (older := sms_v1.event(body, request)) is not None:
        return Normalized([older])
    kind = spelled(text(body.get("type")), _TYPES) or None
    if kind == "MESSAGE_STATUS" and isinstance(status := body.get("messageStatus"), dict):
        return Normalized([keep_rest(_status(status, body, request), body, read=_READ)])
    if kind == "MESSAGE" and isinstance(message := body.get("message"), dict):
        return Normalized([keep_rest(_message(message, body, request), body, read=_READ)])
    event = unknown(request, body, status=kind, event_id=identifier(body.get("id")))
    event.occurred_at = from_text(body.get("timestamp"))
    return Normalized([event])


def _status(status: Item, body: Item, request: Request) -> Event:
    given = text(status.get("code")) or ""
    code = spelled(given, STATUSES)
    type_ = STATUSES.get(code, "ProviderEventReceived")
    message_id = identifier(body.get("messageId"))
    if message_id is None:
        raise Unprocessable("a status has no message id")
    medium = text(body.get("channel")) or text(status.get("channel"))
    payload: dict[str, Any] = {"providerStatus": given[:255]}
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, body).payload["native"]
    if (index := count(body.get("contentIndex"))) is not None:
        payload["contentIndex"] = index
    if carrier := text(object_of(object_of(status.get("channelData")).get("sms")).get("carrier")):
        payload["carrier"] = carrier[:255]
    if medium == "email":
        payload |= client_of(object_of(object_of(status.get("channelData")).get("email")))
        type_ = "MessageOpened" if type_ == "MessageRead" else type_  # a picture was loaded, by a person or a machine
    cause = _cause(status, medium)
    if type_ == "MessageClicked" and "url" not in payload and (clicked := cause.text):
        payload["url" if clicked.startswith(("http://", "https://")) else "clicked"] = clicked
    known_by = (message_id, code, text(status.get("timestamp")), text(body.get("contentIndex")))
    event_id = identifier(body.get("id")) or fact_id("status", *known_by)
    time = from_text(status.get("timestamp")) or from_text(body.get("timestamp"))
    error = cause if type_ in ("MessageFailed", "MessageRejected") else None
    way = "inbound" if code == "DELETED" else "outbound"  # people delete their own messages
    channel = MEDIA.get(medium or "")
    return Event(
        type_,
        request.source,
        event_id,
        channel=channel,
        direction=way,
        provider_message_id=message_id,
        occurred_at=time,
        error=error,
        payload=payload,
    )


def _cause(status: Item, medium: str | None) -> Error:
    """Return the first of a status's causes; WhatsApp's codes are Meta's."""
    first = object_of(next(iter(list_of(status.get("causes"))), None))
    words = text(first.get("details")) or text(first.get("reason")) or text(status.get("description"))
    code = text(first.get("channelErrorCode"))
    reason = _META.get(code or "", "unknown") if medium == "whatsapp" else "unknown"
    return Error(code[:255] if code else None, words[:8192] if words else None, reason)


def _message(message: Item, body: Item, request: Request) -> Event:
    """Return the event of a message, inbound, or outbound once Zenvia has accepted it."""
    message_id = identifier(message.get("id"))
    if message_id is None:
        raise Unprocessable("a message without its id")
    medium = text(body.get("channel")) or text(message.get("channel")) or ""
    way = (text(body.get("direction")) or text(message.get("direction")) or "").upper()
    if way not in _WAYS:
        event = unknown(
            request, body, status=f"MESSAGE.{way}" if way else "MESSAGE", event_id=identifier(body.get("id"))
        )
        event.channel, event.provider_message_id = MEDIA.get(medium), message_id
        event.occurred_at = from_text(message.get("timestamp")) or from_text(body.get("timestamp"))
        return event
    outbound = way == "OUT"
    sender, recipient = text(message.get("from")), text(message.get("to"))
    given = (("from", written(sender, MEDIA.get(medium))), ("to", written(recipient, MEDIA.get(medium))))
    payload: dict[str, Any] = {"providerStatus": "MESSAGE"} | {key: one for key, one in given if one}
    if content := content_of(message.get("contents")):
        payload["content"] = content
    if isinstance(visitor := message.get("visitor"), dict):
        full = [part for key in ("firstName", "lastName") if (part := text(visitor.get(key)))]
        if name := text(visitor.get("name")) or " ".join(full):
            payload["displayName"] = name[:1024]
        if user_name := text(visitor.get("userName")):
            payload["username"] = user_name[:1024]
    return Event(
        "MessageQueued" if outbound else "MessageReceived",
        request.source,
        identifier(body.get("id")) or fact_id("message", message_id),
        channel=MEDIA.get(medium),
        direction="outbound" if outbound else "inbound",
        provider_message_id=message_id,
        handle=_customer(recipient if outbound else sender, medium),
        occurred_at=from_text(message.get("timestamp")) or from_text(body.get("timestamp")),
        payload=payload,
    )


def _customer(address: str | None, medium: str) -> Handle | None:
    if MEDIA.get(medium) == "chat":
        return of_kind("chat_id", f"{'messenger' if medium == 'facebook' else medium}:{address}") if address else None
    return handle(address, MEDIA.get(medium))


ADAPTER = Adapter(
    name="zenvia",
    title="Zenvia",
    docs="https://zenvia.github.io/zenvia-openapi-spec/v2/#tag/Webhooks",
    channels=frozenset({"sms", "whatsapp", "rcs", "voice", "email", "chat"}),
    events=frozenset(
        {*STATUSES.values(), "MessageOpened", "MessageQueued", "MessageReceived", "ProviderEventReceived"}
    ),
    signature="signs nothing: a header, basic auth or a secret in the URL",
    signs_body=False,
    settings=SHARED_HEADER,
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Any answer but 200, and any that takes more than a second, counts against the webhook.
)
