"""Reads Clickatell's callbacks: those of One API (SMS and WhatsApp) and the older ones of the SMS APIs.

One API: https://help.clickatell.com/developers-api-reference/reference/one-api-client-callbacks. Older:
https://help.clickatell.com/developers-api-reference/sms-client-callbacks and
https://www.clickatell.com/developers/api-documentation/http-api-reply-callback; `legacy` has what only these have.
Clickatell signs nothing.
"""

from typing import Any

from adapters.clickatell import legacy
from adapters.clickatell.content import TEXTS, content_of
from adapters.clickatell.statuses import CODES, STATUSES, error_of
from adapters.contract import Adapter, Normalized, Request, Unprocessable, Values
from adapters.reading.addresses import handle, written
from adapters.reading.bodies import form_of, is_form, json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.parameters import given
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text, from_unix_or_millis
from adapters.reading.words import spelled
from adapters.signing.unsigned import SETTINGS, verify_unsigned
from schemas.events import Event

CHANNELS = frozenset({"sms", "whatsapp"})

#: One API's lists of inbound messages, by kind.
RECEIVED = frozenset({"moText", "moMedia", "moLocation"})
#: Keys whose value the event has in another form, and the account's key, which no event keeps.
_READ = frozenset({"channel", "text", "apiKey"})
_FAILURES = frozenset({"MessageFailed", "MessageRejected"})

Item = dict[str, Any]


def recognise(request: Request) -> bool:
    """Recognise a webhook by its integration's name and its fields, as its headers do not identify it."""
    head = request.url.partition("?")[2].encode("utf-8", "replace") if request.method == "GET" else request.body[:4096]
    if legacy.is_legacy(head):
        return True
    if b'"integrationId"' in head and b'"event"' in head:
        return b'"messageStatusUpdate"' in head or b'"mo' in head
    return b"integrationName" in head and b"messageId" in head and (b"statusCode" in head or b"fromNumber" in head)


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify basic authentication or the secret in the URL, as configured at Clickatell. Raises InvalidSignature."""
    return verify_unsigned(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event per item of One API, or the one of an older callback. Raises Unprocessable."""
    if request.method == "GET":
        raw = request.url.partition("?")[2].encode("utf-8", "replace")
        return Normalized([_flat(legacy.parameters(given(request), raw), request)])
    if is_form(request):
        return Normalized([_flat(legacy.parameters(form_of(request), request.body), request)])
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of Clickatell: the body is not an object")
    lists = body.get("event")
    if not isinstance(lists, dict):
        return Normalized([_flat(body, request)])
    result = Normalized()
    for kind, items in lists.items():
        for item in items if isinstance(items, list) else [items]:
            try:
                result.events.append(keep_rest(_of_item(kind, item, request), item, read=_READ))
            except Unprocessable as error:
                result.unprocessable.append((item, str(error)))
    return result


def _of_item(kind: str, item: Any, request: Request) -> Event:
    if not isinstance(item, dict):
        raise Unprocessable(f"an item of {kind} is not an object")
    channel = (text(item.get("channel")) or "").strip().lower()
    known = channel if channel in CHANNELS else None
    if kind == "messageStatusUpdate":
        return _status(
            item, known, STATUSES.get(spelled(text(item.get("status")), STATUSES), "ProviderEventReceived"), request
        )
    if kind in RECEIVED:
        return _received(kind, item, known, request)
    event = unknown(request, item, status=kind)
    event.channel, event.provider_message_id = known, identifier(item.get("messageId"))
    event.handle = handle(item.get("from"), known)
    event.occurred_at = from_unix_or_millis(item.get("timestamp"))
    return event


def _flat(item: Item, request: Request) -> Event:
    """Return the event of an SMS API's callback: a status if it has one, by its word, or by its code if that is unknown; a
    reply if it has a sender and a text."""
    item = legacy.renamed(item)
    word, code = spelled(text(item.get("status")), STATUSES), (text(item.get("statusCode")) or "").lstrip("0")
    if word or code:
        event = _status(item, "sms", STATUSES.get(word) or CODES.get(code, "ProviderEventReceived"), request)
    elif text(item.get("fromNumber")) and any(name in item for name in TEXTS):
        event = _received("reply", item, "sms", request)
    else:
        return unknown(request, item)
    return keep_rest(event, item, read=_READ)


def _status(item: Item, channel: str | None, type_: str, request: Request) -> Event:
    message_id = identifier(item.get("messageId"))
    if message_id is None:
        raise Unprocessable("a status has no message id")
    word, code = text(item.get("status")), text(item.get("statusCode"))
    customer, stamp = handle(text(item.get("to")), channel), item.get("timestamp")
    payload: dict[str, Any] = {"providerStatus": (word or code or "")[:255]}
    if customer is not None:
        payload["to"] = customer.value
    if sender := written(text(item.get("from")), channel):
        payload["from"] = sender
    if (reference := identifier(item.get("clientMessageId"))) is not None:
        payload["reference"] = reference
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    error = error_of(word, code, text(item.get("statusDescription")))
    return Event(
        type_,
        request.source,
        fact_id("status", message_id, word, code, text(stamp)),
        channel=channel,
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_unix_or_millis(stamp) or from_text(stamp),
        error=error if type_ in _FAILURES else None,
        payload=payload,
    )


def _received(kind: str, item: Item, channel: str | None, request: Request) -> Event:
    """Return the event of an inbound message. In an older callback with a `replyMessageId`, `messageId` names the message
    that it replies to; without one, it is the id of the message itself."""
    older = kind == "reply"
    own = identifier(item.get("replyMessageId")) if older else None
    message_id = own or identifier(item.get("messageId"))
    if message_id is None:
        raise Unprocessable("a message without its id")
    sender = text(item.get("fromNumber")) or text(item.get("from"))
    recipient = text(item.get("toNumber")) or text(item.get("to"))
    payload: dict[str, Any] = {"providerStatus": kind}
    for key, value in (("from", sender), ("to", recipient)):
        if address := written(value, channel):
            payload[key] = address
    if content := content_of(kind, item):
        payload["content"] = content
    replied_to = identifier(item.get("messageId")) if own else identifier(item.get("relatedMessageId"))
    if replied_to:
        payload["inReplyTo"] = replied_to
    part = item.get("sms")
    if network := text(item.get("network")) or (text(part.get("network")) if isinstance(part, dict) else None):
        payload["carrier"] = network[:255]
    profile = item.get("whatsapp")
    if isinstance(profile, dict) and (name := text(profile.get("profileName"))):
        payload["displayName"] = name[:1024]
    stamp = item.get("timestamp")
    if item.get("api_id") and (shown := text(stamp)):  # in the time of Clickatell's own zone
        payload["providerTime"], stamp = shown[:255], None
    return Event(
        "MessageReceived",
        request.source,
        fact_id("message", message_id, kind),
        channel=channel,
        direction="inbound",
        provider_message_id=message_id,
        handle=handle(sender, channel),
        occurred_at=from_unix_or_millis(stamp) or from_text(stamp),
        payload=payload,
    )


ADAPTER = Adapter(
    name="clickatell",
    title="Clickatell",
    docs="https://help.clickatell.com/developers-api-reference/reference/one-api-client-callbacks",
    channels=CHANNELS,
    events=frozenset({*STATUSES.values(), *CODES.values(), "MessageReceived"}),
    signature="signs nothing: basic auth or a secret in the URL",
    signs_body=False,
    settings=SETTINGS,
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # No `handshake`: Clickatell tests a new URL with one empty callback.
)
