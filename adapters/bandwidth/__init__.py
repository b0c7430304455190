"""Reads Bandwidth's webhooks: a list of message events (SMS, MMS, RBM), or one event of a call.

https://dev.bandwidth.com/docs/messaging/webhooks: retried for 24 hours until 2xx comes within ten seconds.
https://dev.bandwidth.com/docs/voice/webhooks. Webhooks are not signed; they carry the application's user and password.
RBM, Google's name of RCS for businesses, follows the official library's types (https://github.com/Bandwidth/python-sdk).
"""

from typing import Any

from adapters.bandwidth import calls
from adapters.bandwidth.errors import error_of
from adapters.contract import Adapter, Answer, Normalized, Request, Unprocessable, Values
from adapters.reading.addresses import handle
from adapters.reading.bodies import json_of
from adapters.reading.facts import count, fact_id, identifier, location, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from adapters.signing import unsigned
from schemas.events import Event

Item = dict[str, Any]

#: https://dev.bandwidth.com/docs/messaging/webhooks. `message-sending`: on its way to the next network; `message-sent`:
#: passed on by Bandwidth. Only RBM has `message-read` and the responses.
MESSAGES: dict[str, str] = {
    "message-received": "MessageReceived",
    "request-location-response": "MessageReceived",
    "suggestion-response": "MessageReceived",
    "message-sending": "MessageQueued",
    "message-sent": "UserMessageSent",
    "message-delivered": "MessageDelivered",
    "message-read": "MessageRead",
    "message-failed": "MessageFailed",
}
_BXML = Answer(200, b'<?xml version="1.0" encoding="UTF-8"?><Response/>', "application/xml; charset=utf-8")
_RBM = frozenset({"message-read", "request-location-response", "suggestion-response"})
_MOST_MEDIA = 100
#: Keys whose value the event has in another form.
_READ = frozenset({"direction", "eventType", "type", "channel"})


def recognise(request: Request) -> bool:
    """Recognise a webhook by its user agent, or by keys that only its bodies have."""
    if request.headers.get("user-agent", "").startswith("BandwidthAPI/"):
        return True
    head = request.body[:8192]
    return (b'"applicationId"' in head and b'"owner"' in head and b'"message"' in head) or (
        b'"eventType"' in head and b'"callUrl"' in head and b'"applicationId"' in head
    )


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify basic authentication or the secret in the URL. Raises InvalidSignature."""
    return unsigned.verify_unsigned(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event per item of a list, or the one of a call."""
    body = json_of(request)
    found = Normalized()
    for item in body if isinstance(body, list) else [body]:
        try:
            if not isinstance(item, dict):
                raise Unprocessable("an item is not an object")
            event = calls.event(item, request) if "eventType" in item else _message(item, request)
            found.events.append(keep_rest(event, item, read=_READ))
        except Unprocessable as error:
            found.unprocessable.append((item, str(error)))
    return found


def answer(request: Request) -> Answer:
    """Return 200; to a call, an empty list of instructions."""
    return _BXML if b'"eventType"' in request.body[:8192] else Answer()


def _message(item: Item, request: Request) -> Event:
    given = text(item.get("type")) or ""
    kind, message = spelled(given, MESSAGES), _object(item.get("message"))
    message_id, time = identifier(message.get("id")), text(item.get("time"))
    type = MESSAGES.get(kind)
    way = text(message.get("direction"))
    inbound = type == "MessageReceived" or (type is None and way == "in")
    channel = "rcs" if message.get("channel") == "RBM" or kind in _RBM else "sms"
    # An outbound message to a group has one event per recipient, named by `to`.
    to, owner = text(item.get("to")), text(message.get("owner"))
    if type is None:
        event = unknown(request, item, status=kind or None)
    elif message_id is None:
        raise Unprocessable("an event has no message id")
    else:
        whose = owner if inbound else to
        event = Event(type, request.source, fact_id("message", message_id, kind, whose, time))
        event.payload = {"providerStatus": given}
    sender = text(message.get("from"))
    # Of an unknown kind only what it says itself is known.
    event.channel = channel
    event.direction = "inbound" if inbound else "outbound" if type is not None or way == "out" else None
    event.provider_message_id = message_id
    # `eventTime` is when the message was read, `time` when that was reported.
    event.occurred_at = from_text(text(item.get("eventTime"))) or from_text(time)
    event.handle = handle(sender if inbound else to, channel) if event.direction else None
    event.payload |= {key: value for key, value in (("from", sender), ("to", to)) if value}
    if tag := text(message.get("tag")):
        event.payload["reference"] = tag[:1024]
    if (segments := count(message.get("segmentCount"))) is not None:
        event.payload["segments"] = segments
    if carrier := text(item.get("carrierName")):
        event.payload["carrier"] = carrier[:255]
    if type == "MessageReceived" and (content := _content(message)):
        event.payload["content"] = content
        if replied_to := text(_object(message.get("suggestionResponse")).get("pairedMessageId")):
            event.payload["inReplyTo"] = replied_to[:2048]
    if type == "MessageFailed":
        event.error = error_of(text(item.get("errorCode")), text(item.get("description")))
    return event


def _content(message: Item) -> Item:
    rbm, chosen = _object(message.get("content")), _object(message.get("suggestionResponse"))
    words = text(message.get("text")) or text(rbm.get("text")) or text(chosen.get("text"))
    content: Item = {"text": words} if words else {}
    media = message.get("media")
    urls = [url for url in media[:_MOST_MEDIA] if isinstance(url, str) and url] if isinstance(media, list) else []
    if url := text(_object(rbm.get("media")).get("fileUrl")):
        urls.append(url)
    if urls:
        content["media"] = [{"url": url} for url in urls]
    names = (("id", "postbackData"), ("title", "text"))
    if reply := {key: value for key, name in names if (value := text(chosen.get(name)))}:
        content["buttonReply"] = reply
    place = _object(message.get("locationResponse"))
    if where := location(place.get("latitude"), place.get("longitude")):
        content["location"] = where
    return content


def _object(value: Any) -> Item:
    return value if isinstance(value, dict) else {}


ADAPTER = Adapter(
    name="bandwidth",
    title="Bandwidth",
    docs="https://dev.bandwidth.com/docs/messaging/webhooks",
    channels=frozenset({"sms", "rcs", "voice"}),
    events=frozenset({*MESSAGES.values(), *calls.CALLS.values(), "CallFailed", "ProviderEventReceived"}),
    signature="signs nothing: basic auth of the application, or a secret in the URL",
    signs_body=False,
    job_ids=frozenset({"sms", "rcs"}),
    settings=unsigned.SETTINGS,
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    answer=answer,
)
