"""One id of a message to several: with each recipient it is a message of its own, whatever provider reports it."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from adapters import interpret
from adapters.contract import Request
from schemas.events import Event, Handle

AT = datetime(2026, 11, 28, 12, tzinfo=UTC)
ONE, OTHER = "15551234567", "15557654321"
GROUP = {"recipient_id": "GROUP", "recipient_type": "group"}


def events_of(provider: str, body: Any) -> list[Event]:
    url = f"https://hooks.example.com/webhooks/aggregate/{provider}"
    request = Request("POST", url, {"content-type": "application/json"}, orjson.dumps(body), AT, provider)
    found = interpret(request, provider)
    assert not found.unprocessable
    return found.events


def whatsapp(provider: str, **status: Any) -> Event:
    """The event of one status of WhatsApp, in the provider's envelope."""
    item = {"id": "wamid.1", "status": "delivered", "timestamp": "1796000000"} | status
    value = {"metadata": {"display_phone_number": "15550001111", "phone_number_id": "1"}, "statuses": [item]}
    change = {"field": "messages", "value": value}
    bodies: dict[str, Any] = {
        "whatsapp_cloud": {"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]},
        "gupshup": {"gs_app_id": "a", "object": "x", "entry": [{"id": "1", "changes": [change]}]},
        "turn_whatsapp": {"statuses": [item]},
        "kaleyra": {"message_id": "k1", "meta_object": change},
    }
    (event,) = events_of(provider, bodies[provider])
    return event


@pytest.mark.parametrize("provider", ["whatsapp_cloud", "gupshup", "turn_whatsapp", "kaleyra"])
def test_a_participant_of_a_group_has_a_message_of_its_own(provider: str) -> None:
    """https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/group"""
    events = [whatsapp(provider, **GROUP, recipient_participant_id=number) for number in (ONE, OTHER)]
    assert [event.handle for event in events] == [Handle("phone", f"+{number}") for number in (ONE, OTHER)]
    assert [event.per_recipient for event in events] == [True, True]
    assert len({event.provider_message_id for event in events}) == 1
    assert whatsapp(provider, **GROUP, status="sent").per_recipient is False
    assert whatsapp(provider, recipient_id=ONE).per_recipient is False
