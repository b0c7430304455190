"""What a callback is sent, how its answers are judged, and when it is tried again."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
import pytest

from adapters.contract import Request, Response
from adapters.signing.signatures import verify_standard
from webhooks.subscribers import GRACE, PAUSES, body_of, judge, pause_after, request_of, shown, signature

NOW = datetime(2026, 2, 3, 12, tzinfo=UTC)
OLD, NEW = b"o" * 32, b"n" * 32
ROW: dict[str, Any] = {
    "event_id": UUID(int=7),
    "message_id": "m1",
    "interaction_id": UUID(int=8),
    "type": "MessageFailed",
    "channel": "sms",
    "direction": "outbound",
    "source": "twilio",
    "provider": None,
    "provider_message_id": "SM1",
    "error": {"code": "30003", "text": "off", "reason": "unreachable"},
    "occurred_at": NOW,
    "received_at": NOW + timedelta(seconds=2),
    "recorded_at": NOW + timedelta(seconds=3),
    "payload": {"price": {"amount": "0.01"}},
}


def test_the_reference_s_example_holds() -> None:
    """https://github.com/standard-webhooks/standard-webhooks, libraries/python/tests: secret, id, time, body, signature
    (the same are in https://docs.svix.com/receiving/verifying-payloads/how)."""
    secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    made = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
    assert shown(secret) == "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def test_each_secret_of_a_rotation_verifies() -> None:
    """Whoever has the new one, or still the old one, finds its signature; another's secret fits none."""
    call = request_of(ROW, "https://shop.example.com/events", [NEW, OLD], NOW)
    request = Request("POST", call.url, call.headers, call.body, NOW, "mine")
    for secret in (NEW, OLD):
        verify_standard(request, [shown(secret)])
    with pytest.raises(Exception, match="no configured secret"):
        verify_standard(request, [shown(b"x" * 32)])
    assert timedelta(days=1) == GRACE


def test_the_id_has_no_dot_and_is_the_event_s() -> None:
    """A dot could shift what is signed; by the same id at every try a receiver knows what it has seen."""
    first, later = (request_of(ROW, "https://x.example", [NEW], NOW + timedelta(hours=n)) for n in (0, 1))
    assert first.headers["webhook-id"] == later.headers["webhook-id"] == str(ROW["event_id"])
    assert "." not in first.headers["webhook-id"]
    assert int(later.headers["webhook-timestamp"]) - int(first.headers["webhook-timestamp"]) == 3600
    assert first.body == later.body


def test_the_body_says_what_happened() -> None:
    """Dotted type, time, and the payload beside what the columns say; what is not known is left out."""
    assert orjson.loads(body_of(ROW)) == {
        "type": "message.failed",
        "timestamp": "2026-02-03T12:00:00Z",
        "data": {
            "price": {"amount": "0.01"},
            "eventId": str(ROW["event_id"]),
            "messageId": "m1",
            "interactionId": str(ROW["interaction_id"]),
            "channel": "sms",
            "direction": "outbound",
            "provider": "twilio",
            "providerMessageId": "SM1",
            "error": {"code": "30003", "text": "off", "reason": "unreachable"},
            "occurredAt": "2026-02-03T12:00:00Z",
            "recordedAt": "2026-02-03T12:00:03Z",
        },
    }
    silent = orjson.loads(body_of(ROW | {"occurred_at": None, "error": None}))
    assert silent["timestamp"] == "2026-02-03T12:00:02Z"
    assert not {"occurredAt", "error"} & silent["data"].keys()


@pytest.mark.parametrize(
    ("status", "verdict"),
    [
        *[(status, "delivered") for status in (200, 204, 299)],
        *[(status, "failed") for status in (199, 301, 308, 400, 404, 429, 500, 504)],
        (410, "gone"),
    ],
)
def test_answers_are_judged(status: int, verdict: str) -> None:
    """2xx alone is success, and 410 alone is the end."""
    assert judge(status) == verdict


def test_pauses_grow_over_days_and_end() -> None:
    """Those of the specification, each longer by at most a fifth; after the tenth try there is no other."""
    assert sum(PAUSES, timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
    for number, pause in enumerate(PAUSES, start=1):
        assert pause_after(number, 0) == pause
        assert pause_after(number, 1) == pause * 1.2
    assert pause_after(len(PAUSES) + 1, 0) is None


def test_retry_after_is_honoured_within_bounds() -> None:
    """Longer where the answer asks for it, never shorter, and never longer than the longest pause."""
    asked = {seconds: pause_after(1, 0, Response(503, {"retry-after": str(seconds)})) for seconds in (1, 60, 9_999_999)}
    assert asked == {1: timedelta(seconds=5), 60: timedelta(seconds=60), 9_999_999: timedelta(hours=24)}
