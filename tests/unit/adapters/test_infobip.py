"""Infobip, where the general tests don't reach: the channel in the URL, what it sends, and refusals within a 200."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from adapters import infobip
from adapters.contract import Media, Message, Request, Response, Template, Unsendable
from adapters.infobip.send import build_request, read_response
from schemas.events import Handle

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
