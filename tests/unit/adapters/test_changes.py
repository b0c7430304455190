"""Edits and deletions are about the message that they change: the id and the customer are those of its first event."""

import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from adapters import interpret
from adapters.contract import Request
from schemas.events import Event

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
FORM = {"content-type": "application/x-www-form-urlencoded"}


def read(provider: str, body: dict[str, Any]) -> Event:
    form = provider == "twilio"
    raw = urlencode(body).encode() if form else json.dumps(body).encode()
    request = Request("POST", "https://hooks.example.com/", FORM if form else {}, raw, AT, provider)
    (event,) = interpret(request, provider).events
    return event


def whatsapp(kind: str, id_: str, part: dict[str, Any]) -> dict[str, Any]:
    message = {"from": "15551234567", "id": id_, "timestamp": "1772443770", "type": kind, kind: part}
    value = {"messaging_product": "whatsapp", "messages": [message]}
    return {"entry": [{"id": "1", "changes": [{"field": "messages", "value": value}]}]}


def turn(kind: str, id_: str, part: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = whatsapp(kind, id_, part)["entry"][0]["changes"][0]["value"]
    return found


def gupshup(kind: str, id_: str, part: dict[str, Any]) -> dict[str, Any]:
    return whatsapp(kind, id_, part) | {"gs_app_id": "a"}


def kaleyra(kind: str, id_: str, part: dict[str, Any]) -> dict[str, Any]:
    return {"meta_object": {"field": "messages", "value": turn(kind, id_, part)}}


def meta(**item: Any) -> dict[str, Any]:
    frame = {"sender": {"id": "52785"}, "recipient": {"id": "19063"}, "timestamp": 1772443770123}
    return {"object": "page", "entry": [{"id": "19063", "messaging": [frame | item]}]}


def slack(**event: Any) -> dict[str, Any]:
    frame = {"type": "message", "channel": "D1", "channel_type": "im", "event_ts": "1772443790.000100"}
    return {"type": "event_callback", "team_id": "T1", "event_id": f"Ev{len(str(event))}", "event": frame | event}


def telegram(kind: str, **more: Any) -> dict[str, Any]:
    message = {"message_id": 7, "chat": {"id": 1, "type": "private"}, "date": 1772443770, "business_connection_id": "B"}
    return {"update_id": 1, kind: message | {"from": {"id": 1}} | more}


def twilio(word: str, **more: Any) -> dict[str, Any]:
    return {
        "EventType": word,
        "MessageSid": "IM1",
        "ConversationSid": "CH1",
        "Source": "SMS",
        "Author": "+15551234567",
    } | more


def line(**event: Any) -> dict[str, Any]:
    frame = {"timestamp": 1772443770123, "source": {"type": "user", "userId": "U1"}, "webhookEventId": str(len(event))}
    return {"destination": "U0", "events": [frame | event]}


def zenvia(**body: Any) -> dict[str, Any]:
    return {
        "id": str(len(str(body))),
        "channel": "whatsapp",
        "subscriptionId": "s",
        "timestamp": "2026-03-02T09:29:30Z",
    } | body


EDITED = {"original_message_id": "wamid.1", "message": {"type": "text", "text": {"body": "b"}}}
SAID = {"user": "U1", "text": "a", "ts": "1772443770.000100"}
FIRST: dict[str, dict[str, Any]] = {
    "whatsapp_cloud": whatsapp("text", "wamid.1", {"body": "a"}),
    "turn_whatsapp": turn("text", "wamid.1", {"body": "a"}),
    "gupshup": gupshup("text", "wamid.1", {"body": "a"}),
    "kaleyra": kaleyra("text", "wamid.1", {"body": "a"}),
    "facebook_messenger": meta(message={"mid": "m_1", "text": "a"}),
    "instagram": meta(message={"mid": "m_1", "text": "a"}),
    "slack": slack(**SAID),
    "telegram": telegram("business_message", text="a"),
    "twilio": twilio("onMessageAdded", Body="a"),
    "line": line(type="message", message={"id": "1", "type": "text", "text": "a"}),
    "zenvia": zenvia(
        type="MESSAGE",
        message={
            "id": "z1",
            "from": "15551234567",
            "to": "1",
            "direction": "IN",
            "contents": [{"type": "text", "text": "a"}],
        },
    ),
}
EDITS: dict[str, dict[str, Any]] = {
    "whatsapp_cloud": whatsapp("edit", "wamid.2", EDITED),
    "turn_whatsapp": turn("edit", "wamid.2", EDITED),
    "gupshup": gupshup("edit", "wamid.2", EDITED),
    "kaleyra": kaleyra("edit", "wamid.2", EDITED),
    "facebook_messenger": meta(message_edit={"mid": "m_1", "text": "b", "num_edit": 1}),
    "instagram": meta(message_edit={"mid": "m_1", "text": "b", "num_edit": 1}),
    "slack": slack(
        subtype="message_changed",
        message=SAID | {"text": "b", "edited": {"user": "U1", "ts": "1772443790.000000"}},
        previous_message=SAID,
    ),
    "telegram": telegram("edited_business_message", text="b", edit_date=1772443790),
    "twilio": twilio("onMessageUpdated", Body="b"),
}
GONE = {"original_message_id": "wamid.1"}
DELETIONS: dict[str, dict[str, Any]] = {
    "whatsapp_cloud": whatsapp("revoke", "wamid.3", GONE),
    "turn_whatsapp": turn("revoke", "wamid.3", GONE),
    "gupshup": gupshup("revoke", "wamid.3", GONE),
    "kaleyra": kaleyra("revoke", "wamid.3", GONE),
    "facebook_messenger": meta(message={"mid": "m_1", "is_deleted": True}),
    "instagram": meta(message={"mid": "m_1", "is_deleted": True}),
    "slack": slack(subtype="message_deleted", deleted_ts=SAID["ts"], previous_message=SAID),
    "telegram": telegram("deleted_business_messages", message_ids=[7]),
    "twilio": twilio("onMessageRemoved", Body="a"),
    "line": line(type="unsend", unsend={"messageId": "1"}, mode="active"),
}


@pytest.mark.parametrize("provider", EDITS)
def test_an_edit_is_of_the_message_with_its_last_text(provider: str) -> None:
    """An edit is another event of the same message and the same customer."""
    first, edit = read(provider, FIRST[provider]), read(provider, EDITS[provider])

    assert (first.type, edit.type) == ("MessageReceived", "MessageEdited")
    assert (first.payload["content"]["text"], edit.payload["content"]["text"]) == ("a", "b")
    assert edit.provider_message_id == first.provider_message_id is not None
    assert (edit.handle, edit.direction, edit.channel) == (first.handle, "inbound", first.channel)
    assert edit.source_event_id != first.source_event_id or provider == "telegram"  # an update's own


@pytest.mark.parametrize("provider", DELETIONS)
def test_a_deletion_is_of_the_message_without_content(provider: str) -> None:
    """A deletion is an event of the message without content. Telegram's does not say who wrote the message."""
    first, deletion = read(provider, FIRST[provider]), read(provider, DELETIONS[provider])

    assert deletion.type == "MessageDeleted" and "content" not in deletion.payload
    assert deletion.provider_message_id == first.provider_message_id is not None
    assert (deletion.handle, deletion.channel) == (first.handle, first.channel)
    assert deletion.direction == (None if provider == "telegram" else "inbound")


def test_zenvias_status_names_no_customer() -> None:
    """Zenvia's status names no customer, since the message's own event does."""
    first = read("zenvia", FIRST["zenvia"])
    deletion = read("zenvia", zenvia(type="MESSAGE_STATUS", messageId="z1", messageStatus={"code": "DELETED"}))
    assert (deletion.type, deletion.provider_message_id) == ("MessageDeleted", first.provider_message_id)
