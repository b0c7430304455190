"""Reads Infobip's delivery, seen and tracking reports and what comes in, and sends SMS and WhatsApp.

https://www.infobip.com/docs/developer-resources/api-fundamentals/webhooks. A request has up to 100 `results`, or
the subscription's limit. Few reports name their channel, so sending adds it to the callback URL, e.g.
`?channel=whatsapp`. Infobip gives an event no id and guarantees no order. Reports cover calls too.
"""

from typing import Any

from adapters.contract import Adapter, Normalized, Request, Send, Setting, Unprocessable, Values
from adapters.infobip import inbound, reports
from adapters.infobip.send import API, build_request, read_response
from adapters.reading.bodies import json_of
from adapters.reading.facts import identifier, text, unknown
from adapters.reading.parameters import channel_of
from adapters.reading.remainder import keep_rest
from adapters.reading.shapes import object_of
from adapters.signing.unsigned import SETTINGS as _UNSIGNED
from adapters.signing.unsigned import verify_unsigned
from schemas.events import Event

Item = dict[str, Any]
#: Words of an event that is a message which came in: none, that of the Messages API, and that of a subscription.
_MESSAGE = frozenset({"", "MO", "INBOUND_MESSAGE"})
_HEAD = 16384
#: A message that came in has one of these beside `receivedAt`: SMS and chats, MMS, the Messages API.
_CAME = (b'"pricePerMessage"', b'"contentType"', b'"destination"')


def recognise(request: Request) -> bool:
    """Recognise a webhook by a combination of keys that only its reports and messages have."""
    head = request.body[:_HEAD]
    if b'"messageId"' not in head:
        return False
    if b'"results"' in head:
        report = b'"groupName"' in head and (b'"doneAt"' in head or b'"sentAt"' in head)
        came = b'"receivedAt"' in head and any([key in head for key in _CAME])
        return report or came or b'"seenAt"' in head or b'"deletedAt"' in head
    return b'"notificationType"' in head and b'"recipient"' in head


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify basic authentication, as set in the notification profile, or the secret in the URL. Raises
    InvalidSignature."""
    return verify_unsigned(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event per result. Raises Unprocessable."""
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of Infobip: the body is not an object")
    items = body["results"] if isinstance(body.get("results"), list) else [body]
    channel = channel_of(request)
    found = Normalized()
    for item in items:
        try:
            event = _event(item, channel, request)
            found.events.append(event if "native" in event.payload else keep_rest(event, item))
        except Unprocessable as error:
            found.unprocessable.append((item, str(error)))
    return found


def _event(item: Any, channel: str | None, request: Request) -> Event:
    if not isinstance(item, dict):
        raise Unprocessable("a result is not an object")
    if "notificationType" in item:
        return reports.tracked(item, channel, request)
    if isinstance(item.get("status"), dict):
        return reports.delivery(item, channel, request)
    # A text in the Messages API, an object with a `type` in RCS's events, such as typing.
    word = text(item.get("event")) or text(object_of(item.get("event")).get("type")) or ""
    if "receivedAt" in item and "seenAt" not in item:
        if word.upper() not in _MESSAGE:
            return inbound.other(item, word, channel, request)
        return inbound.event(item, channel, request)
    if "seenAt" in item and "receivedAt" not in item:
        return reports.seen(item, channel, request)
    if "deletedAt" in item and "from" in item:
        return inbound.deleted(item, channel, request)
    event = unknown(request, item, status=word or None)
    event.channel, event.provider_message_id = channel, identifier(item.get("messageId"))
    return event


ADAPTER = Adapter(
    name="infobip",
    title="Infobip",
    docs="https://www.infobip.com/docs/developer-resources/api-fundamentals/webhooks",
    channels=frozenset({"sms", "whatsapp", "voice", "email", "rcs", "chat"}),
    events=frozenset(
        {
            *reports.STATUSES.values(),
            *reports.GROUPS.values(),
            *reports.CALL_GROUPS.values(),
            *reports.TRACKED.values(),
            *("MessageBounced", "MessageDeleted", "MessageRead", "MessageReceived", "ProviderEventReceived"),
        }
    ),
    signature="basic authentication, or a secret in the URL",
    signs_body=False,
    settings=(
        *_UNSIGNED,
        Setting("api_key", "An API key (Developer tools, API keys), for sending."),
        Setting("sender", "The number or name to send from.", secret=False),
        Setting("api_url", f"The account's base URL (https://….api.infobip.com); {API} if not set.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    send=Send(
        channels=frozenset({"sms", "whatsapp"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
