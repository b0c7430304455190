"""Infobip, where the general tests don't reach: channels, whose address it is, what it sends, refusals within a 200."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

from adapters import infobip
from adapters.contract import Media, Message, Request, Response, Template, Unsendable
from adapters.infobip.send import build_request, read_response
from app.sending.consent import learned
from schemas.events import Event, Handle

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
URL = "https://hooks.example.com/webhooks/aggregate/infobip"
VALUES = {"api_key": ["key"], "api_url": ["https://xyz.api.infobip.com"]}
SMS = Message("m-1", "sms", Handle("phone", "+15551234567"), "ExampleCo", "Hello!", callback_url=URL)
WHATSAPP = replace(SMS, channel="whatsapp", sender="+15550001111")
REPORT = {"messageId": "1", "to": "15551234567", "status": {"groupName": "DELIVERED", "name": "DELIVERED_TO_HANDSET"}}


@pytest.mark.parametrize(
    ("query", "network", "channel"),
    [
        ("", "310004", "sms"),
        ("", None, None),
        ("?channel=whatsapp", "310004", "whatsapp"),
        ("?key=x&channel=rcs", None, "rcs"),
        ("?channel=pigeon", None, None),
    ],
)
def test_the_url_tells_the_channel(query: str, network: str | None, channel: str | None) -> None:
    """Before what the report lets guess, and only a channel that there is."""
    body = orjson.dumps({"results": [{**REPORT, "mccMnc": network}]})
    (event,) = infobip.normalize(Request("POST", URL + query, {}, body, AT, "infobip")).events
    assert event.channel == channel


NUMBER = Handle("phone", "+15551234567")
#: https://github.com/infobip/infobip-api-php-client, MessagesApiWebhookSerializationTest
MO: dict[str, Any] = {
    "event": "MO",
    "channel": "WHATSAPP",
    "sender": "15551234567",
    "destination": "15550001111",
    "content": [{"type": "TEXT", "text": "STOP", "cleanText": "STOP"}],
    "receivedAt": "2026-03-02T09:29:40.000+00:00",
    "messageId": "mo-1",
}


def read(item: dict[str, Any], query: str = "") -> Event:
    body = orjson.dumps({"results": [item]})
    (event,) = infobip.normalize(Request("POST", URL + query, {}, body, AT, "infobip")).events
    return event


@pytest.mark.parametrize("query", ["", "?channel=sms"])
@pytest.mark.parametrize(
    ("word", "sender", "channel", "handle"),
    [
        ("SMS", "15551234567", "sms", NUMBER),
        ("MMS", "15551234567", "sms", NUMBER),
        ("WHATSAPP", "15551234567", "whatsapp", NUMBER),
        ("RCS", "15551234567", "rcs", NUMBER),
        ("VIBER_BM", "15551234567", "chat", NUMBER),
        ("VIBER_BOT", "01234567890A=", "chat", Handle("chat_id", "viber:01234567890A=")),
        ("MESSENGER", "123456789012345", "chat", Handle("chat_id", "messenger:123456789012345")),
        ("INSTAGRAM_DM", "123456789012345", "chat", Handle("chat_id", "instagram:123456789012345")),
        ("APPLE_MB", "urn:mbid:AQAAY0", "chat", Handle("chat_id", "apple:urn:mbid:AQAAY0")),
        ("KAKAO", "123456789012345", "chat", Handle("chat_id", "kakao:123456789012345")),
    ],
)
def test_a_messages_own_word_tells_its_channel(
    query: str, word: str, sender: str, channel: str, handle: Handle
) -> None:
    """In both forms, and before the URL's; a chat service's id of digits alone is nobody's phone number."""
    item = MO | {"channel": word, "sender": sender}
    written = {key: value for key, value in item.items() if key not in ("event", "channel", "destination", "content")}
    written |= {"to": "ExampleCo", "integrationType": word, "message": {"type": "TEXT", "text": "STOP"}}
    for event in (read(item, query), read(written, query)):
        assert (event.type, event.direction) == ("MessageReceived", "inbound")
        assert (event.channel, event.handle) == (channel, handle)
        assert (event.payload["from"], event.payload["content"]["text"]) == (handle.value, "STOP")


