"""What is particular to The Things Stack: bytes that are text, ids among the correlation ids, its key that proves nothing."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters import interpret, the_things_stack
from adapters.contract import InvalidSignature, Request
from schemas.events import Event

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
DEVICE = {"device_id": "truck-7", "application_ids": {"application_id": "fleet"}}


def request_of(**parts: Any) -> Request:
    body = orjson.dumps({"end_device_ids": DEVICE, **parts})
    return Request("POST", "https://hooks.example.com/", {"x-downlink-apikey": "secret"}, body, NOW, "the_things_stack")


def event_of(**parts: Any) -> Event:
    (event,) = interpret(request_of(**parts), "the_things_stack").events
    return event


@pytest.mark.parametrize(
    ("uplink", "text"),
    [
        ({"frm_payload": "RG9vciBvcGVu"}, "Door open"),
        ({"frm_payload": "RG9vciBvcGVu", "decoded_payload": {"door": "open"}}, None),
        ({"frm_payload": "gkHe"}, None),
        ({"frm_payload": "AQID"}, None),
        ({"frm_payload": "not base64!"}, None),
        ({}, None),
    ],
)
def test_bytes_are_text_only_where_they_are(uplink: dict[str, Any], text: str | None) -> None:
    """And where nothing else says what they are."""
    assert event_of(uplink_message=uplink).payload["content"].get("text") == text


def test_the_senders_own_correlation_id_is_the_reference() -> None:
    """Those of The Things Stack itself are none."""
    ids = ["as:downlink:1", "ns:transmission:2", "order-1"]
    event = event_of(downlink_sent={"correlation_ids": ids})
    assert (event.provider_message_id, event.payload["reference"]) == ("as:downlink:1", "order-1")
    assert "reference" not in event_of(downlink_sent={"correlation_ids": ids[:2]}).payload


def test_the_key_for_downlinks_proves_nothing() -> None:
    """Whoever was posted to knows it."""
    with pytest.raises(InvalidSignature):
        the_things_stack.verify(request_of(uplink_message={}), {"url_secret": ("secret",)})


def test_nanoseconds_are_cut() -> None:
    """Python's clock has microseconds."""
    event = event_of(received_at="2026-03-02T09:29:00.014773999Z", uplink_message={})
    assert event.occurred_at == datetime(2026, 3, 2, 9, 29, 0, 14773, UTC)
