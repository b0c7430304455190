"""Reads Customer.io's reporting webhooks: one event per request, about a message on any channel or a subscription.

https://docs.customer.io/api/webhooks (events, retries), https://docs.customer.io/journeys/webhooks (setting up), signature:
https://docs.customer.io/journeys/webhooks-action/#securely-verify-requests. A message's id is its `delivery_id`.
"""

from typing import Any

from adapters.contract import Adapter, InvalidSignature, Normalized, Request, Setting, Unprocessable, Values, secrets_of
from adapters.customerio.messages import METRICS, OBJECTS, OF_CHANNEL, messages_of, type_of
from adapters.customerio.people import PEOPLE, PREFERENCES, choices_of, person_event, person_of, recipient_of
from adapters.reading.bodies import json_of
from adapters.reading.facts import identifier, text, unknown
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from adapters.signing.signatures import check_age, header, signs


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
    """Return one event, or one per device for a push and per topic and channel of a choice. Raises Unprocessable."""
    body = json_of(request)
    if not isinstance(body, dict) or not isinstance(data := body.get("data"), dict):
        raise Unprocessable("no reporting webhook of Customer.io: it has no data")
    # The documentation of preferences calls it `object_type_type`.
    object_type = text(body.get("object_type")) or text(body.get("object_type_type"))
    kind = spelled(object_type, (*OBJECTS, "customer"))
    metric = spelled(text(body.get("metric")), (*METRICS, *PEOPLE, PREFERENCES))
    status = f"{object_type or kind}.{text(body.get('metric')) or metric}"
    event_id, at = identifier(body.get("event_id")), from_unix(body.get("timestamp"))
    if event_id is None:
        raise Unprocessable("an event without its event_id")
    if metric == PREFERENCES:
        if choices := choices_of(data, event_id, at, status, request):
            return Normalized(choices)
    elif _is_of_person(kind, metric, data):
        if (event := person_event(metric, data, event_id, at, status, request)) is not None:
            return Normalized([event])
    elif type_of(kind, metric) != "ProviderEventReceived":
        return Normalized(messages_of(kind, metric, data, event_id, at, status, request))
    event = unknown(request, body, status=f"{kind}.{metric}", event_id=event_id)
    event.occurred_at = at
    if metric == PREFERENCES or metric in PEOPLE:
        event.direction, event.handle = "inbound", person_of(data)
    elif kind in OBJECTS:
        event.channel, event.direction = OBJECTS[kind], "outbound"
        event.provider_message_id = identifier(data.get("delivery_id"))
        event.handle = recipient_of(data, OBJECTS[kind])
    return Normalized([event])


def _is_of_person(kind: str, metric: str, data: dict[str, Any]) -> bool:
    """Return whether it is about a person and all channels: `object_type` is then the channel that the person chose by, and
    there is no delivery. An `unsubscribed` of a delivery is the recipient's of that message."""
    return metric in PEOPLE and (metric not in METRICS or kind not in OBJECTS or not text(data.get("delivery_id")))


ADAPTER = Adapter(
    name="customerio",
    title="Customer.io",
    docs="https://docs.customer.io/api/webhooks",
    channels=frozenset({"email", "sms", "whatsapp", "push", "chat"}),
    events=frozenset({*METRICS.values(), *OF_CHANNEL.values(), *PEOPLE.values()}),
    signature="HMAC-SHA256 over version, timestamp and body, five minutes",
    signs_body=True,
    job_ids=frozenset({"email"}),
    settings=(Setting("signing_key", "The webhook signing key (Integrations, Reporting Webhooks)."),),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Customer.io waits four seconds for the answer.
)
