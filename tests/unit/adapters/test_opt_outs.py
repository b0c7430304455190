"""An opt-out from all mail that names a list besides is one from all mail: an event with `list` is of the list alone."""

import json
from datetime import timedelta
from typing import Any

import pytest

from adapters import interpret
from adapters.contract import Request
from schemas.events import Event, Handle
from tests.fixtures import FOLDER
from tests.unit.adapters.test_adapters import request_of

ANA = Handle("email", "ana@example.com")


def changed(provider: str, fixture: str, **fields: Any) -> list[Event]:
    """The events of a fixture whose body has other fields."""
    request = request_of(provider, FOLDER / provider / f"{fixture}.http")
    request.body = json.dumps(json.loads(request.body) | fields).encode()
    return interpret(request, provider).events


def consents(events: list[Event]) -> list[tuple[str, Handle | None, Any]]:
    return [
        (event.type, event.handle, event.payload.get("list") or event.payload.get("unsubscribeGroup"))
        for event in events
        if event.type.startswith("Recipient")
    ]


OUT = ("RecipientUnsubscribed", ANA, None)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"mj_list_id": 1}, [OUT, ("RecipientUnsubscribed", ANA, "1")]),
        ({"mj_list_id": 0}, [OUT]),
        ({"mj_list_id": None}, [OUT]),
    ],
)
def test_mailjet(fields: dict[str, Any], found: list[Any]) -> None:
    """https://dev.mailjet.com/email/guides/webhooks/#unsub-event"""
    events = changed("mailjet", "unsub", **fields)
    assert consents(events) == found
    assert len({event.source_event_id for event in events}) == len(events)


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"SuppressionReason": "SpamComplaint"}, [OUT]),
        ({"SuppressionReason": "SpamComplaint", "MessageStream": "outbound"}, [OUT]),
        ({"SuppressionReason": "ManualSuppression"}, [("RecipientUnsubscribed", ANA, "broadcast")]),
        ({"SuppressionReason": "ManualSuppression", "MessageStream": "outbound"}, [OUT]),
        (
            {"SuppressionReason": "ManualSuppression", "MessageStream": "outbound", "Origin": "Customer"},
            [("RecipientUnsubscribed", ANA, "outbound")],
        ),
        ({"SuppressionReason": "HardBounce", "MessageStream": "outbound"}, []),
        ({"SuppressSending": False, "SuppressionReason": None}, [("RecipientSubscribed", ANA, "broadcast")]),
    ],
)
def test_postmark(fields: dict[str, Any], found: list[Any]) -> None:
    """https://postmarkapp.com/developer/webhooks/subscription-change-webhook"""
    assert consents(changed("postmark", "subscription_unsubscribed", **fields)) == found


def test_amazon_ses() -> None:
    """`unsubscribeAll`: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html"""
    request = request_of("amazon_ses", FOLDER / "amazon_ses" / "subscription_all.http")
    assert consents(interpret(request, "amazon_ses").events) == [OUT]


@pytest.mark.parametrize(
    ("word", "found"),
    [("unsubscribe", [OUT]), ("group_unsubscribe", [("RecipientUnsubscribed", ANA, "10")])],
)
def test_sendgrid(word: str, found: list[Any]) -> None:
    """Every event of a mail with a group has `asm_group_id`:
    https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event"""
    item = {"email": ANA.value, "event": word, "sg_event_id": "e1", "sg_message_id": "m1", "asm_group_id": 10}
    request = request_of("sendgrid", FOLDER / "sendgrid" / "engagement.http")
    request = Request("POST", request.url, {}, json.dumps([item]).encode(), request.received_at, "sendgrid")
    assert consents(interpret(request, "sendgrid").events) == found


def test_africastalking() -> None:
    """An opt-out has neither an id nor a time: one after an opt-in is another one, one within the hour the same; an opt-in
    that is posted again hours later, after an opt-out, undoes nothing."""

    def asked(word: str, hours: float) -> str | None:
        request = request_of("africastalking", FOLDER / "africastalking" / f"subscription_{word}.http")
        request.received_at += timedelta(hours=hours)
        return interpret(request, "africastalking").events[0].source_event_id

    out, again, out_later = asked("deletion", 0), asked("deletion", 0.4), asked("deletion", 2)
    assert out == again != out_later
    assert asked("addition", 1) == asked("addition", 3) != asked("addition", 25)
