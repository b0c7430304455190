"""What is particular to Customer.io: whose word an opt-out is, and on what; a push to several devices; replies."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters import customerio
from adapters.contract import Request
from schemas.events import Event, Handle

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ANA = {"identifiers": {"id": "42", "email": "ana@example.com", "cio_id": "d9c1"}}
OF_ANA = Handle("user_id", "42")
MAIL = Handle("email", "ana@example.com")
PREFERENCES = "cio_subscription_preferences_changed"


def events_of(object_type: str | None, metric: str, data: dict[str, Any], **more: Any) -> list[Event]:
    body = {"event_id": "e-1", "metric": metric, "timestamp": 1772443770, "data": data} | more
    if object_type is not None:
        body["object_type"] = object_type
    request = Request("POST", "https://hooks.example.com/", {}, orjson.dumps(body), NOW, "customerio")
    return customerio.normalize(request).events


@pytest.mark.parametrize("metric", ["subscribed", "unsubscribed"])
@pytest.mark.parametrize(
    "object_type", ["customer", "email", "sms", "push", "in_app", "slack", "webhook", "whatsapp", "line"]
)
def test_a_person_opts_out_of_all_channels_by_any(object_type: str, metric: str) -> None:
    """`object_type` is the channel that triggered the change, and there is no delivery."""
    (event,) = events_of(object_type, metric, ANA)
    expected = "RecipientSubscribed" if metric == "subscribed" else "RecipientUnsubscribed"
    assert (event.type, event.handle, event.channel) == (expected, OF_ANA, None)
    assert (event.source_event_id, event.payload["providerStatus"]) == ("e-1", f"{object_type}.{metric}")


def test_the_opt_out_of_a_delivery_is_its_recipients() -> None:
    (event,) = events_of("email", "unsubscribed", ANA | {"delivery_id": "d-1", "recipient": "ana@example.com"})
    assert (event.type, event.channel, event.handle, event.provider_message_id) == (
        "RecipientUnsubscribed", "email", MAIL, "d-1",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("object_type", "more"), [("email", {}), ("webhook", {}), (None, {"object_type_type": "email"}), (None, {})]
)
def test_topics_are_read_whatever_triggered_the_choice(object_type: str | None, more: dict[str, Any]) -> None:
    """The documentation calls the trigger `object_type_type` here."""
    (event,) = events_of(object_type, PREFERENCES, ANA | {"content": '{"topics":{"topic_1":false}}'}, **more)
    assert (event.type, event.payload["list"], event.handle) == ("RecipientUnsubscribed", "topic_1", OF_ANA)


def test_a_channel_is_refused_without_a_list() -> None:
    """An opt-out of a channel counts here, one of a list at the provider alone. `in_app` is not the channel push."""
    content = '{"topics":{"topic_1":true},"channels":{"email":false,"sms":false,"push":true,"in_app":false}}'
    events = events_of("customer", PREFERENCES, ANA | {"content": content})
    assert [(event.type, event.channel, event.handle, event.payload.get("list")) for event in events] == [
        ("RecipientSubscribed", None, OF_ANA, "topic_1"),
        ("RecipientUnsubscribed", "email", MAIL, None),
        ("RecipientUnsubscribed", "sms", OF_ANA, None),
        ("RecipientSubscribed", "push", OF_ANA, None),
    ]
    assert len({event.source_event_id for event in events}) == 4
    assert events[0].payload["native"]["content"] == {"channels": {"in_app": "false"}}
    assert all("native" not in event.payload for event in events[1:])


@pytest.mark.parametrize(
    "content", [{}, {"content": "{"}, {"content": "{}"}, {"content": '{"channels":{"in_app":false}}'}]
)
def test_a_choice_that_cannot_be_read_is_kept_with_its_person(content: dict[str, Any]) -> None:
    """Without Body Content the webhook has none."""
    (event,) = events_of("customer", PREFERENCES, ANA | content)
    assert (event.type, event.handle) == ("ProviderEventReceived", OF_ANA)
    assert event.payload["native"]["data"] == ANA | content


def test_a_mail_is_one_persons_before_and_after_it_is_sent() -> None:
    """`attempted` and `failed` have no recipient."""
    data = ANA | {"delivery_id": "d-1"}
    (tried,) = events_of("email", "attempted", data | {"failure_message": "timeout"})
    (sent,) = events_of("email", "sent", data | {"recipient": "ana@example.com"})
    assert (tried.handle, tried.provider_message_id) == (sent.handle, sent.provider_message_id) == (MAIL, "d-1")


def test_a_push_is_sent_and_failed_by_device() -> None:
    devices = [{"device_id": "a", "device_platform": "ios"}, {"device_id": "b", "failure_message": "Unregistered"}]
    events = events_of("push", "sent", ANA | {"delivery_id": "d-1", "campaign_id": 23, "recipients": devices})
    assert [(event.type, event.handle) for event in events] == [
        ("UserMessageSent", Handle("device_token", "a")),
        ("MessageFailed", Handle("device_token", "b")),
    ]
    assert events[0].error is None
    assert events[1].error is not None and events[1].error.text == "Unregistered"
    assert [event.payload.get("native", {}).get("campaign_id") for event in events] == [23, None]


@pytest.mark.parametrize("channel", ["sms", "whatsapp"])
def test_a_reply_is_an_inbound_message(channel: str) -> None:
    """`recipient` is the person, `to` the number that was written to."""
    data = ANA | {"delivery_id": "d-1", "inbound_event_id": "in-1", "to": "+15550001111", "recipient": "+15551234567"}
    (event,) = events_of(channel, "replied", data)
    assert (event.type, event.direction, event.channel) == ("MessageReceived", "inbound", channel)
    assert (event.handle, event.provider_message_id) == (Handle("phone", "+15551234567"), "in-1")
    assert (event.payload["from"], event.payload["to"]) == ("+15551234567", "+15550001111")
    assert event.payload["inReplyTo"] == "d-1" and "content" not in event.payload


@pytest.mark.parametrize(("channel", "type_"), [("whatsapp", "MessageRead"), ("push", "MessageOpened")])
def test_whatsapps_opened_is_read(channel: str, type_: str) -> None:
    (event,) = events_of(channel, "opened", ANA | {"delivery_id": "d-1", "recipient": "+15551234567"})
    assert event.type == type_


def test_customer_ios_own_id_is_no_id_of_the_operators() -> None:
    """The deprecated `customer_id` counts only without `identifiers`."""
    own = {"customer_id": "d9c1", "identifiers": {"id": None, "email": "ana@example.com", "cio_id": "d9c1"}}
    assert [events_of("customer", "unsubscribed", data)[0].handle for data in (own, {"customer_id": "42"})] == [
        MAIL, OF_ANA,
    ]  # fmt: skip


@pytest.mark.parametrize(("metric", "mark"), [("opened", "prefetched"), ("clicked", "machine")])
def test_a_machine_is_marked(metric: str, mark: str) -> None:
    data = ANA | {"delivery_id": "d-1", "recipient": "ana@example.com"}
    (event,) = events_of("email", metric, data | {mark: True})
    (person,) = events_of("email", metric, data | {mark: False})
    assert event.payload["machineOpen"] is True and "machineOpen" not in person.payload


@pytest.mark.parametrize(
    ("channel", "key"), [("email", "html"), ("sms", "text"), ("whatsapp", "text"), ("slack", "text")]
)
def test_what_was_sent_is_in_content(channel: str, key: str) -> None:
    """And headers beside it, which no field holds."""
    data = ANA | {"delivery_id": "d-1", "content": "Hello, Ana", "headers": {"X-A": ["b"]}}
    (event,) = events_of(channel, "sent", data)
    assert event.payload["content"] == {key: "Hello, Ana"}
    assert event.payload["native"]["headers"] == {"X-A": ["b"]}


def test_the_button_of_an_in_app_message_is_the_action() -> None:
    (event,) = events_of("in_app", "clicked", ANA | {"delivery_id": "d-1", "tracked_response": "buy"})
    assert (event.type, event.payload["action"]) == ("MessageClicked", "buy")