@pytest.mark.parametrize(("word", "channel"), [("SMS", "sms"), ("WHATSAPP", "whatsapp"), ("RCS", "rcs")])
def test_a_stop_by_the_messages_api_opts_out(word: str, channel: str) -> None:
    """Its text is in a list `content`."""
    (event,) = learned(read(MO | {"channel": word}))
    assert (event.type, event.channel, event.handle) == ("RecipientUnsubscribed", channel, NUMBER)


@pytest.mark.parametrize("word", ["TYPING_STARTED", "TYPING_STOPPED", "SOMETHING_NEW"])
def test_what_is_no_message_is_not_read_as_one(word: str) -> None:
    """MessagesApiInboundEventType: typing has what a message has, but for the content."""
    event = read(MO | {"event": word})
    assert (event.type, event.payload["providerStatus"]) == ("ProviderEventReceived", word)
    assert (event.provider_message_id, event.handle) == ("mo-1", NUMBER)


def test_typing_by_rcs_has_no_message_id() -> None:
    """https://github.com/infobip/infobip-api-go-client, IsTypingEvent: it is kept, not refused."""
    item = {"sender": "15551234567", "to": "DemoSender", "receivedAt": "2026-03-02T09:29:40.000+0000"}
    event = read(item | {"event": {"type": "TYPING_INDICATOR"}})
    assert (event.type, event.payload["providerStatus"]) == ("ProviderEventReceived", "TYPING_INDICATOR")
    assert event.provider_message_id is None


@pytest.mark.parametrize(("action", "emoji"), [("ADDED", "👍"), ("REMOVED", "")])
def test_a_reaction_is_of_the_message_reacted_to(action: str, emoji: str) -> None:
    """WhatsAppReactionAction; the message is in `context`, or in `pairedMessageId` of the Messages API."""
    part = {"type": "REACTION", "emoji": "👍", "action": action}
    message = {key: value for key, value in MO.items() if key not in ("event", "content")}
    for event in (
        read(MO | {"content": [part], "pairedMessageId": "sent-1"}),
        read(message | {"message": part | {"context": {"id": "sent-1"}}}),
    ):
        reaction = event.payload["content"]["reaction"]
        assert (reaction["emoji"], reaction["providerMessageId"]) == (emoji, "sent-1")
        assert "inReplyTo" not in event.payload


def test_a_deleted_message_is_that_of_its_writer() -> None:
    """WhatsAppWebhookDeletedReport: `from` sent the message, `to` is the account's number."""
    item = {"messageId": "wamid.1", "from": "15551234567", "to": "15550001111"}
    event = read(item | {"sentAt": "2026-03-02T09:29:40.000+0000", "deletedAt": "2026-03-02T09:29:50.000+0000"})
    assert (event.type, event.direction, event.channel) == ("MessageDeleted", "inbound", "whatsapp")
    assert (event.provider_message_id, event.handle) == ("wamid.1", NUMBER)
    assert event.occurred_at == datetime(2026, 3, 2, 9, 29, 50, tzinfo=UTC)


def test_reports_of_the_messages_api_have_their_recipient() -> None:
    """In `destination`; in a chat with ids of its own it is no number."""
    report = {key: value for key, value in REPORT.items() if key != "to"}
    for word, to, handle in (
        ("WHATSAPP", "15551234567", NUMBER),
        ("MESSENGER", "123456789012345", Handle("chat_id", "messenger:123456789012345")),
    ):
        item = report | {"event": "DELIVERY", "channel": word, "destination": to}
        seen = {"event": "SEEN", "channel": word, "destination": to, "messageId": "1", "seenAt": MO["receivedAt"]}
        for event in (read(item), read(seen)):
            assert (event.handle, event.payload["to"]) == (handle, handle.value)


