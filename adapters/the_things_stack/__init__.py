"""Reads the webhooks of The Things Stack (LoRaWAN): devices' messages, and the statuses of messages to devices.

https://www.thethingsindustries.com/docs/integrations/webhooks/, formats …/integrations/data-formats/, and for what
is missing there, `ApplicationUp` in
https://github.com/TheThingsNetwork/lorawan-stack/blob/v3.36/api/ttn/lorawan/v3/messages.proto. Nothing is signed; a
webhook may have configured headers, basic auth among them. `X-Downlink-Apikey` is a key for sending downlinks in
response; it does not authenticate the caller. A webhook is tried once, or seven times in some 80 minutes if retries
are enabled.
"""

from base64 import b64decode
from collections.abc import Callable
from typing import Any

from adapters.contract import Adapter, Normalized, Request, Unprocessable, Values
from adapters.reading.addresses import of_kind
from adapters.reading.bodies import json_of
from adapters.reading.facts import count, fact_id, location, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from adapters.signing.shared_header import SETTINGS, verify_shared
from schemas.events import Error, Event

Item = dict[str, Any]

#: The message's kind is the key beside the device's ids. A downlink that the device did not confirm (`nack`) is
#: retried.
MESSAGES: dict[str, str] = {
    "uplink_message": "MessageReceived",
    "uplink_normalized": "MessageReceived",
    "location_solved": "MessageReceived",
    "downlink_queued": "MessageQueued",
    "downlink_sent": "UserMessageSent",
    "downlink_ack": "MessageDelivered",
    "downlink_nack": "MessageDelayed",
    "downlink_failed": "MessageFailed",
    "downlink_queue_invalidated": "ProviderEventReceived",
    "join_accept": "ProviderEventReceived",
    "service_data": "ProviderEventReceived",
}
#: Our reasons, by a part of the error's name (…/pkg/networkserver).
_REASONS = {"too_long": "content", "expired": "expired"}
#: Keys whose value the event has in another form: the device is in its address.
_READ = frozenset({"device_id", "application_ids"})
#: The keys beside the message itself.
_AROUND = frozenset({"end_device_ids", "correlation_ids", "received_at", "simulated"})
#: Prefixes of the id that all messages of one uplink share, the best first: since 2023 the gateway server's alone is
#: there (https://github.com/TheThingsNetwork/lorawan-stack/pull/6581).
_OF_UPLINK = ("as:up:", "gs:uplink:", "ns:uplink:", "pba:uplink:")
#: Prefixes of the ids that The Things Stack adds to the sender's.
_OWN = ("as:", "ns:", "gs:", "js:", "rpc:", "pba:", "events:")


