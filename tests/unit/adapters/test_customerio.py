"""What is particular to Customer.io: the age of its signature, deliveries without an id."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta

import pytest

from adapters import customerio, interpret
from adapters.base import InvalidSignature, Request

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES = {"signing_key": ("k3y",)}


def signed(body: bytes, prefix: str = "") -> Request:
    timestamp = str(int(AT.timestamp()))
    digest = hmac.new(b"k3y", f"v0:{timestamp}:".encode() + body, hashlib.sha256).hexdigest()
    headers = {"x-cio-timestamp": timestamp, "x-cio-signature": prefix + digest}
    return Request("POST", "https://hooks.example.com/", headers, body, AT, "customerio")


@pytest.mark.parametrize("prefix", ["", "v0="])
def test_the_version_may_stand_before_the_digits(prefix: str) -> None:
    """As some write it, and Customer.io's own examples do not."""
    assert customerio.verify(signed(b"{}", prefix), VALUES) is True


def test_a_signature_has_an_age_that_can_be_set() -> None:
    """Five minutes; more where the operator says so; a stored one has none."""
    request = signed(b"{}")
    request.received_at += timedelta(hours=1)
    with pytest.raises(InvalidSignature, match="seconds old"):
        customerio.verify(request, VALUES)
    assert customerio.verify(request, VALUES, fresh=False) is True
    assert customerio.verify(request, VALUES | {"max_age": ("86400",)}) is True
    with pytest.raises(InvalidSignature, match="max_age"):
        customerio.verify(request, VALUES | {"max_age": ("long",)})


def test_a_delivery_without_an_id_is_kept_as_it_is() -> None:
    """It tells of no message that could be found."""
    body = {"event_id": "1", "object_type": "email", "metric": "sent", "data": {"recipient": "ana@example.com"}}
    (event,) = interpret(signed(json.dumps(body).encode()), "customerio").events
    assert (event.type, event.source_event_id) == ("ProviderEventReceived", "1")
    assert event.handle is not None and event.handle.value == "ana@example.com"