def test_a_suggestion_longer_than_a_button_is_cut_and_kept() -> None:
    """RCS allows 2048 characters of `postbackData`, our schema 1024 of a button's id."""
    message = {"type": "SUGGESTION", "text": "Yes", "postbackData": "p" * 2048}
    event = read({"sender": "15551234567", "to": "DemoSender", "integrationType": "RCS", "messageId": "1",
                  "receivedAt": MO["receivedAt"], "message": message})  # fmt: skip
    assert event.payload["content"]["buttonReply"]["id"] == "p" * 1024
    assert event.payload["native"]["message"]["postbackData"] == "p" * 2048


def test_what_is_sent_has_infobips_form() -> None:
    """Each kind goes to its resource, with our reference and the URL that names the channel."""
    media = (Media("https://example.com/a.pdf", "application/pdf", "a.pdf"),)
    sent = {
        "/sms/3/messages": replace(SMS, expires_at=AT + timedelta(hours=2)),
        "/whatsapp/1/message/text": WHATSAPP,
        "/whatsapp/1/message/document": replace(WHATSAPP, media=media),
        "/whatsapp/1/message/template": replace(WHATSAPP, template=Template("order", "de", {"2": "b", "1": "a"})),
    }
    bodies = {}
    for path, message in sent.items():
        call = build_request(message, VALUES, AT)
        assert (call.url, call.headers["authorization"]) == (f"https://xyz.api.infobip.com{path}", "App key")
        bodies[path] = orjson.loads(call.body)
    (sms,) = bodies["/sms/3/messages"]["messages"]
    assert sms["options"] == {"validityPeriod": {"amount": 120, "timeUnit": "MINUTES"}}
    assert sms["webhooks"]["callbackData"] == "m-1"
    assert sms["webhooks"]["delivery"]["url"] == f"{URL}?channel=sms"
    assert bodies["/whatsapp/1/message/text"]["notifyUrl"] == f"{URL}?channel=whatsapp"
    document = {"mediaUrl": "https://example.com/a.pdf", "caption": "Hello!", "filename": "a.pdf"}
    assert bodies["/whatsapp/1/message/document"]["content"] == document
    (template,) = bodies["/whatsapp/1/message/template"]["messages"]
    assert template["content"]["templateData"] == {"body": {"placeholders": ["a", "b"]}}


@pytest.mark.parametrize(
    "message",
    [
        replace(SMS, text=None),
        replace(SMS, media=(Media("https://example.com/a"),)),
        replace(SMS, sender=None),
        replace(WHATSAPP, text=""),
        replace(WHATSAPP, media=(Media("https://example.com/a", "audio/ogg"),)),
        replace(WHATSAPP, media=(Media("https://example.com/a"),) * 2),
        replace(WHATSAPP, template=Template("t", None, {"name": "Ana"})),
    ],
)
def test_what_infobip_has_no_place_for_is_said(message: Message) -> None:
    """Nothing is left out in silence."""
    with pytest.raises(Unsendable):
        build_request(message, VALUES, AT)


def test_a_message_rejected_within_a_200_is_not_taken() -> None:
    """Infobip takes the request, and says of the message that it will not go."""
    status = {"groupName": "REJECTED", "name": "REJECTED_NOT_ENOUGH_CREDITS", "description": "Not enough credits"}
    outcome = read_response(Response(200, {}, orjson.dumps({"messages": [{"messageId": "1", "status": status}]})))
    assert outcome.state == "account" and outcome.error is not None
    assert (outcome.error.code, outcome.error.reason) == ("REJECTED_NOT_ENOUGH_CREDITS", "account")
    newer = read_response(Response(400, {}, b'{"errorCode":"E400","description":"Request cannot be processed."}'))
    assert newer.error is not None and newer.error.code == "E400"
