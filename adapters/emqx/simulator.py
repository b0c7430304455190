"""Simulates EMQX: rule output with all fields, for messages of devices and the delivery of messages to them.

https://docs.emqx.com/en/emqx/latest/data-integration/rule-sql-events-and-fields.html
"""

from datetime import datetime
from typing import Any

import orjson

from adapters.simulating import Incoming, Post, Sent, Simulator, Statuses, Webhooks
from adapters.simulating.shared_secrets import sign

__all__ = ["sign"]

CUSTOMERS = {"iot": "device_id:emqx:truck-7"}
_EVENTS = {
    "UserMessageSent": "message.delivered",
    "MessageDelivered": "message.acked",
    "MessageFailed": "delivery.dropped",
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Make a delivery event. …#events-message-delivered, -acked, -delivery-dropped"""
    fields = {"from_clientid": sent.sender, "from_username": "undefined"}
    if state == "MessageFailed":
        fields["reason"] = "queue_full"
    client = sent.to.removeprefix("device_id:").removeprefix("emqx:")
    return _post(url, _EVENTS[state], at, client, f"devices/{client}/in", sent.id, sent.text or "", fields)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Make the event of a published message. …#mqtt-message"""
    client = incoming.sender.removeprefix("device_id:").removeprefix("emqx:")
    return _post(url, "message.publish", at, client, f"devices/{client}/out", incoming.id, incoming.text, {})


def _post(
    url: str, event: str, at: datetime, client: str, topic: str, id: str, payload: str, fields: dict[str, str]
) -> Post:
    stamp = int(at.timestamp() * 1000)
    document: dict[str, Any] = {
        "clientid": client,
        "event": event,
        "flags": {"dup": False, "retain": False},
        "id": id,
        "metadata": {"rule_id": "threadline"},
        "node": "emqx@127.0.0.1",
        "payload": payload,
        "peerhost": "192.0.2.7",
        "pub_props": {"User-Property": {}},
        "publish_received_at": stamp,
        "qos": 1,
        "timestamp": stamp,
        "topic": topic,
        "username": "undefined",
    }
    return Post(url, orjson.dumps(document | fields), {"content-type": "application/json"})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("iot",), statuses=Statuses(states=tuple(_EVENTS), build=status), inbound=inbound, sign=sign
    ),
    customers=CUSTOMERS,
)
