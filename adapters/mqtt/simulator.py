"""Simulates an MQTT broker and its devices, whose publications it posts as `threadline mqtt` does.

https://docs.oasis-open.org/mqtt/mqtt/v5.0/mqtt-v5.0.html. A publication arrives as a `Call` of the method PUBLISH,
with its topic as the path and its user properties as headers; the status of a `Reply` is the reason code of the
acknowledgement. A publisher's credentials are checked at its connection, not here.
"""

from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlencode, urlsplit, urlunsplit

import orjson

from adapters.simulating import Api, Call, Incoming, Post, Refusal, Refused, Reply, Sent, Settings, Simulator, Webhooks

CUSTOMERS = {"iot": "device_id:mqtt:truck-7"}
_REFUSALS: dict[Refusal, int] = {"rate": 0x97, "invalid": 0x90, "unauthorized": 0x87, "unavailable": 0x88}


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build a device's publication on `devices/<device>/up`."""
    device = incoming.sender.rpartition(":")[2]
    body = orjson.dumps({"messageId": incoming.id, "timestamp": int(at.timestamp() * 1000), "text": incoming.text})
    topic = quote(f"devices/{device}/up", safe="/")
    headers = {"content-type": "application/json", "x-mqtt-topic": topic, "x-mqtt-qos": "1", "x-mqtt-retain": "0"}
    return Post(url, body, headers)


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Put the secret into the URL as `?key=`: MQTT signs nothing."""
    scheme, host, path, query, _ = urlsplit(post.url)
    pairs = [(name, value) for name, value in parse_qsl(query, keep_blank_values=True) if name != "key"]
    return replace(post, url=urlunsplit((scheme, host, path, urlencode([*pairs, ("key", settings["url_secret"])]), "")))


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a publication to one device. Raises Refused."""
    levels = call.path.strip("/").split("/")
    if (
        call.method != "PUBLISH"
        or len(levels) != 3
        or levels[0] != "devices"
        or any("+" in x or "#" in x for x in levels)
    ):
        raise Refused("invalid", "Topic Name invalid")
    text = call.body.decode()
    return [Sent(id, "iot", f"device_id:mqtt:{levels[1]}", "", text, call.headers.get("reference"))]


def reply(sent: list[Sent]) -> Reply:
    """Return the reason code of success."""
    return Reply(0x00, b"", {})


def refuse(why: Refusal) -> Reply:
    """Return the reason code of a failure (section 3.4.2.1)."""
    return Reply(_REFUSALS[why], b"", {})


SIMULATOR = Simulator(
    webhooks=Webhooks(channels=("iot",), inbound=inbound, sign=sign),
    api=Api(accept=accept, reply=reply, refuse=refuse),
    customers=CUSTOMERS,
)
