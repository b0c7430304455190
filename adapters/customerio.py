<<<<<<< HEAD
"""Customer.io's reporting webhooks: e-mail, SMS, push, WhatsApp and Slack deliveries, and what people want to get.

https://docs.customer.io/api/webhooks; signature: …/webhooks#section/Securely-verify-requests. One event a post. What is
not answered with 2xx in 4 seconds is tried again for seven days, and what comes after it waits for it.
=======
"""Customer.io: reporting webhooks, one event a request, of messages on any of its channels and of people's subscriptions.

https://docs.customer.io/api/webhooks (events, retries), https://docs.customer.io/journeys/webhooks (setting up), signature:
https://docs.customer.io/journeys/webhooks-action/#securely-verify-requests. A message is its `delivery_id`.
>>>>>>> build/mail2
"""

from typing import Any

from adapters.addresses import handle, of_kind
from adapters.base import Answer, InvalidSignature, Normalized, Request, Setting, Unprocessable, Values
from adapters.bodies import json_of
from adapters.facts import fact_id, identifier, text, unknown
<<<<<<< HEAD
from adapters.signatures import WINDOW, check_age, header, secrets_of, signs
=======
from adapters.signatures import check_age, header, secrets_of, signs
>>>>>>> build/mail2
from adapters.smtp_codes import code_of, reason_of
from adapters.times import from_unix
from schemas.events import Error, Event, Handle

NAME = "customerio"
TITLE = "Customer.io"
DOCS = "https://docs.customer.io/api/webhooks"
<<<<<<< HEAD
CHANNELS = frozenset({"email", "sms", "push", "whatsapp", "chat"})
SENDS: frozenset[str] = frozenset()
SIGNATURE = "HMAC-SHA256 over version, timestamp and body"
SETTINGS = (
    Setting(
        "signing_key",
        "The webhook signing key (Integrations, Reporting Webhooks, the webhook's page).",
        aliases=("secret",),
    ),
    Setting("max_age", f"Seconds that a signature may be old; {WINDOW} if not set.", secret=False),
)
SIGNS_BODY = True

#: `object_type` and its channel; what has none of ours (in_app, webhook) is kept as it is.
OBJECTS: dict[str, str] = {"email": "email", "sms": "sms", "push": "push", "whatsapp": "whatsapp", "slack": "chat"}
#: `metric` of a delivery. `attempted`: it could not be sent yet, and will be tried again.
METRICS: dict[str, str] = {
    "attempted": "MessageDelayed",
    "sent": "UserMessageSent",
    "delivered": "MessageDelivered",
    "deferred": "MessageDelayed",
    "opened": "MessageOpened",
    "clicked": "MessageClicked",
    "bounced": "MessageBounced",
    "dropped": "MessageRejected",
=======
CHANNELS = frozenset({"email", "sms", "whatsapp", "push", "chat"})
SENDS: frozenset[str] = frozenset()
SIGNATURE = "HMAC-SHA256 over version, timestamp and body, five minutes"
SETTINGS = (Setting("signing_key", "The webhook signing key (Integrations, Reporting Webhooks)."),)
SIGNS_BODY = True

#: …/api/webhooks: `object_type` of messages, and the channel; `webhook` is a request to some server, no message.
OBJECTS: dict[str, str] = {
    "email": "email",
    "sms": "sms",
    "whatsapp": "whatsapp",
    "push": "push",
    "in_app": "push",
    "slack": "chat",
}
#: …/api/webhooks: `metric` of a message. `attempted` could not be handed to the provider and is tried again, `dropped` and
#: `undeliverable` were never sent, `failed` could not be.
METRICS: dict[str, str] = {
    "drafted": "ProviderEventReceived",
    "attempted": "MessageDelayed",
    "sent": "UserMessageSent",
    "delivered": "MessageDelivered",
    "opened": "MessageOpened",
    "clicked": "MessageClicked",
    "converted": "ProviderEventReceived",
    "deferred": "MessageDelayed",
    "bounced": "MessageBounced",
    "dropped": "MessageRejected",
    "undeliverable": "MessageRejected",
>>>>>>> build/mail2
    "failed": "MessageFailed",
    "spammed": "MessageComplained",
    "unsubscribed": "RecipientUnsubscribed",
}
<<<<<<< HEAD
#: `metric` of a person (`object_type` customer): their attribute `unsubscribed` was set.
CONSENTS: dict[str, str] = {"subscribed": "RecipientSubscribed", "unsubscribed": "RecipientUnsubscribed"}
EVENTS = frozenset({*METRICS.values(), *CONSENTS.values(), "ProviderEventReceived"})
_FAILURES = frozenset({"MessageDelayed", "MessageBounced", "MessageRejected", "MessageFailed"})
_MOST = 100


def recognise(request: Request) -> bool:
    """By its signature's header, else by what only its body has."""
    if "x-cio-signature" in request.headers:
        return True
    head = request.body[:2048]
    return b'"object_type"' in head and b'"metric"' in head and b'"event_id"' in head


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """HMAC-SHA256 over `v0:timestamp:body`, in hex, with a window. Raises InvalidSignature."""
    keys = secrets_of(values, "signing_key", "secret")
    if not keys:
        return None
    given = header(request, "x-cio-signature").removeprefix("v0=").lower()
    timestamp = header(request, "x-cio-timestamp")
    message = b"v0:" + timestamp.encode("utf-8", "replace") + b":" + request.body
    if not any([signs(key, "sha256", message, given) for key in keys]):
        raise InvalidSignature("no configured signing_key makes this signature")
    if fresh:
        told = secrets_of(values, "max_age")
        try:
            window = float(told[0]) if told else WINDOW
        except ValueError as error:
            raise InvalidSignature("the setting max_age is no number of seconds") from error
        check_age(timestamp, request.received_at, window)
