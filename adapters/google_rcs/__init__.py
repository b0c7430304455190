"""Reads the webhooks of Google's RCS for Business (RBM): users' messages and events, and expired messages.

https://developers.google.com/business-communications/rcs-business-messaging/guides/integrate/webhooks (signature,
handshake, retries for up to seven days, in one queue for all agents of a partner), …/reference/rest/v1/UserMessage,
…/UserEvent, …/ServerEvent. A webhook is a message of Pub/Sub, whose `data` is one of these in base64. Only the data is
signed, so that nothing else is read.
"""

from typing import Any

from adapters.contract import (
    Adapter,
    Answer,
    InvalidSignature,
    Normalized,
    Request,
    Setting,
    Unconfigured,
    Unprocessable,
    Values,
    secrets_of,
)
from adapters.google_rcs.content import KINDS, content_of
from adapters.reading.addresses import phone
from adapters.reading.bodies import json_of, parse_json
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from adapters.signing.signatures import from_base64, header, same, signs
from schemas.events import Event

#: https://developers.google.com/business-communications/rcs-business-messaging/guides/build/events/receive-events. After
#: `TTL_EXPIRATION_REVOKE_FAILED` the message may yet arrive.
EVENT_TYPES: dict[str, str] = {
    "DELIVERED": "MessageDelivered",
    "READ": "MessageRead",
    "SUBSCRIBE": "RecipientSubscribed",
    "UNSUBSCRIBE": "RecipientUnsubscribed",
    "TTL_EXPIRATION_REVOKED": "MessageExpired",
    "TTL_EXPIRATION_REVOKE_FAILED": "ProviderEventReceived",
    "IS_TYPING": "ProviderEventReceived",
}
_SIGNATURE = "x-goog-signature"
_HANDSHAKE = frozenset({"clientToken", "secret"})
#: Most characters of a handshake's secret, which is repeated in the answer.
_MOST_SECRET = 1024
_INBOUND = frozenset({"RecipientSubscribed", "RecipientUnsubscribed"})
#: Keys of a message that add nothing to what its event has.
_READ = frozenset({"senderPhoneNumber", "messageId", "eventId", "sendTime", "agentId", "eventType", "phoneNumber"})

Item = dict[str, Any]


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature's header, or the handshake by its keys."""
    head = request.body[:1024]
    return _SIGNATURE in request.headers or (b'"clientToken"' in head and b'"secret"' in head)


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA512 of the decoded data with the client token, in base64. No time is signed, so `fresh` has no
    effect. Raises InvalidSignature."""
    tokens = secrets_of(values, "client_token")
    if not tokens:
        return None
    given = header(request, _SIGNATURE)
    try:
        data = _data(request)
    except Unprocessable as error:
        raise InvalidSignature(str(error)) from error
    if any([signs(token, "sha512", data, given, "base64") for token in tokens]):
        return True
    raise InvalidSignature("no configured client_token makes this signature")


def handshake(request: Request, values: Values) -> Answer | None:
    """Answer the request by which the console checks a URL with its secret, if its token is a configured one. Raises
    InvalidSignature if it is not, Unconfigured if no token is configured."""
    if b'"clientToken"' not in request.body[:1024]:
        return None
    try:
        body = json_of(request)
    except Unprocessable:
        return None
    if not isinstance(body, dict) or not _HANDSHAKE <= body.keys() or "message" in body:
        return None
    tokens, given = secrets_of(values, "client_token"), text(body["clientToken"]) or ""
    if not tokens:
        raise Unconfigured("no client_token is configured to answer the handshake with")
    if not any([same(token.encode(), given.encode("utf-8", "replace")) for token in tokens]):
        raise InvalidSignature("the handshake's clientToken is not a configured client_token")
    return Answer(200, (text(body["secret"]) or "")[:_MOST_SECRET].encode("utf-8", "replace"))


def normalize(request: Request) -> Normalized:
    """Return the one event of a webhook. Raises Unprocessable."""
    item = parse_json(_data(request))
    if not isinstance(item, dict):
        raise Unprocessable("the data is not an object")
    if word := text(item.get("eventType")):
        return Normalized([_event(item, word, request)])
    return Normalized([_message(item, request)])


def _data(request: Request) -> bytes:
    """Return the decoded data of the Pub/Sub message. Raises Unprocessable."""
    body = json_of(request)
    message = body.get("message") if isinstance(body, dict) else None
    data = message.get("data") if isinstance(message, dict) else None
    if not isinstance(data, str):
        raise Unprocessable("not a webhook of RCS for Business: the body has no message.data")
    try:
        return from_base64(data)
    except InvalidSignature as error:
        raise Unprocessable("message.data is not base64") from error


def _event(item: Item, word: str, request: Request) -> Event:
    """Return the event of a message's state, of a subscription, or of anything else that has a word."""
    given, word = word, spelled(word, EVENT_TYPES)
    type_ = EVENT_TYPES.get(word, "ProviderEventReceived")
    message_id, event_id = identifier(item.get("messageId")), identifier(item.get("eventId"))
    customer = phone(item.get("senderPhoneNumber") or item.get("phoneNumber"))
    if type_ in ("MessageDelivered", "MessageRead", "MessageExpired") and message_id is None:
        raise Unprocessable("an event has no message id")
    if type_ in _INBOUND and customer is None:
        type_ = "ProviderEventReceived"
    inbound = type_ in _INBOUND or word == "IS_TYPING"
    payload: Item = {"providerStatus": given[:255]}
    if customer is not None:
        payload["from" if inbound else "to"] = customer.value
    if agent := text(item.get("agentId")):
        payload["to" if inbound else "from"] = agent[:2048]
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    event = Event(
        type_,
        request.source,
        event_id or fact_id(word, message_id, customer.value if customer else None, text(item.get("sendTime"))),
        channel="rcs",
        direction="inbound" if inbound else "outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_text(item.get("sendTime")),
        payload=payload,
    )
    return keep_rest(event, item, _READ)


def _message(item: Item, request: Request) -> Event:
    """Return the event of a user's message, whose one content is under the name of its kind."""
    kind = next((name for name in KINDS if name in item), None)
    message_id = identifier(item.get("messageId")) or identifier(item.get("eventId"))
    customer = phone(item.get("senderPhoneNumber"))
    if kind is None or message_id is None:
        event = unknown(request, item)
        event.channel, event.handle, event.provider_message_id = "rcs", customer, message_id
        event.occurred_at = from_text(item.get("sendTime"))
        return event
    payload: Item = {"providerStatus": kind, "content": content_of(kind, item[kind])}
    if customer is not None:
        payload["from"] = customer.value
    if agent := text(item.get("agentId")):
        payload["to"] = agent[:2048]
    event = Event(
        "MessageReceived",
        request.source,
        fact_id("message", message_id),
        channel="rcs",
        direction="inbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_text(item.get("sendTime")),
        payload=payload,
    )
    return keep_rest(event, item, _READ)


ADAPTER = Adapter(
    name="google_rcs",
    title="Google RCS for Business",
    docs="https://developers.google.com/business-communications/rcs-business-messaging/guides/integrate/webhooks",
    channels=frozenset({"rcs"}),
    events=frozenset({*EVENT_TYPES.values(), "MessageReceived"}),
    signature="HMAC-SHA512 of the data, base64",
    signs_body=False,
    settings=(Setting("client_token", "The webhook's clientToken (Developer Console, Integrations, Webhook)."),),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Google retries unless the answer is 200, which is the default.
    handshake=handshake,
)
