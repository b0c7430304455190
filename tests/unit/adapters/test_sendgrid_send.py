"""What is particular to SendGrid's sends: what a mail needs, the order of its parts, its answer, its ids in the events."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters.contract import Media, Message, Response, Template, Unsendable
from adapters.sendgrid.events import _message_id
from adapters.sendgrid.send import build_request, read_response
from schemas.events import Handle

MESSAGE = Message(
    "m-1",
    "email",
    Handle("email", "ana@example.com"),
    "Shop <shop@example.com>",
    "Hello",
    "Your order",
    "<p>Hello</p>",
    reference="order-1",
)


def body_of(message: Message) -> Any:
    call = build_request(message, {"api_key": ("k",)}, datetime(2026, 3, 2, tzinfo=UTC))
    return json.loads(call.body)


def test_text_comes_before_html_and_our_ids_go_along() -> None:
    """SendGrid refuses the parts in another order, and echoes custom arguments in each event."""
    body = body_of(MESSAGE)
    assert [part["type"] for part in body["content"]] == ["text/plain", "text/html"]
    assert body["from"] == {"email": "shop@example.com", "name": "Shop"}
    assert body["personalizations"] == [
        {
            "to": [{"email": "ana@example.com"}],
            "custom_args": {"threadline_message_id": "tl_cebadbb4_m-1", "reference": "order-1"},
        }
    ]


def test_a_template_needs_neither_text_nor_subject() -> None:
    """It has its own; variables are its data."""
    body = body_of(replace(MESSAGE, subject=None, template=Template("d-1", variables={"name": "Ana"})))
    assert body["template_id"] == "d-1" and "content" not in body and "subject" not in body
    assert body["personalizations"][0]["dynamic_template_data"] == {"name": "Ana"}


@pytest.mark.parametrize(
    "message",
    [
        replace(MESSAGE, media=(Media("https://example.com/a.pdf"),)),
        replace(MESSAGE, text=None, html=None),
        replace(MESSAGE, subject=None),
        replace(MESSAGE, sender="Shop"),
        replace(MESSAGE, sender=None),
        replace(MESSAGE, to=Handle("phone", "+15551234567")),
    ],
)
def test_what_sendgrid_has_no_place_for_is_unsendable(message: Message) -> None:
    """The error comes before anything is sent."""
    with pytest.raises(Unsendable):
        body_of(message)


@pytest.mark.parametrize(
    ("status", "field", "state", "reason"),
    [
        (400, "personalizations.0.to.0.email", "rejected", "invalid_address"),
        (400, "content.0.value", "rejected", "content"),
        (403, "from", "sender", "account"),
        (413, None, "rejected", "content"),
        (429, None, "retryable", "rate"),
        (500, None, "retryable", "unknown"),
    ],
)
def test_a_refusal_is_read_by_its_status_and_field(status: int, field: str | None, state: str, reason: str) -> None:
    """SendGrid has no codes of its own."""
    body = json.dumps({"errors": [{"message": "No.", "field": field, "help": None}]}).encode()
    outcome = read_response(Response(status, {}, body))
    assert outcome.error is not None
    assert (outcome.state, outcome.error.text, outcome.error.reason) == (state, "No.", reason)


@pytest.mark.parametrize(
    ("reported", "id_"),
    [
        ("Ua9z9lSTSaqYBWJe_Xfc-Q.recvd-5b6594c664-csn64-1-65A9F4D1-A.0", "Ua9z9lSTSaqYBWJe_Xfc-Q"),
        ("2H7YeIvAQlOM4OJbtwr92Q.filterdrecv-p3iad2-df8579867-kwdns-18-5F7CDB37-1C.0", "2H7YeIvAQlOM4OJbtwr92Q"),
        ("14c5d75ce93.dfd.64b469.filter0001.16648.5515E0B88.0", "14c5d75ce93.dfd.64b469"),
        ("Ua9z9lSTSaqYBWJe_Xfc-Q.other-1.0", "Ua9z9lSTSaqYBWJe_Xfc-Q"),
        ("Ua9z9lSTSaqYBWJe_Xfc-Q", "Ua9z9lSTSaqYBWJe_Xfc-Q"),
        (".filter", ".filter"),
    ],
)
def test_an_event_names_the_mail_as_the_response_to_the_send_did(reported: str, id_: str) -> None:
    """By X-Message-Id, which all recipients of one send share."""
    assert _message_id(reported) == id_
