"""Reads the webhooks of LINE's Messaging API, each with several events, and sends push messages.

https://developers.line.biz/en/reference/messaging-api/#webhooks; the fields follow
https://github.com/line/line-openapi/blob/main/webhook.yml. If the account enables redelivery, a redelivered event has
the same `webhookEventId`, and `deliveryContext.isRedelivery`; the order may differ.
"""

from typing import Any

from adapters.contract import (
    Adapter,
    InvalidSignature,
    Normalized,
    Request,
    Send,
    Setting,
    Unprocessable,
    Values,
    secrets_of,
)
from adapters.line.content import content_of, postback_of
from adapters.line.send import API, IDEMPOTENT_FOR, build_request, read_response
from adapters.reading.addresses import of_kind
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from adapters.signing.signatures import header, signs
from schemas.events import Event, Handle

Item = dict[str, Any]

#: …/messaging-api/#webhook-event-objects, and for partners …/partner-docs/#webhook-event-object.
EVENT_TYPES: dict[str, str] = {
    "message": "MessageReceived",
    "postback": "MessageReceived",
    "follow": "RecipientSubscribed",
    "unfollow": "RecipientUnsubscribed",
    "delivery": "MessageDelivered",
    "unsend": "MessageDeleted",
    **dict.fromkeys(
        "join leave memberJoined memberLeft videoPlayComplete beacon accountLink membership things module activated"
        " deactivated botSuspended botResumed".split(),
        "ProviderEventReceived",
    ),
}
_HEADER = "x-line-signature"


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature's header, or by its user agent."""
    return _HEADER in request.headers or request.headers.get("user-agent", "").startswith("LineBotWebhook/")


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA256 of the body with the channel secret. No time is signed, so `fresh` has no effect. Raises
    InvalidSignature."""
    secrets = secrets_of(values, "channel_secret")
    if not secrets:
        return None
    given = header(request, _HEADER)
    if any([signs(secret, "sha256", request.body, given, "base64") for secret in secrets]):
        return True
    raise InvalidSignature("no configured channel_secret makes this signature")


def normalize(request: Request) -> Normalized:
    """Return one event per item, or none if LINE only tests the URL. Raises Unprocessable."""
    body = json_of(request)
    if not isinstance(body, dict) or not isinstance(items := body.get("events"), list):
        raise Unprocessable("not a webhook of LINE: the body has no events")
    result = Normalized()
    for item in items:
        try:
            result.events.append(_event(item, text(body.get("destination")), request))
        except Unprocessable as error:
            result.unprocessable.append((item, str(error)))
    return result


def _event(item: Any, destination: str | None, request: Request) -> Event:
    if not isinstance(item, dict):
        raise Unprocessable("an event is not an object")
    given = text(item.get("type")) or ""
    kind, source = spelled(given, EVENT_TYPES), item.get("source")
    type_ = EVENT_TYPES.get(kind, "ProviderEventReceived")
    user, place = _source(source if isinstance(source, dict) else {})
    customer = user or place
    part = item.get(_PARTS.get(kind, kind))
    part = part if isinstance(part, dict) else {}
    message_id = identifier(part.get(_IDS[kind])) if kind in _IDS else None
    when = item.get("timestamp")
    event_id = identifier(item.get("webhookEventId"))
    if event_id is None:
        if customer is None or not kind:
            raise Unprocessable("an event has no id, and no customer or no type")
        event_id = fact_id("line", kind, customer.value, text(when), message_id)
    outbound = kind == "delivery"
    payload: dict[str, Any] = {"providerStatus": given[:255]}
    if customer is not None:
        payload["to" if outbound else "from"] = customer.value
    if not outbound and (ours := place.value if place is not None and user is not None else destination):
        payload["to"] = ours
    content: Item | None = None
    if kind == "message":
        content = content_of(part, payload)
    elif kind == "postback":
        content = postback_of(part)
    elif outbound and (tag := text(part.get("data"))):
        # The request's X-Line-Delivery-Tag, or else a hash of the phone number.
        payload["reference"] = tag
    if content is not None:
        payload["content"] = content
    elif type_ in ("MessageReceived", "ProviderEventReceived") or (kind == "unsend" and message_id is None):
        type_ = "ProviderEventReceived"
        payload["native"] = unknown(request, item).payload["native"]
        message_id = message_id or identifier(part.get("messageId"))
    event = Event(
        type_,
        request.source,
        event_id,
        channel="chat",
        direction="outbound" if outbound else "inbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_unix(when / 1000) if type(when) is int else None,
        payload=payload,
    )
    return keep_rest(event, part, _READ)


#: The key of the message's id in the details of an event about one.
_IDS = {"message": "id", "unsend": "messageId"}
#: Keys of a message that add nothing to what its event has: tokens of the API are of no use later.
_READ = frozenset({"id", "type", "quoteToken", "markAsReadToken"})
#: The key of an event's details, if it is not the event's type.
_PARTS = {"memberJoined": "joined", "memberLeft": "left", "accountLink": "link"}


def _source(source: Item) -> tuple[Handle | None, Handle | None]:
    """Return the user (not always named) and the group or room."""
    where = source.get("groupId") or source.get("roomId")
    found = [of_kind("chat_id", f"line:{id_}") if text(id_) else None for id_ in (source.get("userId"), where)]
    return found[0], found[1]


ADAPTER = Adapter(
    name="line",
    title="LINE",
    docs="https://developers.line.biz/en/reference/messaging-api/#webhooks",
    channels=frozenset({"chat"}),
    events=frozenset(EVENT_TYPES.values()),
    signature="HMAC-SHA256 of the body, base64",
    signs_body=True,
    settings=(
        Setting("channel_secret", "The channel secret (LINE Developers Console, Basic settings)."),
        Setting("channel_access_token", "A channel access token, for sending."),
        Setting("api_url", f"URL of the API; {API} if not set.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # LINE retries after anything but 2xx if the account enables it. It tests a URL by a signed webhook without events,
    # so there is no `handshake`.
    send=Send(
        channels=frozenset({"chat"}),
        build_request=build_request,
        read_response=read_response,
        idempotent_for=IDEMPOTENT_FOR,
    ),
)