def recognise(request: Request) -> bool:
    """Recognise a webhook by the device's ids, with which each message begins."""
    start = request.body[:2048]
    return b'"end_device_ids"' in start and b'"application_ids"' in start


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the caller by `webhook_header`, `basic_auth` or `url_secret`. Raises InvalidSignature."""
    return verify_shared(request, values)


def normalize(request: Request) -> Normalized:
    """Return the one event of a message. Raises Unprocessable."""
    body = json_of(request)
    ids = body.get("end_device_ids") if isinstance(body, dict) else None
    if not isinstance(ids, dict):
        raise Unprocessable("no message of The Things Stack: it has no end_device_ids")
    kind = next((key for key in body if key in MESSAGES), None) or next(
        (key for key in body if key not in _AROUND), None
    )
    application = ids.get("application_ids")
    application_id = text(application.get("application_id")) if isinstance(application, dict) else None
    device_id = text(ids.get("device_id"))
    if application_id is None or device_id is None:
        raise Unprocessable("a message without an application or a device")
    event = _event(body, kind, f"the_things_stack:{application_id}/{device_id}", request)
    return Normalized([keep_rest(event, body, read=_READ)])


def _event(body: Item, kind: str | None, device: str, request: Request) -> Event:
    type_ = MESSAGES.get(kind or "", "ProviderEventReceived")
    part = body.get(kind) if kind is not None else None
    part = part if isinstance(part, dict) else {}
    outbound = (kind or "").startswith("downlink_")
    downlink = part.get("downlink") if kind == "downlink_failed" else part
    downlink = downlink if isinstance(downlink, dict) else {}
    ids = _ids(downlink.get("correlation_ids")) + _ids(body.get("correlation_ids"))
    marks = ("as:downlink:",) if outbound else _OF_UPLINK
    message_id = next((one for mark in marks for one in ids if one.startswith(mark)), None)
    customer = of_kind("device_id", device)
    payload: Item = {"providerStatus": kind[:255]} if kind else {}
    payload["to" if outbound else "from"] = device
    if body.get("simulated") is True:
        payload["simulated"] = True
    if outbound and (reference := next((one for one in ids if not one.startswith(_OWN)), None)):
        payload["reference"] = reference
    if type_ == "MessageReceived":
        payload["content"] = CONTENTS[str(kind)](part)
    elif type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, body).payload["native"]
    received_at = text(part.get("received_at")) or text(body.get("received_at"))
    counter = count(downlink.get("f_cnt"))
    return Event(
        type_,
        request.source,
        fact_id("the_things_stack", device, kind, *ids, text(counter), received_at),
        channel="iot",
        direction="outbound" if outbound else "inbound",
        # A solved location and a session are not messages, though an uplink led to them.
        provider_message_id=message_id if type_ != "ProviderEventReceived" and kind != "location_solved" else None,
        handle=customer,
        occurred_at=from_text(received_at),
        error=_error(part.get("error")) if type_ == "MessageFailed" else None,
        payload=payload,
    )


def _ids(found: Any) -> list[str]:
    return [one for one in found[:50] if isinstance(one, str) and len(one) <= 512] if isinstance(found, list) else []


def _error(part: Any) -> Error:
    error = part if isinstance(part, dict) else {}
    name = text(error.get("name"))
    reason = next((reason for mark, reason in _REASONS.items() if mark in (name or "")), "unknown")
    return Error(name, text(error.get("message_format")), reason)


def _uplink(part: Item) -> Item:
    """Return the decoded payload as `data`, or the text of the bytes if they are text; and the bytes (base64) as
    `payload`."""
    content: Item = {}
    if isinstance(decoded := part.get("decoded_payload"), dict):
        content["data"] = decoded
    if (port := count(part.get("f_port"))) is not None:
        content["port"] = port
    if (raw := text(part.get("frm_payload"))) is not None:
        content["payload"] = raw
        if "data" not in content and (words := _words(raw)):
            content["text"] = words
    return content


def _words(raw: str) -> str | None:
    try:
        words = b64decode(raw, validate=True).decode()
    except ValueError:
        return None
    return words if words.isprintable() else None


def _normalized(part: Item) -> Item:
    """Return the uplink's values in units and names common to all devices; they complement its `data`."""
    return {"normalized": found} if isinstance(found := part.get("normalized_payload"), dict) else {}


def _solved(part: Item) -> Item:
    """Return the location that a service (`service`) computed."""
    point = part.get("location")
    found = (
        location(point.get("latitude"), point.get("longitude"), part.get("service"))
        if isinstance(point, dict)
        else None
    )
    return {"location": found} if found else {}


CONTENTS: dict[str, Callable[[Item], Item]] = {
    "uplink_message": _uplink,
    "uplink_normalized": _normalized,
    "location_solved": _solved,
}

ADAPTER = Adapter(
    name="the_things_stack",
    title="The Things Stack",
    docs="https://www.thethingsindustries.com/docs/integrations/webhooks/",
    channels=frozenset({"iot"}),
    events=frozenset(MESSAGES.values()),
    signature="signs nothing: a header, basic auth or a secret in the URL",
    signs_body=False,
    settings=SETTINGS,
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # A webhook is lost unless answered with 2xx, or retried if retries are enabled.
)
