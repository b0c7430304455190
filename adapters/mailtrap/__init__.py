"""Reads Mailtrap's sending events: several in one post, as one JSON object or as JSON lines.

https://docs.mailtrap.io/email-api-smtp/advanced/webhooks. The fields of an event are listed at the end of
https://github.com/anymail/django-anymail/blob/main/anymail/webhooks/mailtrap.py.
"""

from typing import Any

from adapters.contract import Adapter, InvalidSignature, Normalized, Request, Setting, Unprocessable, Values, secrets_of
from adapters.mailtrap.errors import error_of
from adapters.reading.addresses import handle
from adapters.reading.bodies import json_of, parse_json
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.inbound_mail import InboundMail, received
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_unix_or_millis
from adapters.reading.words import spelled
from adapters.signing.signatures import header, signs
from adapters.signing.unsigned import SETTINGS as UNSIGNED
from adapters.signing.unsigned import verify_unsigned
from schemas.events import Event

#: …/advanced/webhooks#event-types. A soft bounce is retried; a suspended mail waits for Mailtrap.
EVENT_TYPES: dict[str, str] = {
    "delivery": "MessageDelivered",
    "soft bounce": "MessageDelayed",
    "suspension": "MessageDelayed",
    "bounce": "MessageBounced",
    "reject": "MessageRejected",
    "open": "MessageOpened",
    "click": "MessageClicked",
    "unsubscribe": "RecipientUnsubscribed",
    "spam": "MessageComplained",
}
_FAILURES = frozenset({"MessageDelayed", "MessageBounced", "MessageRejected"})
#: Inbound mail: https://docs.mailtrap.io/inbound/webhooks. Its text must be fetched by the message's id.
INBOUND = "inbound.message_received"
_COPIED = (("url", "url"), ("userAgent", "user_agent"), ("ip", "ip"))
#: Maximum lines that are read in one post; Mailtrap puts some hundreds of events into one.
_MOST = 5000


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature header, or by keys that only its events have."""
    if "mailtrap-signature" in request.headers:
        return True
    head = request.body[:2048]
    return b'"sending_stream"' in head and b'"event_id"' in head and b'"event"' in head


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA256 of the body, in hex; if no secret is configured, the credentials in the URL. No time is
    signed, so `fresh` has no effect. Raises InvalidSignature."""
    secrets = secrets_of(values, "signing_secret", "secret")
    if not secrets:
        return verify_unsigned(request, values)
    given = header(request, "mailtrap-signature").lower()
    if any([signs(secret, "sha256", request.body, given) for secret in secrets]):
        return True
    raise InvalidSignature("no configured signing_secret makes this signature")


def normalize(request: Request) -> Normalized:
    """Return one event per item."""
    result = Normalized()
    for item in _items(request, result):
        try:
            result.events.append(_event(item, request))
        except Unprocessable as error:
            result.unprocessable.append((item, str(error)))
    return result


def _items(request: Request, result: Normalized) -> list[Any]:
    """Return the items of a JSON object or of JSON lines; add lines that are not JSON to `result.unprocessable`.
    Raises Unprocessable."""
    try:
        body = json_of(request)
    except Unprocessable:
        lines = request.body.splitlines()
        if not 1 < len(lines) <= _MOST or not lines[0].startswith(b"{"):
            raise
        items = []
        for line in lines:
            try:
                items += [parse_json(line)] if line.strip() else []
            except Unprocessable as error:
                result.unprocessable.append((line[:1000].decode("utf-8", "replace"), str(error)))
        return items
    if isinstance(body, dict) and "events" not in body and "event" in body:
        return [body]
    events = body.get("events") if isinstance(body, dict) else body
    if not isinstance(events, list):
        raise Unprocessable("no events of Mailtrap")
    return events


def _event(item: Any, request: Request) -> Event:
    if not isinstance(item, dict):
        raise Unprocessable("an item is not an object")
    given = text(item.get("event")) or ""
    word = spelled(given, (*EVENT_TYPES, INBOUND))
    event_id, message_id = identifier(item.get("event_id")), identifier(item.get("message_id"))
    email, time = text(item.get("email")), _time(item.get("timestamp"))
    customer = handle(email, "email")
    type_ = EVENT_TYPES.get(word)
    if word == INBOUND and message_id is not None:
        return _received(item, message_id, event_id, request)
    if type_ is None:
        event = unknown(request, item, status=word or None, event_id=event_id)
        event.occurred_at = time
        if message_id is not None:
            event.channel, event.provider_message_id, event.handle = "email", message_id, customer
        return event
    if message_id is None:
        raise Unprocessable("an event has no message id")
    variables = item.get("custom_variables")
    custom: dict[str, Any] = variables if isinstance(variables, dict) else {}
    payload: dict[str, Any] = {"providerStatus": given}
    if to := customer.value if customer else email:
        payload["to"] = to[:2048]
    if reference := text(custom.get("reference")):
        payload["reference"] = reference[:1024]
    if type_ not in _FAILURES:
        payload |= {key: value for key, name in _COPIED if (value := text(item.get(name)))}
    elif kind := text(item.get("bounce_category")):
        payload["bounceType"] = kind[:255]
    event = Event(
        type_,
        request.source,
        event_id or fact_id("mailtrap", message_id, word, email, text(item.get("timestamp")), text(item.get("url"))),
        channel="email",
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=time,
        error=error_of(word, item) if type_ in _FAILURES else None,
        payload=payload,
    )
    return keep_rest(event, item, ("event", "response_code", "sending_domain_name"))


def _received(item: dict[str, Any], message_id: str, event_id: str | None, request: Request) -> Event:
    one = InboundMail(
        sender=text(item.get("from")),
        recipients=(),
        content={},
        provider_id=message_id,
        status=INBOUND,
        occurred_at=_time(item.get("timestamp")),
    )
    event = received(one, request, event_id or fact_id("mailtrap", INBOUND, message_id))
    # `inbox_id` is needed to fetch the mail.
    return keep_rest(event, item, ("event", "event_id", "message_id", "timestamp", "from"))


def _time(value: Any) -> Any:
    """Return the time of a Unix timestamp: seconds, but milliseconds for inbound mail."""
    return from_unix_or_millis(value)


ADAPTER = Adapter(
    name="mailtrap",
    title="Mailtrap",
    docs="https://docs.mailtrap.io/email-api-smtp/advanced/webhooks",
    channels=frozenset({"email"}),
    events=frozenset({*EVENT_TYPES.values(), "MessageReceived", "ProviderEventReceived"}),
    signature="HMAC-SHA256 of the body; without it basic auth or a secret in the URL",
    signs_body=True,
    job_ids=frozenset({"email"}),
    settings=(
        Setting("signing_secret", "The webhook's signing secret (Settings, Webhooks).", aliases=("secret",)),
        *UNSIGNED,
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Mailtrap retries unless the answer is 200, which is the default.
)
