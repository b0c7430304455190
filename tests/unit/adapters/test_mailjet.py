"""Mailjet: ids of twenty digits, what a sender's own payload may be, and how it is asked to send and says no."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters import mailjet
from adapters.contract import Media, Message, Request, Response, Template, Unsendable
from adapters.mailjet.send import build_request, read_batch, read_response
from schemas.events import Event, Handle

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SENDING = {"api_key": ("key",), "secret_key": ("secret",), "sender": ("Shop <shop@example.com>",)}


def event(**fields: Any) -> Event:
    item = {
        "event": "open",
        "time": 1772443770,
        "MessageID": 1,
        "email": "ana@example.com",
        "mj_campaign_id": 1,
    } | fields
    request = Request("POST", "https://hooks.example.com/", {}, orjson.dumps(item), AT, "mailjet")
    return mailjet.normalize(request).events[0]


def test_an_id_is_the_same_number_in_the_answer_and_in_events() -> None:
    """Numbers above 2**53 keep all their digits."""
    number = 1152921514283937453
    body = orjson.dumps({"Messages": [{"Status": "success", "To": [{"Email": "a@b.c", "MessageID": number}]}]})
    assert read_response(Response(200, {}, body)).provider_message_id == str(number)
    assert event(MessageID=number).provider_message_id == str(number)


@pytest.mark.parametrize(
    "payload",
    [None, "", "{", "[]", "{'a': 1}", '{"threadline_message_id": 7}', "x" * 5000, '{"threadline_message_id": []}'],
)
def test_a_senders_own_payload_is_borne(payload: Any) -> None:
    """It may be anything; ours is an object with ids."""
    assert event(Payload=payload).echoed_message_id is None


@pytest.mark.parametrize(
    ("fields", "type_", "reason"),
    [
        ({"hard_bounce": True, "error": "user unknown"}, "MessageBounced", "invalid_address"),
        ({"hard_bounce": False, "error": "greylisted"}, "MessageDelayed", "rate"),
        ({"hard_bounce": False, "error": "Greylisted"}, "MessageDelayed", "rate"),
        ({"hard_bounce": False, "error": 7}, "MessageBounced", "unknown"),
    ],
)
def test_only_what_is_tried_again_is_a_delay(fields: dict[str, Any], type_: str, reason: str) -> None:
    """Mailjet says so of greylisting alone."""
    made = event(event="bounce", **fields)
    assert made.error is not None and (made.type, made.error.reason) == (type_, reason)


def test_a_message_is_taken_apart_as_mailjet_wants_it() -> None:
    """Names and addresses, the template's number and its variables, both of our ids."""
    message = Message("m-1", "email", Handle("email", "ana@example.com"), template=Template("4711", None, {"n": "1"}))
    call = build_request(message, SENDING | {"reply_to": ("help@example.com",)}, AT)
    (made,) = orjson.loads(call.body)["Messages"]
    assert made["From"] == {"Email": "shop@example.com", "Name": "Shop"}
    assert made["ReplyTo"] == {"Email": "help@example.com"}
    assert (made["TemplateID"], made["TemplateLanguage"], made["Variables"]) == (4711, True, {"n": "1"})
    assert orjson.loads(made["EventPayload"]) == {"threadline_message_id": "tl_cebadbb4_m-1", "reference": "m-1"}


@pytest.mark.parametrize(
    "more", [{}, {"text": "x", "media": (Media("https://example.com/a.png"),)}, {"template": Template("order")}]
)
def test_what_it_cannot_send_is_refused_with_a_reason(more: dict[str, Any]) -> None:
    """Nothing to say, a file by its address, a template by name."""
    with pytest.raises(Unsendable):
        build_request(Message("m-1", "email", Handle("email", "ana@example.com"), **more), SENDING, AT)


def test_an_error_within_an_answer_of_200_is_one() -> None:
    """Each message has its own status."""
    error = {"ErrorCode": "mj-0013", "ErrorMessage": "invalid", "ErrorRelatedTo": ["To[0].Email"]}
    body = orjson.dumps({"Messages": [{"Status": "error", "Errors": [error]}]})
    outcome = read_response(Response(200, {}, body))
    assert outcome.error is not None
    assert (outcome.state, outcome.error.code, outcome.error.reason) == ("rejected", "mj-0013", "invalid_address")


@pytest.mark.parametrize("status", [200, 207, 400, 500])
def test_each_message_of_a_batch_has_its_own_status(status: int) -> None:
    """Whatever the answer's is: one that was taken is not sent again because another was at fault."""
    reported = [
        {"Status": "success", "To": [{"Email": "a@b.c", "MessageID": 7}]},
        *(
            {"Status": "error", "Errors": [{"ErrorCode": "mj-0001", "StatusCode": code}]}
            for code in (400, 401, 429, 500)
        ),
    ]
    outcomes = read_batch(Response(status, {}, orjson.dumps({"Messages": reported})), 5)
    states = ["accepted", "rejected", "account", "retryable", "retryable"]
    assert [outcome.state for outcome in outcomes] == states
    assert outcomes[0].provider_message_id == "7"
    # If not all are in the answer, nobody knows which were accepted: none is sent again.
    assert {each.state for each in read_batch(Response(status, {}, orjson.dumps({"Messages": reported})), 9)} == {
        "accepted"
    }
