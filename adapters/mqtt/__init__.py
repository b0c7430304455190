"""MQTT: what devices publish to a broker of your own, and messages published to them.

MQTT 5.0: https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html; 3.1.1 differs in that it has no properties.
`threadline mqtt` subscribes and posts each publication to the door: the payload is the body, and beside it are the
headers `x-mqtt-topic` (percent-encoded), `x-mqtt-qos`, `x-mqtt-retain`, `x-mqtt-id` (of this receipt) and
`x-mqtt-properties` (the user properties, as a form). A bridge of a broker may post so too, with `?topic=` in the URL.
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

#: Levels of a topic after which the device's own name comes.
_BEFORE_DEVICE = frozenset({"device", "devices", "thing", "things"})
_TOPIC = "x-mqtt-topic"


def recognise(request: Request) -> bool:
    """Recognise a webhook by the header that has the topic."""
    return _TOPIC in request.headers


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """MQTT signs nothing: the basic auth or the secret of who posts. Raises InvalidSignature."""
    return verify_unsigned(request, values)


def normalize(request: Request) -> Normalized:
    """Return one message of a device; of a topic of the broker's own (`$SYS/…`) an unknown event. Raises
    Unprocessable."""
    topic = _topic(request)
    headers = request.headers
    properties = scrub(dict(parse_form(headers.get("x-mqtt-properties", ""))), NUL)
    said = _json(request.body)
    fields = {**properties, **said} if isinstance(said, dict) else dict(properties)
    given, time = identifier(fields.get("messageId")), fields.get("timestamp")
    if topic.startswith("$"):
        item = {"topic": topic, "payload": said if said is not None else _shown(request.body)}
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
    payload: dict[str, Any] = {"from": handle.value, "topic": topic, "content": _content(said, request.body)}
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
        if "\0" in (told := unquote(header)):
            raise Unprocessable("the topic has a NUL, which MQTT allows in none (section 1.5.4)")
        return told
    if topic := dict(query_of(request)).get("topic"):
        return topic
    raise Unprocessable("no topic: neither the header x-mqtt-topic nor ?topic= in the URL")


def _device(topic: str, told: str | None) -> str:
    """What the payload says; else the level after `devices` or `things`; else the whole topic."""
    if told:
        return told
    levels = topic.split("/", 64)
    for before, level in pairwise(levels):
        if before in _BEFORE_DEVICE and level:
            return level
    return topic


def _receipt(request: Request) -> tuple[str, ...]:
    """Return what identifies a publication that has neither an id nor a time. A retained one is the same however
    often the broker delivers it; another is identified by the id under which it was received, else by its bytes."""
    if (receipt := request.headers.get("x-mqtt-id")) and not _is_retained(request):
        return ("receipt", receipt)
    return ("payload", _digest(request.body))


def _is_retained(request: Request) -> bool:
    return request.headers.get("x-mqtt-retain", "").lower() in ("1", "true")


def _digest(body: bytes) -> str:
    return fact_id(body.decode("latin-1"))


def _json(body: bytes) -> Any:
    """The payload as a JSON object or list; None where it is none: a payload may be anything."""
    if body[:64].lstrip()[:1] not in (b"{", b"["):
        return None
    try:
        return parse_json(body)
    except Unprocessable:
        return None


def _content(said: Any, body: bytes) -> dict[str, Any]:
    """JSON under `data`, with its words as `text` and its place as `location`; else text; else base64."""
    if said is None:
        return _shown(body)
    content: dict[str, Any] = {"data": said}
    if isinstance(said, dict):
        words = said.get("text")
        if isinstance(words, str) and words:
            content["text"] = words
        if place := location(said.get("latitude"), said.get("longitude")):
            content["location"] = place
    return content


def _shown(body: bytes) -> dict[str, Any]:
    try:
        return {"text": body.decode()}
    except UnicodeDecodeError:
        return {"base64": b64encode(body).decode()}


def _time(value: Any) -> datetime | None:
    """ISO 8601, or Unix seconds or milliseconds."""
    return from_text(value) or from_unix_or_millis(value)


ADAPTER = Adapter(
    name="mqtt",
    title="MQTT",
    docs="https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html",
    channels=frozenset({"iot"}),
    events=frozenset({"MessageReceived", "ProviderEventReceived"}),
    signature="signs nothing: basic auth or a secret in the URL, of who posts what the broker says",
    signs_body=False,
    settings=(
        Setting("broker", "The broker: mqtts://host:8883, or mqtt://host:1883 without TLS.", secret=False),
        Setting("subscribe", "Topic filters, as devices/+/up; several as a list.", secret=False),
        Setting("client_id", "As whom to subscribe; the broker keeps what it misses under this name.", secret=False),
        Setting("username", "The broker's user.", secret=False),
        Setting("password", "The user's password."),
        Setting("protocol", "5, or 3.1.1 for a broker that is older; 5 by default.", secret=False),
        Setting(
            "ca_file",
            "The authority that signed the broker's certificate, PEM; else those of the system.",
            secret=False,
        ),
        Setting("topic", f"Where a message to a device is published; {DOWN} by default.", secret=False),
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