=======
#: `metric` of a person (`object_type` customer): of all channels.
PEOPLE: dict[str, str] = {"subscribed": "RecipientSubscribed", "unsubscribed": "RecipientUnsubscribed"}
EVENTS = frozenset({*METRICS.values(), *PEOPLE.values()})
_FAILURES = frozenset({"MessageDelayed", "MessageBounced", "MessageRejected", "MessageFailed"})
_MOST_DEVICES = 100


def recognise(request: Request) -> bool:
    """By its signature's header."""
    return "x-cio-signature" in request.headers


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """HMAC-SHA256 over `v0:timestamp:body`, in hex. Raises InvalidSignature."""
    keys = secrets_of(values, "signing_key")
    if not keys:
        return None
    given, timestamp = header(request, "x-cio-signature"), header(request, "x-cio-timestamp")
    message = f"v0:{timestamp}:".encode("utf-8", "replace") + request.body
    if not any([signs(key, "sha256", message, given) for key in keys]):
        raise InvalidSignature("no configured signing_key makes this signature")
    if fresh:
        check_age(timestamp, request.received_at)
>>>>>>> build/mail2
    return True


def normalize(request: Request) -> Normalized:
<<<<<<< HEAD
    """One event."""
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("no event of Customer.io: it is no object")
    found = body.get("data")
    data: dict[str, Any] = found if isinstance(found, dict) else {}
    return Normalized([_event(body, data, request)])


def answer(request: Request) -> Answer:
    """200; what is not 2xx is tried again, and holds up what comes after it."""
