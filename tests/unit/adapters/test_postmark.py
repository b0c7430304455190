"""Postmark: the ways to know who posts, what it is asked to send, and how it says no."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters import postmark
from adapters.contract import InvalidSignature, Media, Message, Request, Response, Template, Unsendable
from adapters.postmark.send import build_batch, build_request, read_batch, read_response
from schemas.events import Handle

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SENDING = {"server_token": ("token",), "sender": ("shop@example.com",)}


def request(**headers: str) -> Request:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("POST", "https://hooks.example.com/?key=url-secret", names, b"{}", AT, "postmark")


@pytest.mark.parametrize(
    ("values", "headers"),
    [
        ({"webhook_header": ("X-Hook: one",)}, {"x_hook": "one"}),
        ({"webhook_header": ("Authorization: Bearer one",)}, {"authorization": "Bearer one"}),
        ({"webhook_header": ("X-Hook: old", "X-Hook: one")}, {"x_hook": "one"}),
        ({"webhook_header": ("X-Hook: other",), "url_secret": ("url-secret",)}, {}),
        (
            {"basic_auth": ("user:password",), "webhook_header": ("X-Hook: other",)},
            {"authorization": "Basic dXNlcjpwYXNzd29yZA=="},
        ),
    ],
)
def test_any_of_the_secrets_in_its_url_is_enough(values: dict[str, tuple[str, ...]], headers: dict[str, str]) -> None:
    """A header, basic authentication, or the secret in the URL."""
    assert postmark.verify(request(**headers), values) is True


@pytest.mark.parametrize("header", ["X-Hook: one", "X-Hook", "X-Hook:", ": one"])
def test_a_header_that_is_missing_or_ill_configured_is_refused(header: str) -> None:
    """No setting lets everything pass by mistake."""
    for came in ({}, {"x_hook": ""}, {"x_hook": "two"}):
        with pytest.raises(InvalidSignature):
            postmark.verify(request(**came), {"webhook_header": (header,)})
    assert postmark.verify(request(), {}) is None


@pytest.mark.parametrize(("name", "key"), [("4711", "TemplateId"), ("order-shipped", "TemplateAlias")])
def test_a_template_is_named_by_its_number_or_alias(name: str, key: str) -> None:
    """And filled with its variables; the stream and the reply address are the source's."""
    message = Message("m-1", "email", Handle("email", "ana@example.com"), template=Template(name, None, {"n": "1"}))
    values = SENDING | {"message_stream": ("broadcast",), "reply_to": ("help@example.com",)}
    call = build_request(message, values, AT)
    body = orjson.loads(call.body)
    assert call.url.endswith("/email/withTemplate") and str(body[key]) == name
    assert (body["TemplateModel"], body["MessageStream"], body["ReplyTo"]) == (
        {"n": "1"},
        "broadcast",
        "help@example.com",
    )


def test_a_reference_that_metadata_cannot_hold_is_left_out() -> None:
    """Postmark refuses longer values; the message is known by Postmark's own id all the same."""
    message = Message("m-1", "email", Handle("email", "ana@example.com"), text="x", reference="r" * 81)
    assert orjson.loads(build_request(message, SENDING, AT).body)["Metadata"] == {
        "threadline_id": "tl_cebadbb4_m-1",
    }


@pytest.mark.parametrize("more", [{}, {"text": "x", "media": (Media("https://example.com/a.png"),)}])
def test_what_it_cannot_send_is_refused_with_a_reason(more: dict[str, Any]) -> None:
    """Nothing to say, or a file by its address."""
    with pytest.raises(Unsendable):
        build_request(Message("m-1", "email", Handle("email", "ana@example.com"), **more), SENDING, AT)


@pytest.mark.parametrize(
    ("status", "code", "words", "state", "reason"),
    [
        (422, 406, "You tried to send to recipient(s) that have been marked as inactive.", "rejected", "opted_out"),
        (422, 300, "Invalid 'To' address: 'ana'.", "rejected", "invalid_address"),
        (422, 300, "Zero recipients specified", "rejected", "content"),
        (422, 412, "Your account is pending approval.", "account", "account"),
        (200, 406, "Inactive", "rejected", "opted_out"),
        (422, 100, "Maintenance", "retryable", "unknown"),
        (429, 429, "Rate limit exceeded", "retryable", "rate"),
        (401, 10, "No account", "account", "account"),
    ],
)
def test_its_error_codes_are_read(status: int, code: int, words: str, state: str, reason: str) -> None:
    """…/developer/api/overview#error-codes; in an answer of 200 too."""
    outcome = read_response(Response(status, {}, orjson.dumps({"ErrorCode": code, "Message": words})))
    assert outcome.error is not None
    assert (outcome.state, outcome.error.reason, outcome.error.code) == (state, reason, str(code))


def test_a_batch_of_templates_goes_where_templates_go() -> None:
    """In an object, while other messages are a list; each URL has its own, wherever the API is."""
    mail = Message("m-1", "email", Handle("email", "ana@example.com"), text="x")
    templated = replace(mail, text=None, template=Template("4711"))
    values = SENDING | {"api_url": ("https://proxy.example.com/email/",)}
    for message, path in ((mail, "batch"), (templated, "batchWithTemplates")):
        calls = [build_request(replace(message, message_id=f"m-{n}"), values, AT) for n in range(2)]
        call = build_batch(calls)
        body = orjson.loads(call.body)
        assert call.url == f"https://proxy.example.com/email/email/{path}" and call.headers == calls[0].headers
        assert (body["Messages"] if message is templated else body) == [orjson.loads(each.body) for each in calls]


def test_a_message_of_a_batch_has_its_own_error() -> None:
    """In an answer of 200: what may pass later is tried again, the others are not."""
    reported = [
        {"ErrorCode": 0, "MessageID": "p-1"},
        *({"ErrorCode": code, "Message": "no"} for code in (406, 100, 429)),
    ]
    outcomes = read_batch(Response(200, {}, orjson.dumps(reported)), 4)
    assert [outcome.state for outcome in outcomes] == ["accepted", "rejected", "retryable", "retryable"]
    assert [outcome.error.reason for outcome in outcomes if outcome.error] == ["opted_out", "unknown", "rate"]
