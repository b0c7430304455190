"""Intercom: what a visitor says of himself is not taken for a fact, and its signature is not Meta's."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from adapters import intercom, interpret
from adapters.contract import InvalidSignature, Request
from adapters.intercom.content import content_of, customer_of
from schemas.events import Event, Handle
from tests.fixtures import accounts


@pytest.mark.parametrize(
    ("person", "first", "others"),
    [
        ({"type": "user", "id": "1", "email": "ana@example.com"}, "intercom:1", ["ana@example.com"]),
        ({"type": "lead", "id": "1", "email": "ana@example.com", "phone": "+15551234567"}, "intercom:1", []),
        ({"type": "contact", "role": "user", "id": "1", "phone": "+15551234567"}, "intercom:1", ["+15551234567"]),
    ],
)
def test_a_leads_addresses_are_not_linked(person: dict[str, Any], first: str, others: list[str]) -> None:
    """Anyone can type another's address into the messenger; of a user the workspace knows it."""
    found, beside = customer_of(person, "chat")
    assert found == Handle("chat_id", first) and [one["value"] for one in beside] == others


def test_text_is_the_body_without_tags() -> None:
    """Line ends where the page has them, entities read, no matter how broken the HTML is."""
    assert content_of({"body": "<p>a&lt;b</p><p>c<br/>d</p><<x"})["text"] == "a<b\nc\nd\n<<x"


def test_a_signature_of_another_kind_is_refused() -> None:
    """SHA-256 in its place, or a bare header, is none."""
    for given in ("sha256=00", "sha1=", "x"):
        request = Request(
            "POST", "https://hooks.example.com/", {"x-hub-signature": given}, b"{}", datetime.now(UTC), "intercom"
        )
        with pytest.raises(InvalidSignature):
            intercom.verify(request, accounts("intercom").values)


def test_a_body_without_tags_of_html_is_plain_text() -> None:
    """Since 2.15 a body may be plain: what looks like a tag or an entity in it was typed."""
    typed = "Replace <name> by &amp; if a < b and c > d"
    assert content_of({"body": typed}) == {"text": typed}
    assert content_of({"body": "<p>a</p>"}) == {"html": "<p>a</p>", "text": "a"}


def notified(topic: str, item: dict[str, Any]) -> list[Event]:
    body = {"type": "notification_event", "app_id": "a", "id": "notif_1", "topic": topic, "data": {"item": item}}
    at = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
    return interpret(
        Request("POST", "https://hooks.example.com/", {}, json.dumps(body).encode(), at, "intercom"), "intercom"
    ).events


def conversation(*parts: dict[str, Any]) -> dict[str, Any]:
    listed = [
        {"id": str(at), "body": "<p>x</p>", "author": {"type": "admin"}} | part for at, part in enumerate(parts, 1)
    ]
    contacts = {"contacts": [{"type": "contact", "id": "c"}]}
    return {
        "type": "conversation",
        "id": "7",
        "contacts": contacts,
        "conversation_parts": {"conversation_parts": listed},
    }


def test_notes_and_assignments_are_no_messages() -> None:
    """The comment beside them is one; without one, the notification is a change of state of the contact's conversation."""
    note = {"part_type": "note"}
    moved: dict[str, Any] = {"part_type": "assignment", "body": None, "attachments": []}
    events = notified("conversation.admin.replied", conversation(note, moved, {"part_type": "comment"}))
    assert [(event.type, event.provider_message_id) for event in events] == [("UserMessageSent", "7:3")]
    (event,) = notified("conversation.admin.replied", conversation(note, moved))
    assert (event.type, event.handle) == ("ProviderEventReceived", Handle("chat_id", "intercom:c"))


@pytest.mark.parametrize("author", ["admin", "bot", "team"])
def test_what_the_workspace_writes_is_never_a_contacts(author: str) -> None:
    """Whatever the topic: it would make teammates customers."""
    (event,) = notified("conversation.user.replied", conversation({"author": {"type": author, "id": "25"}}))
    assert (event.type, event.direction) == ("UserMessageSent", "outbound")
    assert event.handle == Handle("chat_id", "intercom:c")


@pytest.mark.parametrize("type_", [["user"], {"a": 1}, 7, None])
def test_a_type_that_is_no_text_is_read(type_: Any) -> None:
    """As one that is not given: the topic then says whose message it is."""
    (event,) = notified("conversation.user.replied", conversation({"author": {"type": type_, "id": "c"}}))
    assert event.type == "MessageReceived"


def test_a_subscription_type_that_is_not_named_opts_out_and_never_in() -> None:
    """An opt-out of unknown extent is one from all mail; an opt-in of unknown extent is none."""
    item = {"contact": {"type": "contact", "id": "c", "email": "ana@example.com"}}
    (out,) = notified("granular.unsubscribe", item)
    assert (out.type, out.handle, out.payload.get("list")) == (
        "RecipientUnsubscribed",
        Handle("email", "ana@example.com"),
        None,
    )
    assert [event.type for event in notified("granular.subscribe", item)] == ["ProviderEventReceived"]


def test_each_subscription_type_and_channel_is_a_consent_of_its_own() -> None:
    """With different ids, in whichever of its two forms the notification names them."""
    contact = {"type": "contact", "id": "c", "role": "user", "email": "ana@example.com", "phone": "+15551234567"}
    types = [{"id": "1", "content_types": ["email", "sms_message"]}, {"id": 2, "content_types": ["push"]}]
    events = notified("granular.unsubscribe", {"contact": contact, "subscription_types": {"data": types}})
    stated = [(event.payload["list"], event.channel, event.handle and event.handle.value) for event in events]
    assert stated == [
        ("1", "email", "ana@example.com"),
        ("1", "sms", "+15551234567"),
        ("2", "email", "ana@example.com"),
    ]
    assert len({event.source_event_id for event in events}) == 3
    (one,) = notified("contact.unsubscribed", {"contact": contact, "subscription_types": {"data": types}})
    assert "list" not in one.payload and one.payload["native"]["subscription_types"]["data"]
