"""Reads what devices publish to your own MQTT broker, and publishes messages to them.

MQTT 5.0: https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html; 3.1.1 differs in that it has no properties.
`threadline mqtt` subscribes and posts each publication to the webhook endpoint: the payload is the body, and the
headers are `x-mqtt-topic` (percent-encoded), `x-mqtt-qos`, `x-mqtt-retain`, `x-mqtt-id` (the id of this receipt) and
`x-mqtt-properties` (the user properties, as a form). A broker's bridge may post in the same way, with `?topic=` in
the URL.
"""

from base64 import b64encode
from datetime import datetime
from itertools import pairwise
from typing import Any
from urllib.parse import unquote

from adapters.contract import MAX_ID, Adapter, Answer, Normalized, Request, Send, Setting, Unprocessable, Values
from adapters.mqtt.send import DOWN, build_request, read_response
from adapters.reading.addresses import of_kind
from adapters.reading.bodies import NUL, parse_form, parse_json, query_of, scrub
from adapters.reading.facts import count, fact_id, identifier, location, text, unknown
from adapters.reading.times import from_text, from_unix_or_millis
from adapters.signing.unsigned import SETTINGS as UNSIGNED
from adapters.signing.unsigned import verify_unsigned
from schemas.events import Event

#: Levels of a topic that precede the device's name.
_BEFORE_DEVICE = frozenset({"device", "devices", "thing", "things"})
_TOPIC = "x-mqtt-topic"


def recognise(request: Request) -> bool:
    """Recognise a webhook by the header that holds the topic."""
    return _TOPIC in request.headers


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the caller's basic auth or secret: MQTT signs nothing. Raises InvalidSignature."""
    return verify_unsigned(request, values)


def normalize(request: Request) -> Normalized:
    """Return a device's message, or an unknown event for a topic of the broker's own (`$SYS/…`). Raises
    Unprocessable."""
    topic = _topic(request)
    headers = request.headers
    properties = scrub(dict(parse_form(headers.get("x-mqtt-properties", ""))), NUL)
    document = _json(request.body)
    fields = {**properties, **document} if isinstance(document, dict) else dict(properties)
    given, time = identifier(fields.get("messageId")), fields.get("timestamp")
    if topic.startswith("$"):
        item = {"topic": topic, "payload": document if document is not None else _shown(request.body)}
        return Normalized([unknown(request, item, status=topic, event_id=fact_id("broker", topic, *_receipt(request)))])
    device = _device(topic, text(fields.get("deviceId")))
    handle = of_kind("device_id", f"mqtt:{device}")
    if handle is None:
        raise Unprocessable("the topic, or the deviceId, is longer than an address can be, or has control characters")
    if given is not None:
        fact = fact_id(device, given, text(time))
    elif time is not None:
        fact = fact_id("at", topic, _digest(request.body))
    else:
        fact = fact_id("topic", topic, *_receipt(request))
    own = f"{device}:{given}" if given is not None else fact
    payload: dict[str, Any] = {"from": handle.value, "topic": topic, "content": _content(document, request.body)}
    for key, value in (("qos", count(headers.get("x-mqtt-qos"))), ("properties", properties or None)):
        if value is not None:
            payload[key] = value
    if _is_retained(request):
        payload["retained"] = True
    return Normalized(
        [
            Event(
                "MessageReceived",
                request.source,
                fact,
                channel="iot",
                direction="inbound",
                provider_message_id=own if len(own) <= MAX_ID else fact_id(device, given),
                handle=handle,
                occurred_at=_time(time),
                payload=payload,
            )
        ]
    )


def answer(request: Request) -> Answer:
    """Answer 202: the message is stored, and may be acknowledged to the broker."""
    return Answer(202)


def _topic(request: Request) -> str:
    """Return the topic in the header. Raises Unprocessable if there is none."""
    if header := request.headers.get(_TOPIC):
        if "\0" in (decoded := unquote(header)):
            raise Unprocessable("the topic contains NUL, which MQTT does not allow (section 1.5.4)")
        return decoded
    if topic := dict(query_of(request)).get("topic"):
        return topic
    raise Unprocessable("no topic: neither the header x-mqtt-topic nor ?topic= in the URL")


def _device(topic: str, given: str | None) -> str:
    """Return the device's name: from the payload, else the level after `devices` or `things`, else the whole topic."""
    if given:
        return given
    levels = topic.split("/", 64)
    for before, level in pairwise(levels):
        if before in _BEFORE_DEVICE and level:
            return level
    return topic


def _receipt(request: Request) -> tuple[str, ...]:
    """Return what identifies a publication that has neither an id nor a time. A retained publication is the same at
    each delivery, so its bytes identify it; any other is identified by the id of its receipt, or by its bytes if it
    has none."""
    if (receipt := request.headers.get("x-mqtt-id")) and not _is_retained(request):
        return ("receipt", receipt)
    return ("payload", _digest(request.body))


def _is_retained(request: Request) -> bool:
    return request.headers.get("x-mqtt-retain", "").lower() in ("1", "true")


def _digest(body: bytes) -> str:
    return fact_id(body.decode("latin-1"))


def _json(body: bytes) -> Any:
    """Return the payload as a JSON object or list, or None: a payload may be anything."""
    if body[:64].lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        return parse_json(body)
    except Unprocessable:
        return None


def _content(document: Any, body: bytes) -> dict[str, Any]:
    """Return JSON under `data`, with its text as `text` and coordinates as `location`; other payloads as text or
    base64."""
    if document is None:
        return _shown(body)
    content: dict[str, Any] = {"data": document}
    if isinstance(document, dict):
        words = document.get("text")
        if isinstance(words, str) and words:
            content["text"] = words
        if place := location(document.get("latitude"), document.get("longitude")):
            content["location"] = place
    return content


def _shown(body: bytes) -> dict[str, Any]:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"base64": b64encode(body).decode()}


def _time(value: Any) -> datetime | None:
    """Return the time of ISO 8601, or of Unix seconds or milliseconds."""
    return from_text(value) or from_unix_or_millis(value)


ADAPTER = Adapter(
    name="mqtt",
    title="MQTT",
    docs="https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html",
    channels=frozenset({"iot"}),
    events=frozenset({"MessageReceived", "ProviderEventReceived"}),
    signature="signs nothing: basic auth or a secret in the URL, of the caller that posts the broker's messages",
    signs_body=False,
    settings=(
        Setting("broker", "The broker: mqtts://host:8883, or mqtt://host:1883 without TLS.", secret=False),
        Setting("subscribe", "Topic filters, for example devices/+/up; a list if there are several.", secret=False),
        Setting(
            "client_id", "The client id of the subscription; the broker keeps missed messages under it.", secret=False
        ),
        Setting("username", "The broker's user.", secret=False),
        Setting("password", "The user's password."),
        Setting("protocol", "5, or 3.1.1 for an older broker; 5 by default.", secret=False),
        Setting(
            "ca_file",
            "The CA that signed the broker's certificate, PEM; the system's CAs by default.",
            secret=False,
        ),
        Setting("topic", f"The topic of a message to a device; {DOWN} by default.", secret=False),
        *UNSIGNED,
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    answer=answer,
    send=Send(
        channels=frozenset({"iot"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
