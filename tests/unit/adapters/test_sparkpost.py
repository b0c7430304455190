"""SparkPost: the test of a new webhook, whose message an event is of, and how it is asked to send and says no."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters import sparkpost
from adapters.contract import InvalidSignature, Media, Message, Request, Response, Template, Unsendable
from adapters.sparkpost.send import build_request, read_response
from schemas.events import Event, Handle

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SENDING = {"api_key": ("key",), "sender": ("Shop <shop@example.com>",)}
ANA = Handle("email", "ana@example.com")


def request(body: Any, headers: dict[str, str] | None = None) -> Request:
    return Request("POST", "https://hooks.example.com/", headers or {}, orjson.dumps(body), AT, "sparkpost")


def event(**fields: Any) -> Event:
    item = {"type": "delivery", "event_id": "1", "message_id": "m", "transmission_id": "t", "rcpt_to": "a@b.example"}
    return sparkpost.normalize(request([{"msys": {"message_event": item | fields}}])).events[0]


def test_the_test_of_a_new_webhook_is_answered_and_shows_a_mistake() -> None:
    """The empty batch comes with the credentials; without them SparkPost gets a refusal, and makes no webhook."""
    empty: list[Any] = [{"msys": {}}]
    answer = sparkpost.handshake(request(empty), {})
    assert answer is not None and answer.status == 200
    values = {"basic_auth": ("user:password",)}
    with_them = request(empty, {"authorization": "Basic dXNlcjpwYXNzd29yZA=="})
    assert sparkpost.handshake(with_them, values) is not None
    with pytest.raises(InvalidSignature):
        sparkpost.handshake(request(empty), values)
    others: list[Any] = [[], [{"msys": {}}, {"msys": {}}], [{"msys": {"track_event": {}}}], {"msys": {}}]
    for other in others:
        assert sparkpost.handshake(request(other), values) is None
    assert sparkpost.normalize(request(empty)).events == []


def test_a_relay_webhooks_token_counts_beside_the_others() -> None:
    """Event webhooks have a user and password, relay webhooks a token; one source may have both."""
    values = {"basic_auth": ("user:password",), "webhook_token": ("old", "token"), "webhook_header": ("X-Key: k",)}
    for headers in ({"x-messagesystems-webhook-token": "token"}, {"x-key": "k"}):
        assert sparkpost.verify(request([], headers), values) is True
    for headers in ({}, {"x-messagesystems-webhook-token": "another"}):
        with pytest.raises(InvalidSignature):
            sparkpost.verify(request([], headers), values)


def test_a_mail_is_known_by_its_transmission_and_its_recipient() -> None:
    """The response to a send has the id of the transmission alone; without one, the id of the message counts."""
    assert event().provider_message_id == "t" and event(transmission_id=None).provider_message_id == "m"
    assert sparkpost.ADAPTER.job_ids == {"email"}


def test_braces_are_not_taken_for_a_template() -> None:
    """SparkPost reads text, HTML and subject as its template language."""
    message = Message("m-1", "email", ANA, text="{{a}} {{{b}}} {c}", subject="{{x", html="<p>}}</p>")
    content = orjson.loads(build_request(message, SENDING, AT).body)["content"]
    assert content["text"] == (
        "{{opening_double_curly()}}a{{closing_double_curly()}}"
        " {{opening_triple_curly()}}b{{closing_triple_curly()}} {c}"
    )
    assert (content["subject"], content["html"]) == (
        "{{opening_double_curly()}}x",
        "<p>{{closing_double_curly()}}</p>",
    )


def test_a_template_is_sent_with_its_data_and_our_ids() -> None:
    """In the recipient's part; a reference that metadata cannot hold is left out."""
    message = Message("m-1", "email", ANA, template=Template("order", None, {"n": "1"}), reference="r" * 2000)
    body = orjson.loads(build_request(message, SENDING | {"transactional": ("true",)}, AT).body)
    (recipient,) = body["recipients"]
    assert recipient["metadata"] == {"threadline_message_id": "tl_cebadbb4_m-1"} and recipient["substitution_data"] == {
        "n": "1"
    }
    assert body["content"] == {"template_id": "order"} and body["options"] == {"transactional": True}


@pytest.mark.parametrize(
    "more", [{}, {"text": "x"}, {"subject": "x", "text": "x", "media": (Media("https://example.com/a.png"),)}]
)
def test_what_it_cannot_send_is_refused_with_a_reason(more: dict[str, Any]) -> None:
    """Nothing to say, no subject, or a file by its address."""
    with pytest.raises(Unsendable):
        build_request(Message("m-1", "email", ANA, **more), SENDING, AT)


@pytest.mark.parametrize(
    ("status", "body", "state", "reason"),
    [
        (420, {"errors": [{"message": "Exceed Sending Limit (daily)", "code": "2102"}]}, "retryable", "rate"),
        (400, {"errors": [{"message": "Invalid domain", "code": "7001"}]}, "sender", "account"),
        (404, {"errors": [{"message": "resource not found", "code": "1600"}]}, "rejected", "content"),
        (200, {"results": {"total_accepted_recipients": 0, "id": "1"}}, "rejected", "invalid_address"),
        (422, {"errors": ["x"], "results": []}, "rejected", "unknown"),
    ],
)
def test_its_errors_are_read(status: int, body: Any, state: str, reason: str) -> None:
    """A limit of the plan has a status of its own; an answer of 200 may have taken nobody."""
    outcome = read_response(Response(status, {}, orjson.dumps(body)))
    assert outcome.error is not None and (outcome.state, outcome.error.reason) == (state, reason)