=======
    """The one event; of a push one for each device."""
    body = json_of(request)
    if not isinstance(body, dict) or not isinstance(data := body.get("data"), dict):
        raise Unprocessable("no reporting webhook of Customer.io: it has no data")
    kind, metric = text(body.get("object_type")) or "", text(body.get("metric")) or ""
    event_id, at = identifier(body.get("event_id")), from_unix(body.get("timestamp"))
    if event_id is None:
        raise Unprocessable("an event without its event_id")
    if kind == "customer" and metric in PEOPLE and (person := _person(data)) is not None:
        payload: dict[str, Any] = {"providerStatus": f"customer.{metric}", "from": person.value}
        if others := _others(data, person):
            payload["handles"] = others
        channel = "email" if person.kind == "email" else None
        event = Event(
            PEOPLE[metric], request.source, event_id, channel, "inbound", None, None, person, at, None, payload
        )
        return Normalized([event])
    type = METRICS.get(metric, "ProviderEventReceived") if kind in OBJECTS else "ProviderEventReceived"
    if type == "ProviderEventReceived":
        event = unknown(request, body, status=f"{kind}.{metric}", event_id=event_id)
        event.occurred_at = at
        if kind in OBJECTS:
            event.channel, event.direction = OBJECTS[kind], "outbound"
            event.provider_message_id, event.handle = identifier(data.get("delivery_id")), _recipient(data, kind)
        return Normalized([event])
    delivery = identifier(data.get("delivery_id"))
    if delivery is None:
        raise Unprocessable("an event of no message: it has no delivery_id")
    devices = data.get("recipients")
    if kind == "push" and isinstance(devices, list) and devices:
        return Normalized([_of_device(one, type, body, data, delivery, request) for one in _objects(devices)])
    told = _message(type, body, data, delivery, _recipient(data, kind), data, request)
    told.source_event_id = event_id
    return Normalized([told])


def answer(request: Request) -> Answer:
    """200, within four seconds."""
>>>>>>> build/mail2
    return Answer()


def handshake(request: Request, values: Values) -> Answer | None:
    """Customer.io has none."""
    return None


<<<<<<< HEAD
def _event(body: dict[str, Any], data: dict[str, Any], request: Request) -> Event:
    object_type, metric = text(body.get("object_type")) or "", text(body.get("metric")) or ""
    word = f"{object_type}_{metric}"
    delivery_id, event_id = identifier(data.get("delivery_id")), identifier(body.get("event_id"))
    time, channel = from_unix(body.get("timestamp")), OBJECTS.get(object_type)
    # A webhook that Customer.io sends goes to a server.
    address, handles = _addresses(data, channel) if object_type != "webhook" else (None, [])
    type_ = METRICS.get(metric) if channel is not None else CONSENTS.get(metric) if object_type == "customer" else None
    if type_ is None or (channel is not None and delivery_id is None):
        event = unknown(request, body, status=word.strip("_") or None, event_id=event_id)
        event.occurred_at, event.handle = time, handles[0] if handles else None
        event.channel, event.provider_message_id = channel, delivery_id
        return event
    consent = type_ in ("RecipientSubscribed", "RecipientUnsubscribed")
    payload: dict[str, Any] = {"providerStatus": word[:255]}
    if to := handles[0].value if handles else address:
        payload["from" if channel is None else "to"] = to[:2048]
    if len(handles) > 1:
        payload["handles"] = [{"kind": other.kind, "value": other.value} for other in handles[1:]]
    if person := _person(data):
        payload["userId"] = person
    if url := text(data.get("href")):
        payload["url"] = url
    return Event(
        type_,
        request.source,
        event_id or fact_id("customerio", delivery_id, word, text(body.get("timestamp")), payload.get("url"), address),
        channel or ("email" if handles and handles[0].kind == "email" else None),
        "inbound" if consent and channel is None else "outbound",
        delivery_id,
        None,
        handles[0] if handles else None,
        time,
        _error(channel, data) if type_ in _FAILURES else None,
        payload,
    )


def _person(data: dict[str, Any]) -> str | None:
    identifiers = data.get("identifiers")
    named = identifier(identifiers.get("id")) if isinstance(identifiers, dict) else None
    return named or identifier(data.get("customer_id"))


