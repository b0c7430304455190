"""Reads the callbacks of Viber's REST Bot API, one event each.

https://developers.viber.com/docs/api/rest-bot-api/. A callback is retried several times within an hour unless
answered with 200 (https://developers.viber.com/docs/faq/). `delivered` comes once for each of the user's devices.
"""

from collections.abc import Callable
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
from adapters.reading.addresses import of_kind
from adapters.reading.bodies import json_of
from adapters.reading.facts import count, fact_id, identifier, location, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from adapters.signing.signatures import header, signs
from adapters.viber.send import API, build_request, read_response
from schemas.events import Error, Event

Item = dict[str, Any]
Content = dict[str, Any]

#: …/rest-bot-api/#callbacks
EVENT_TYPES: dict[str, str] = {
    "delivered": "MessageDelivered",
    "seen": "MessageRead",
    "failed": "MessageFailed",
    "message": "MessageReceived",
    "subscribed": "RecipientSubscribed",
    "unsubscribed": "RecipientUnsubscribed",
    # The user opened the chat, and may not have written or subscribed.
    "conversation_started": "ProviderEventReceived",
    # Viber checks the URL that was configured.
    "webhook": "ProviderEventReceived",
}
_OUTBOUND = frozenset({"delivered", "seen", "failed"})
_HEADER = "x-viber-content-signature"


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature header."""
    return _HEADER in request.headers


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA256 of the body with the bot's token. No time is signed, so `fresh` has no effect. Raises
    InvalidSignature."""
    secrets = secrets_of(values, "auth_token")
    if not secrets:
        return None
    given = header(request, _HEADER)
    if any([signs(secret, "sha256", request.body, given) for secret in secrets]):
        return True
    raise InvalidSignature("no configured auth_token makes this signature")


def normalize(request: Request) -> Normalized:
    """Return the one event of a callback. Raises Unprocessable."""
    item = json_of(request)
    word = text(item.get("event")) if isinstance(item, dict) else None
    if word is None:
        raise Unprocessable("no callback of Viber: it has no event")
    return Normalized([_event(item, word, request)])


def _event(item: Item, word: str, request: Request) -> Event:
    given, word = word, spelled(word, EVENT_TYPES)
    type_ = EVENT_TYPES.get(word, "ProviderEventReceived")
    token, when = identifier(item.get("message_token")), item.get("timestamp")
    profile = item.get("sender") if word == "message" else item.get("user")
    who = profile if isinstance(profile, dict) else {}
    user = text(item.get("user_id")) or text(who.get("id"))
    customer = of_kind("chat_id", f"viber:{user}") if user else None
    outbound = word in _OUTBOUND
    # The token identifies the callback; for these events it is the id of the message that was sent.
    message_id = token if outbound or word == "message" else None
    if token is None and (user is None or type_.startswith("Message")):
        raise Unprocessable("a callback without a message_token")
    payload: dict[str, Any] = {"providerStatus": given[:255]}
    if customer is not None:
        payload["to" if outbound else "from"] = customer.value
    if name := text(who.get("name")):
        payload["displayName"] = name
    error: Error | None = None
    if word == "failed":
        error = Error(None, text(item.get("desc")), "unknown")
    elif word == "message":
        part = item.get("message")
        content = _content(part) if isinstance(part, dict) else None
        if content is None:
            type_ = "ProviderEventReceived"
        else:
            payload["content"] = content
            if isinstance(part, dict) and (seconds := count(part.get("duration"))):
                payload["duration"] = seconds
        if isinstance(part, dict) and (tracked := text(part.get("tracking_data"))):
            # The tracking data of the last message to this user.
            payload["reference"] = tracked
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    event = Event(
        type_,
        request.source,
        fact_id("viber", word, token, user, text(when)),
        channel="chat",
        direction="outbound" if outbound else "inbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_unix(when / 1000) if type(when) is int else None,
        error=error,
        payload=payload,
    )
    return keep_rest(event, item.get("message"), {"type"}) if word == "message" else event


def _content(part: Item) -> Content | None:
    """Return the content (…/rest-bot-api/#receive-message-from-user), or None for an unknown type."""
    kind = part.get("type")
    read = CONTENTS.get(kind) if isinstance(kind, str) else None
    if read is None:
        return None
    content = read(part)
    if words := text(part.get("text")):
        content["text"] = words
    return content


def _file(part: Item) -> Content:
    media = {"url": text(part.get("media")), "name": text(part.get("file_name")), "size": count(part.get("size"))}
    fields = {key: value for key, value in media.items() if value}
    return {"media": [fields]} if fields else {}


def _url(part: Item) -> Content:
    return {"text": url} if (url := text(part.get("media"))) else {}


def _location(part: Item) -> Content:
    point = part.get("location")
    place = location(point.get("lat"), point.get("lon")) if isinstance(point, dict) else None
    return {"location": place} if place else {}


def _contact(part: Item) -> Content:
    return {"contacts": [part["contact"]]} if isinstance(part.get("contact"), dict) else {}


def _sticker(part: Item) -> Content:
    return _file(part) | ({"sticker": {"id": number}} if (number := text(part.get("sticker_id"))) else {})


CONTENTS: dict[str, Callable[[Item], Content]] = {
    "text": lambda part: {},
    "picture": _file,
    "video": _file,
    "file": _file,
    "url": _url,
    "location": _location,
    "contact": _contact,
    "sticker": _sticker,
}

ADAPTER = Adapter(
    name="viber",
    title="Viber",
    docs="https://developers.viber.com/docs/api/rest-bot-api/#callbacks",
    channels=frozenset({"chat"}),
    events=frozenset(EVENT_TYPES.values()),
    signature="HMAC-SHA256 of the body with the bot's token",
    signs_body=True,
    job_ids=frozenset({"chat"}),
    settings=(
        Setting("auth_token", "The bot's authentication token (app key): verifies callbacks, and sends."),
        Setting("sender", "The name that messages are sent under, at most 28 characters.", secret=False),
        Setting("avatar", "The URL of the picture beside that name.", secret=False),
        Setting("api_url", f"The URL of the API; {API} if not set.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # The answer has no body: Viber would read one as a welcome message. Its check of a URL is a signed callback like
    # any other, so there is no handshake.
    send=Send(
        channels=frozenset({"chat"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
