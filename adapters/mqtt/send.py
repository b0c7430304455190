"""Publishes to a device: the payload is text, or JSON if there is data; the message's id is a user property.

Reason codes: https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html, section 2.4, and 3.4.2.1 for PUBACK. A
broker of MQTT 3.1.1 acknowledges without a code, which counts as 0.
"""

from datetime import UTC, datetime

import orjson

from adapters.contract import Message, Outcome, Publish, Response, Unsendable, Values, accepted, optional, refused
from schemas.events import Error

#: The default topic. Devices publish elsewhere, so that a message sent is not received again.
DOWN = "devices/{device}/down"
#: Maximum bytes of a topic name (section 1.5.4).
MAX_TOPIC = 65_535
#: Each failure code: its name in the standard, our reason, whether a retry may succeed.
_CODES: dict[int, tuple[str, str, bool]] = {
    0x80: ("Unspecified error", "unknown", True),
    0x83: ("Implementation specific error", "unknown", True),
    0x84: ("Unsupported Protocol Version", "unknown", False),
    0x85: ("Client Identifier not valid", "unknown", False),
    0x86: ("Bad User Name or Password", "unknown", False),
    0x87: ("Not authorized", "unknown", False),
    0x8A: ("Banned", "unknown", False),
    0x8C: ("Bad authentication method", "unknown", False),
    0x88: ("Server unavailable", "unknown", True),
    0x89: ("Server busy", "unknown", True),
    0x8B: ("Server shutting down", "unknown", True),
    0x90: ("Topic Name invalid", "invalid_address", False),
    0x91: ("Packet Identifier in use", "unknown", True),
    0x93: ("Receive Maximum exceeded", "rate", True),
    0x95: ("Packet too large", "content", False),
    0x96: ("Message rate too high", "rate", True),
    0x97: ("Quota exceeded", "rate", True),
    0x99: ("Payload format invalid", "content", False),
}
#: The codes about the client's identity or rights, whatever it publishes.
_ACCOUNT = (0x84, 0x85, 0x86, 0x87, 0x8A, 0x8C)
#: Success, and success without a current subscriber.
_TAKEN = (0x00, 0x10)


def build_request(message: Message, values: Values, now: datetime) -> Publish:
    """Build a publication at QoS 1. Raises Unsendable."""
    kind, device = message.to.kind, message.to.value.removeprefix("mqtt:")
    if kind != "device_id" or device == message.to.value:
        raise Unsendable("the recipient is not an MQTT device: a device_id is needed, mqtt:<device>")
    if message.template is not None or message.media:
        raise Unsendable("MQTT has neither templates nor media: send text or data")
    topic = optional(values, "topic", DOWN).replace("{device}", device)
    if any(mark in topic for mark in "+#\x00") or len(topic.encode("utf-8", "replace")) > MAX_TOPIC:
        raise Unsendable(f"a message cannot be published to the topic {topic[:80]!r}")
    if message.data:
        document = dict(message.data) | ({"text": message.text} if message.text else {})
        payload = orjson.dumps(document)
    elif message.text:
        payload = message.text.encode("utf-8", "replace")
    else:
        raise Unsendable("a message to a device needs text or data")
    properties = {"messageId": message.message_id}
    if message.reference:
        properties["reference"] = message.reference
    if message.expires_at is not None:
        properties["expiresAt"] = message.expires_at.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return Publish(topic, payload, properties=properties)


def read_response(response: Response) -> Outcome:
    """Read the reason code of the broker's acknowledgement, which has no id."""
    code = response.status
    if code in _TAKEN:
        return accepted(None)
    name, reason, retryable = _CODES.get(code, (None, "unknown", None))
    return refused(response, Error(str(code), name, reason), retryable=retryable, account=code in _ACCOUNT)