def _addresses(data: dict[str, Any], channel: str | None) -> tuple[str | None, list[Handle]]:
    """Where it went, as it is written, and the handles that it is: a push goes to each of a person's devices."""
    devices = data.get("recipients")
    if channel == "push" and isinstance(devices, list):
        tokens = [text(one.get("device_id")) for one in devices[:_MOST] if isinstance(one, dict)]
        found = [of_kind("device_token", token) for token in tokens]
        return next((token for token in tokens if token), None), [one for one in found if one is not None]
    identifiers = data.get("identifiers")
    inner = identifiers.get("email") if isinstance(identifiers, dict) and channel in (None, "email") else None
    address = text(data.get("recipient")) or text(data.get("email_address")) or text(inner)
    # A Slack channel is ours, no customer's.
    known = None if channel == "chat" else handle(address, channel or "email")
    return address, [known] if known is not None else []


def _error(channel: str | None, data: dict[str, Any]) -> Error | None:
    words = text(data.get("failure_message"))
    if words is None:
        return None
    code = code_of(None, words) if channel == "email" else None
    return Error(code, words, reason_of(code))
=======
def _of_device(
    device: dict[str, Any], type: str, body: dict[str, Any], data: dict[str, Any], delivery: str, request: Request
) -> Event:
    token = text(device.get("device_id"))
    event = _message(type, body, data, delivery, of_kind("device_token", token), device, request)
    event.source_event_id = fact_id(identifier(body.get("event_id")), token)
    return event


def _message(
    type: str,
    body: dict[str, Any],
    data: dict[str, Any],
    delivery: str,
    customer: Handle | None,
    failed: dict[str, Any],
    request: Request,
) -> Event:
    """`failed` is where the failure's message stands: of a push that of a device."""
    metric, kind = text(body.get("metric")) or "", text(body.get("object_type")) or ""
    payload: dict[str, Any] = {"providerStatus": f"{kind}.{metric}"}
    if to := (customer.value if customer else text(data.get("recipient"))):
        payload["to"] = to[:2048]
    if others := _others(data, customer):
        payload["handles"] = others
    if metric == "clicked" and (url := text(data.get("href"))) and len(url) <= 8192:
        payload["url"] = url
    if data.get("machine_open") is True or data.get("prefetched") is True:
        payload["machineOpen"] = True
    content = {key: said for key, name in (("subject", "subject"), ("text", "body")) if (said := text(data.get(name)))}
    if metric == "sent" and content:
        if kind == "email" and "text" in content:
            content["html"] = content.pop("text")
        payload["content"] = content
    error = None
    if type in _FAILURES:
        words = text(failed.get("failure_message")) or text(data.get("failure_message"))
        code = code_of(None, words) if kind == "email" else None
        error = Error(code, words, reason_of(code))
    at = from_unix(body.get("timestamp"))
    return Event(type, request.source, "", OBJECTS[kind], "outbound", delivery, None, customer, at, error, payload)


def _recipient(data: dict[str, Any], kind: str) -> Handle | None:
    """Whose it is: the address that it went to, else whom Customer.io knows."""
    if kind in ("email", "sms", "whatsapp") and (found := handle(data.get("recipient"), OBJECTS[kind])):
        return found
    return _person(data)


def _person(data: dict[str, Any]) -> Handle | None:
    """The id that the service gave the person, else the e-mail address."""
    return next(iter(_known(data)), None)


def _known(data: dict[str, Any]) -> list[Handle]:
    identifiers = data.get("identifiers")
    told = identifiers if isinstance(identifiers, dict) else {}
    own = of_kind("user_id", text(told.get("id")) or text(data.get("customer_id")))
    email = handle(text(told.get("email")) or text(data.get("email_address")), "email")
    return [found for found in (own, email) if found is not None]


def _others(data: dict[str, Any], customer: Handle | None) -> list[dict[str, str]]:
    """The same person's other handles."""
    return [{"kind": one.kind, "value": one.value} for one in _known(data) if one != customer]


def _objects(items: list[Any]) -> list[dict[str, Any]]:
    return [item for item in items[:_MOST_DEVICES] if isinstance(item, dict)]
>>>>>>> build/mail2
