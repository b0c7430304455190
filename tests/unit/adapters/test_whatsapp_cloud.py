"""What is particular to WhatsApp's sends: whom they go to, templates, files, and which errors may pass later."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import interpret
from adapters.contract import HttpCall, Media, Message, Request, Response, Template, Unsendable
from adapters.whatsapp_cloud.send import build_request, read_response
from schemas.events import Handle

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES: dict[str, tuple[str, ...]] = {"access_token": ("t",), "phone_number_id": ("1065",)}
PHONE = Handle("phone", "+15551234567")
MESSAGE = Message("m-1", "whatsapp", PHONE, text="Hello")


def call_of(message: Message, values: dict[str, tuple[str, ...]] = VALUES) -> HttpCall:
    return build_request(message, values, NOW)


def body_of(message: Message) -> Any:
    return json.loads(call_of(message).body)


def test_a_number_goes_into_to_and_a_user_id_into_recipient() -> None:
    """Meta takes an id in `to` for a number and loses the message."""
    assert body_of(MESSAGE)["to"] == "+15551234567"
    output = body_of(replace(MESSAGE, to=Handle("whatsapp_user_id", "US.13491208655302741918")))
    assert output["recipient"] == "US.13491208655302741918" and "to" not in output
    with pytest.raises(Unsendable):
        call_of(replace(MESSAGE, to=Handle("email", "ana@example.com")))


def test_it_is_posted_to_the_numbers_messages_in_the_version_configured() -> None:
    """The message's own sender is before that of the source; a number is no id."""
    assert call_of(MESSAGE).url == "https://graph.facebook.com/v25.0/1065/messages"
    values = VALUES | {"api_url": ("http://localhost:1",), "api_version": ("v30.0",)}
    assert call_of(replace(MESSAGE, sender="77"), values).url == "http://localhost:1/v30.0/77/messages"
    with pytest.raises(Unsendable, match="id"):
        call_of(replace(MESSAGE, sender="+15550001111"))


@pytest.mark.parametrize(
    ("variables", "parameters"),
    [
        ({"2": "b", "10": "c", "1": "a"}, [{"text": "a"}, {"text": "b"}, {"text": "c"}]),
        (
            {"name": "Ana", "day": "Monday"},
            [{"parameter_name": "name", "text": "Ana"}, {"parameter_name": "day", "text": "Monday"}],
        ),
    ],
)
def test_variables_fill_a_template_by_position_or_by_name(
    variables: dict[str, str], parameters: list[dict[str, str]]
) -> None:
    """Positions count as numbers, and not both kinds at once."""
    output = body_of(replace(MESSAGE, text=None, template=Template("shipped", "en-US", variables)))["template"]
    assert output["language"] == {"code": "en_US"}
    assert output["components"] == [{"type": "body", "parameters": [{"type": "text", **each} for each in parameters]}]
    with pytest.raises(Unsendable, match="position or by name"):
        call_of(replace(MESSAGE, template=Template("shipped", "en", variables | {"3": "x", "other": "y"})))


@pytest.mark.parametrize(
    ("type_", "kind"),
    [("image/png", "image"), ("audio/mpeg", "audio"), ("video/mp4", "video"), ("application/pdf", "document")],
)
def test_a_file_is_sent_as_what_it_is(type_: str, kind: str) -> None:
    """By its media type; text is its caption, but beside sound, which has none."""
    file = Media("https://example.com/a", type_, "a.bin")
    message = replace(MESSAGE, media=(file,), text=None if kind == "audio" else "Look")
    output = body_of(message)
    assert output["type"] == kind and output[kind]["link"] == "https://example.com/a"
    assert output[kind].get("caption") == message.text
    assert ("filename" in output[kind]) == (kind == "document")
    template = body_of(replace(message, template=Template("t", "en")))["template"]
    assert template["components"][0]["parameters"][0]["type"] == kind


@pytest.mark.parametrize(
    "message",
    [
        replace(MESSAGE, text=None),
        replace(MESSAGE, media=(Media("https://example.com/a"),)),
        replace(MESSAGE, media=(Media("https://example.com/a", "image/png"),) * 2),
        replace(MESSAGE, media=(Media("https://example.com/a", "audio/ogg"),)),
        replace(MESSAGE, template=Template("t")),
        replace(MESSAGE, reference="x" * 513),
    ],
)
def test_what_whatsapp_has_no_place_for_is_unsendable(message: Message) -> None:
    """The error comes before anything is sent."""
    with pytest.raises(Unsendable):
        call_of(message)


@pytest.mark.parametrize(
    ("status", "code", "state", "reason"),
    [
        (400, 131056, "retryable", "rate"),
        (400, 80007, "retryable", "rate"),
        (400, 131048, "retryable", "spam"),
        (400, 131000, "retryable", "unknown"),
        (500, 3, "account", "account"),
        (400, 131047, "rejected", "blocked"),
        (401, 190, "account", "account"),
        (500, 987654, "retryable", "unknown"),
        (400, 987654, "rejected", "unknown"),
        (200, 131026, "rejected", "unreachable"),
    ],
)
def test_the_code_tells_whether_it_may_pass_later(status: int, code: int, state: str, reason: str) -> None:
    """Meta's codes count, not its statuses, as its page of errors asks; of an unknown code the status does."""
    body = json.dumps({"error": {"code": code, "message": "m", "error_data": {"details": "Why."}}}).encode()
    outcome = read_response(Response(status, {}, body))
    assert outcome.error is not None
    assert (outcome.state, outcome.error.code, outcome.error.text, outcome.error.reason) == (
        state,
        str(code),
        "Why.",
        reason,
    )


@pytest.mark.parametrize(
    ("contact", "handles"),
    [
        ({"wa_id": "15551110001", "user_id": "US.1"}, {"wamid.1": ["US.1"], "wamid.2": None}),
        ({"wa_id": "15550001111", "user_id": "US.1"}, {"wamid.1": None, "wamid.2": None}),
        ({"user_id": "US.1"}, {"wamid.1": None, "wamid.2": None}),
    ],
)
def test_a_contact_is_of_the_messages_with_its_number(
    contact: dict[str, str], handles: dict[str, list[str] | None]
) -> None:
    """The only contact of a webhook is not the sender of every message in it, nor is its name theirs."""
    messages = [
        {"id": f"wamid.{n}", "from": number, "type": "text", "timestamp": "1796000000", "text": {"body": "a"}}
        for n, number in ((1, "15551110001"), (2, "15552220002"))
    ]
    value = {
        "messaging_product": "whatsapp", "metadata": {"display_phone_number": "15550001111", "phone_number_id": "1"},
        "contacts": [contact | {"profile": {"name": "Ana"}}], "messages": messages,
    }  # fmt: skip
    body = {
        "object": "whatsapp_business_account",
        "entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}],
    }
    request = Request("POST", "https://h.example.com/", {}, json.dumps(body).encode(), NOW, "whatsapp_cloud")
    for event in interpret(request, "whatsapp_cloud").events:
        stated = handles[event.provider_message_id or ""]
        assert [one["value"] for one in event.payload.get("handles", [])] == (stated or [])
        assert event.payload.get("displayName") == ("Ana" if stated else None)
