"""Simulates The Things Stack: uplinks, and the statuses of downlinks.

https://www.thethingsindustries.com/docs/integrations/data-formats/
"""

import base64
from datetime import UTC, datetime
from typing import Any

import orjson

from adapters.simulating import Incoming, Post, Sent, Simulator, Statuses, Webhooks
from adapters.simulating.shared_secrets import sign

__all__ = ["sign"]

CUSTOMERS = {"iot": "device_id:the_things_stack:fleet/truck-7"}
_EVENTS = {
    "MessageQueued": "downlink_queued",
    "UserMessageSent": "downlink_sent",
    "MessageDelivered": "downlink_ack",
    "MessageDelayed": "downlink_nack",
    "MessageFailed": "downlink_failed",
}
AGENT = "ttn-lw-application-server/3.36.0"


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a downlink's status: …#downlink-events-messages."""
    own = [f"as:downlink:{sent.id}", *([sent.reference] if sent.reference else [])]
    downlink = {"f_port": 15, "f_cnt": 1, "frm_payload": "vu8=", "confirmed": True, "priority": "NORMAL"}
    part: dict[str, Any] = downlink | {"correlation_ids": own}
    if state == "MessageFailed":
        name, words = "application_downlink_too_long", "application downlink payload is too long"
        part = {"downlink": part, "error": {"namespace": "pkg/networkserver", "name": name, "message_format": words}}
    return _post(url, sent.to, at, own, _EVENTS[state], part)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build an uplink of a device without a payload formatter: …#uplink-messages."""
    part = {
        "session_key_id": "AXA50tHUGUucuzS/bCGMNw==",
        "f_port": 1,
        "f_cnt": 1,
        "frm_payload": base64.b64encode(incoming.text.encode()).decode(),
        "received_at": _time(at),
    }
    return _post(url, incoming.sender, at, [f"as:up:{incoming.id}", f"gs:uplink:{incoming.id}"], "uplink_message", part)


def _post(url: str, device: str, at: datetime, ids: list[str], kind: str, part: dict[str, Any]) -> Post:
    application, _, name = device.removeprefix("device_id:").removeprefix("the_things_stack:").partition("/")
    document = {
        "end_device_ids": {
            "device_id": name,
            "application_ids": {"application_id": application},
            "dev_eui": "0004A30B001C0530",
            "dev_addr": "00BCB929",
        },
        "correlation_ids": ids,
        "received_at": _time(at),
        kind: part,
    }
    return Post(url, orjson.dumps(document), {"content-type": "application/json", "user-agent": AGENT})


def _time(at: datetime) -> str:
    """Return a time to the nanosecond, as The Things Stack writes it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f") + "123Z"


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("iot",), statuses=Statuses(states=tuple(_EVENTS), build=status), inbound=inbound, sign=sign
    ),
    customers=CUSTOMERS,
)
