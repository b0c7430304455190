"""What is particular to Pusher Beams: an attempt is of many users, and what concerns all of them is kept once."""

from datetime import UTC, datetime
from typing import Any

import orjson

from adapters import pusher_beams
from adapters.contract import Request
from schemas.events import Event

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def attempt(users: list[str]) -> list[Event]:
    body: dict[str, Any] = {
        "payload": {"publish_id": "p-1", "users_delivered_to_gateway": users, "users_no_devices": []},
        "metadata": {"event_type": "v1.PublishToUsersAttempt", "event_id": "e-1"},
        "custom_data": {"order": "order-1"},
    }
    request = Request("POST", "https://hooks.example.com/", {}, orjson.dumps(body), NOW, "pusher_beams")
    return pusher_beams.normalize(request).events


def test_custom_data_is_kept_once() -> None:
    """https://pusher.com/docs/beams/reference/webhooks: it stands beside the payload."""
    first, second = attempt(["ana", "ben"])
    assert first.payload["native"]["custom_data"] == {"order": "order-1"} and "native" not in second.payload
    assert "users_delivered_to_gateway" not in first.payload["native"].get("payload", {})


def test_an_attempt_of_nobody_is_kept() -> None:
    (event,) = attempt([])
    assert (event.type, event.source_event_id) == ("ProviderEventReceived", "e-1")
    assert event.payload["native"]["custom_data"] == {"order": "order-1"}
