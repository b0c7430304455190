"""What is particular to OneSignal: whom a push is for, repeats, 200 that sent nothing, ids of what went to many."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from adapters import onesignal
from adapters.contract import Media, Message, Request, Response, Template, Unsendable
from adapters.onesignal.send import build_request, read_response
from schemas.events import Event, Handle

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
VALUES = {"api_key": ("key",), "app_id": ("app",)}
ANA = Handle("user_id", "ana")


def made(message_id: str = "m-1", **more: Any) -> dict[str, Any]:
    call = build_request(Message(message_id, "push", more.pop("to", ANA), **more), VALUES, NOW)
    found: dict[str, Any] = orjson.loads(call.body)
    return found


def test_a_push_is_for_a_user_or_for_one_subscription() -> None:
    """By our own user id as the external id, or by the subscription's id; never both."""
    body = made(text="Hi", subject="Shop", data={"order": 1}, expires_at=NOW + timedelta(minutes=5))
    assert body["include_aliases"] == {"external_id": ["ana"]} and "include_subscription_ids" not in body
    assert (body["contents"], body["headings"]) == ({"en": "Hi"}, {"en": "Shop"})
    assert body["data"] == {"order": 1, "threadline_message_id": "tl_cebadbb4_m-1"} and body["ttl"] == 300
    assert made(text="Hi", to=Handle("device_token", "s-1"))["include_subscription_ids"] == ["s-1"]


def test_a_template_has_its_variables() -> None:
    """In place of text."""
    body = made(template=Template("t-1", None, {"name": "Ana"}))
    assert (body["template_id"], body["custom_data"]) == ("t-1", {"name": "Ana"}) and "contents" not in body


def test_a_repeat_has_the_same_key() -> None:
    """Our message's id alone decides it."""
    assert made(text="Hi")["idempotency_key"] == made(text="Hi")["idempotency_key"]
    assert made(text="Hi")["idempotency_key"] != made("m-2", text="Hi")["idempotency_key"]


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"text": "Hi", "to": Handle("phone", "+15551234567")},
        {"text": "Hi", "media": (Media("https://example.com/a.jpg"), Media("https://example.com/b.jpg"))},
    ],
)
def test_what_onesignal_has_no_place_for_is_not_sent(more: dict[str, Any]) -> None:
    """With what to change."""
    with pytest.raises(Unsendable):
        made(**more)


@pytest.mark.parametrize(
    ("status", "body", "state", "reason"),
    [
        (200, {"id": "n-1"}, "accepted", None),
        (200, {"id": "n-1", "errors": {"invalid_aliases": {"external_id": ["x"]}}}, "accepted", None),
        (200, {"id": "", "errors": ["All included players are not subscribed"]}, "rejected", "opted_out"),
        (200, {"id": "", "errors": {"invalid_player_ids": ["s-1"]}}, "rejected", "invalid_address"),
        (400, {"errors": ["Message Notifications must have English language content"]}, "rejected", "unknown"),
        (429, {"errors": ["API rate limit exceeded"]}, "retryable", "rate"),
    ],
)
def test_200_may_have_sent_nothing(status: int, body: Any, state: str, reason: str | None) -> None:
    """An empty id says so, whatever the status."""
    outcome = read_response(Response(status, {}, orjson.dumps(body)))
    assert (outcome.state, outcome.error.reason if outcome.error else None) == (state, reason)
    assert outcome.provider_message_id == ("n-1" if state == "accepted" else None)


def test_two_people_of_one_message_are_two_messages() -> None:
    """What was not sent by us may have gone to many: the subscription is part of the id then."""

    def id_of(subscription: str, name: str) -> str | None:
        body = {"event.kind": "message.push.sent", "event.id": subscription, "event.subscription_id": subscription}
        body |= {"message.id": "n-1", "message.name": name}
        request = Request("POST", "https://hooks.example.com/", {}, orjson.dumps(body), NOW, "onesignal")
        return onesignal.normalize(request).events[0].provider_message_id

    assert id_of("s-1", "weekly") == "n-1:s-1" != id_of("s-2", "weekly")
    assert id_of("s-1", "threadline:tl_e0b37fef_order-1") == "n-1"
    # A copy that the dashboard made, and a name that anybody wrote.
    assert id_of("s-1", "threadline:tl_e0b37fef_order-1 (copy)") == "n-1:s-1"
    assert id_of("s-1", "threadline:order-1") == "n-1:s-1"


def test_two_people_of_one_mail_without_a_subscription_are_two_messages() -> None:
    def event_of(address: str) -> Event:
        body = {"event.kind": "message.email.sent", "event.id": address, "message.id": "n-1", "message.name": "News"}
        body |= {"user.subscription.subscription_token": address}
        request = Request("POST", "https://hooks.example.com/", {}, orjson.dumps(body), NOW, "onesignal")
        return onesignal.normalize(request).events[0]

    events = [event_of(address) for address in ("ana@example.com", "ben@example.com")]
    assert [(event.provider_message_id, event.per_recipient) for event in events] == [("n-1", True)] * 2
    assert [event.handle for event in events] == [
        Handle("email", "ana@example.com"),
        Handle("email", "ben@example.com"),
    ]


def event_of(body: dict[str, Any]) -> Event:
    request = Request("POST", "https://hooks.example.com/", {}, orjson.dumps(body), NOW, "onesignal")
    return onesignal.normalize(request).events[0]


def test_a_device_without_pushes_leaves_the_persons_others_be() -> None:
    """An app that was uninstalled opts out its subscription alone; without one, nobody."""
    body = {"event.kind": "message.push.unsubscribed", "event.id": "e-1", "event.external_id": "ana"}
    event = event_of(body | {"event.subscription_id": "s-1", "message.id": "n-1"})
    assert (event.type, event.handle) == ("RecipientUnsubscribed", Handle("device_token", "s-1"))
    assert "handles" not in event.payload and event.payload["native"]["event.external_id"] == "ana"
    unknown = event_of(body | {"event.subscription_id": "", "message.id": "n-1", "message.name": "News"})
    assert (unknown.type, unknown.handle, unknown.provider_message_id) == ("ProviderEventReceived", None, None)


def test_an_sms_is_unsubscribed_by_its_number() -> None:
    body = {"event.kind": "message.sms.unsubscribed", "event.id": "e-1"}
    event = event_of(body | {"user.subscription.subscription_token": "+15551234567", "event.external_id": "ana"})
    assert (event.type, event.channel, event.handle) == (
        "RecipientUnsubscribed",
        "sms",
        Handle("phone", "+15551234567"),
    )


def test_a_web_push_of_anybody_is_no_message() -> None:
    """Without `cors: true` the body has no subscription: all people's clicks would be one message."""
    body = {"event": "notification.clicked", "notificationId": "n-1", "url": "https://example.com/"}
    event = event_of(body)
    assert (event.type, event.provider_message_id, event.handle) == ("ProviderEventReceived", None, None)
    assert event.payload["native"]["notificationId"] == "n-1"
    named = event_of(body | {"subscriptionId": "s-1"})
    assert (named.type, named.provider_message_id) == ("MessageClicked", "n-1:s-1")
    ours = event_of(body | {"additionalData": {"threadline_message_id": "tl_cebadbb4_m-1"}})
    assert (ours.type, ours.provider_message_id, ours.echoed_message_id) == ("MessageClicked", "n-1", "m-1")
