"""Reads Customer.io's reporting webhooks: one event per request, about a message on any channel or a subscription.

https://docs.customer.io/api/webhooks (events, retries), https://docs.customer.io/journeys/webhooks (setting up), signature:
https://docs.customer.io/journeys/webhooks-action/#securely-verify-requests. A message's id is its `delivery_id`.
"""

from typing import Any

from adapters.contract import Adapter, InvalidSignature, Normalized, Request, Setting, Unprocessable, Values, secrets_of
from adapters.customerio.people import PEOPLE, PREFERENCES, others_of, person_of, recipient_of, topics_of
from adapters.reading.addresses import of_kind
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.smtp_codes import code_of, reason_of
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from adapters.signing.signatures import check_age, header, signs
from schemas.events import Error, Event, Handle

#: …/api/webhooks: `object_type` of messages, with our channel; `webhook` is a request to a server and no message.
OBJECTS: dict[str, str] = {
    "email": "email",
    "sms": "sms",
    "whatsapp": "whatsapp",
    "push": "push",
    "in_app": "push",
    "slack": "chat",
}
#: …/api/webhooks: `metric` of a message. `attempted`: the provider did not take it, to be retried; `dropped`, `undeliverable`:
#: never sent; `failed`: could not be sent.
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
    "failed": "MessageFailed",
    "spammed": "MessageComplained",
    "unsubscribed": "RecipientUnsubscribed",
}
_FAILURES = frozenset({"MessageDelayed", "MessageBounced", "MessageRejected", "MessageFailed"})
_MOST_DEVICES = 100


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature's header."""
    return "x-cio-signature" in request.headers


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA256 over `v0:timestamp:body`, in hex. Raises InvalidSignature."""
    keys = secrets_of(values, "signing_key")
    if not keys:
        return None
    given, timestamp = header(request, "x-cio-signature"), header(request, "x-cio-timestamp")
    message = f"v0:{timestamp}:".encode("utf-8", "replace") + request.body
    if not any([signs(key, "sha256", message, given) for key in keys]):
        raise InvalidSignature("no configured signing_key makes this signature")
    if fresh:
        check_age(timestamp, request.received_at)
    return True


def normalize(request: Request) -> Normalized:
    """Return one event, or one per device for a push. Raises Unprocessable."""
    body = json_of(request)
    if not isinstance(body, dict) or not isinstance(data := body.get("data"), dict):
        raise Unprocessable("no reporting webhook of Customer.io: it has no data")
    kind, metric = _words(body)
    event_id, at = identifier(body.get("event_id")), from_unix(body.get("timestamp"))
    if event_id is None:
        raise Unprocessable("an event without its event_id")
    if kind == "customer" and metric in PEOPLE and (person := person_of(data)) is not None:
        payload: dict[str, Any] = {"providerStatus": f"customer.{metric}", "from": person.value}
        if others := others_of(data, person):
            payload["handles"] = others
        channel = "email" if person.kind == "email" else None
        event = Event(
            PEOPLE[metric],
            request.source,
            event_id,
            channel=channel,
            direction="inbound",
            handle=person,
            occurred_at=at,
            payload=payload,
        )
        return Normalized([event])
    if kind == "customer" and metric == PREFERENCES and (topics := topics_of(data, event_id, at, request)):
        return Normalized(topics)
    type = METRICS.get(metric, "ProviderEventReceived") if kind in OBJECTS else "ProviderEventReceived"
    if type == "ProviderEventReceived":
        event = unknown(request, body, status=f"{kind}.{metric}", event_id=event_id)
        event.occurred_at = at
        if kind in OBJECTS:
            event.channel, event.direction = OBJECTS[kind], "outbound"
            event.provider_message_id, event.handle = (
                identifier(data.get("delivery_id")),
                recipient_of(data, OBJECTS[kind]),
            )
        return Normalized([event])
    delivery = identifier(data.get("delivery_id"))
    if delivery is None:
        raise Unprocessable("an event has no delivery_id")
    devices = data.get("recipients")
    if kind == "push" and isinstance(devices, list) and devices:
        return Normalized([_of_device(one, type, body, data, delivery, request) for one in _objects(devices)])
    event = _message(type, body, data, delivery, recipient_of(data, OBJECTS[kind]), data, request)
    event.source_event_id = event_id
    return Normalized([event])


def _words(body: dict[str, Any]) -> tuple[str, str]:
    """Return the kind of object and its metric, as the tables spell them."""
    kind = spelled(text(body.get("object_type")), (*OBJECTS, "customer"))
    return kind, spelled(text(body.get("metric")), (*METRICS, *PEOPLE, PREFERENCES))


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
    """Return a message's event, without its id. `failed` holds the failure's text: the device of a push, else `data`."""
    kind, metric = _words(body)
    payload: dict[str, Any] = {"providerStatus": f"{text(body.get('object_type'))}.{text(body.get('metric'))}"}
    if to := (customer.value if customer else text(data.get("recipient"))):
        payload["to"] = to[:2048]
    if customer is not None and (others := others_of(data, customer)):
        payload["handles"] = others
    if metric == "clicked" and (url := text(data.get("href"))) and len(url) <= 8192:
        payload["url"] = url
    if data.get("machine_open") is True or data.get("prefetched") is True:
        payload["machineOpen"] = True
    content = {
        key: value for key, name in (("subject", "subject"), ("text", "body")) if (value := text(data.get(name)))
    }
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
    return Event(
        type,
        request.source,
        "",
        channel=OBJECTS[kind],
        direction="outbound",
        provider_message_id=delivery,
        handle=customer,
        occurred_at=at,
        error=error,
        payload=payload,
    )


def _objects(items: list[Any]) -> list[dict[str, Any]]:
    return [item for item in items[:_MOST_DEVICES] if isinstance(item, dict)]


ADAPTER = Adapter(
    name="customerio",
    title="Customer.io",
    docs="https://docs.customer.io/api/webhooks",
    channels=frozenset({"email", "sms", "whatsapp", "push", "chat"}),
    events=frozenset({*METRICS.values(), *PEOPLE.values()}),
    signature="HMAC-SHA256 over version, timestamp and body, five minutes",
    signs_body=True,
    job_ids=frozenset({"email"}),
    settings=(Setting("signing_key", "The webhook signing key (Integrations, Reporting Webhooks)."),),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Customer.io waits four seconds for the answer.
)
