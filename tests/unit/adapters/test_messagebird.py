"""MessageBird, where the general tests don't reach: the token's claims, Bird's and the older signature, what it sends,
and what people do with Bird's messages."""

import hashlib
import hmac
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt
import orjson
import pytest

from adapters import messagebird
from adapters.contract import InvalidSignature, Media, Message, Request, Response, Template, Unsendable
from adapters.messagebird.send import build_request, read_response
from schemas.events import Event, Handle

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
NOW = int(AT.timestamp())
URL = "https://hooks.example.com/webhooks/aggregate/messagebird?status=sent&id=1"
KEY = "a_signing_key_of_more_than_32_bytes_length"
VALUES = {"signing_key": [KEY]}
SENDING = {"access_key": ["key"], "channel_id": ["channel-1"]}
SMS = Message("m-1", "sms", Handle("phone", "+15551234567"), "ExampleCo", "Hello!")
WHATSAPP = replace(SMS, channel="whatsapp", sender=None, reference="order-1")


def tokened(body: bytes = b"", algorithm: str = "HS256", **claims: object) -> Request:
    output = {
        "iss": "MessageBird",
        "nbf": NOW - 1,
        "exp": NOW + 60,
        "jti": "1",
        "url_hash": hashlib.sha256(URL.encode()).hexdigest(),
        **({"payload_hash": hashlib.sha256(body).hexdigest()} if body else {}),
    }
    made = {name: value for name, value in (output | claims).items() if value is not None}
    token = jwt.encode(made, KEY * 2 if algorithm == "none" else KEY, algorithm=algorithm)
    return Request("POST", URL, {"messagebird-signature-jwt": token}, body, AT, "messagebird")


def signed(place: str, body: bytes = b"{}", at: datetime = AT) -> Request:
    message = b"\n".join([str(NOW).encode(), place.encode(), hashlib.sha256(body).digest()])
    signature = b64encode(hmac.new(KEY.encode(), message, "sha256").digest()).decode()
    headers = {"messagebird-signature": signature, "messagebird-request-timestamp": str(NOW)}
    return Request("POST", URL, headers, body, at, "messagebird")


def test_a_token_holds_for_its_url_body_and_time() -> None:
    """Whatever claim is another's is refused; the time counts only for what arrives."""
    assert messagebird.verify(tokened(), VALUES) is True
    assert messagebird.verify(tokened(b"{}"), VALUES) is True
    for wrong in (
        {"iss": "Another"},
        {"url_hash": "0" * 64},
        {"url_hash": None},
        {"payload_hash": "0" * 64},
        {"exp": NOW - 60},
        {"nbf": NOW + 60},
        {"exp": "tomorrow"},
    ):
        with pytest.raises(InvalidSignature):
            messagebird.verify(tokened(**wrong), VALUES)
    with pytest.raises(InvalidSignature):
        messagebird.verify(replace(tokened(b"{}"), body=b"[]"), VALUES)
    with pytest.raises(InvalidSignature):
        messagebird.verify(replace(tokened(), body=b"{}"), VALUES)
    assert messagebird.verify(tokened(exp=NOW - 60), VALUES, fresh=False) is True


def test_bird_signs_the_url_and_repeats_for_a_day() -> None:
    """A repetition of hours later is as signed at first; one of another URL or day is refused."""
    assert messagebird.verify(signed(URL), VALUES) is True
    assert messagebird.verify(signed("id=1&status=sent"), VALUES) is True  # the older signature
    assert messagebird.verify(signed(URL, at=AT + timedelta(hours=4)), VALUES) is True
    for refused, values in (
        (signed("https://hooks.example.com/"), VALUES),
        (signed(URL, at=AT + timedelta(hours=25)), VALUES),
        (signed(URL, at=AT + timedelta(hours=4)), VALUES | {"max_age": ["300"]}),
        (signed(URL), VALUES | {"max_age": ["a day"]}),
        (replace(signed(URL), headers={}), VALUES),
    ):
        with pytest.raises(InvalidSignature):
            messagebird.verify(refused, values)


def test_what_is_sent_has_its_form() -> None:
    """SMS goes to the REST API, WhatsApp to Conversations by the channel's id, with ours to be echoed."""
    call = build_request(replace(SMS, expires_at=AT + timedelta(minutes=5), callback_url=URL), SENDING, AT)
    assert (call.url, call.headers["authorization"]) == ("https://rest.messagebird.com/messages", "AccessKey key")
    body = orjson.loads(call.body)
    assert (body["reference"], body["validity"], body["reportUrl"]) == ("m-1", 300, URL)
    media = (Media("https://example.com/a.jpg", "image/jpeg"),)
    sent = [
        WHATSAPP,
        replace(WHATSAPP, media=media),
        replace(WHATSAPP, template=Template("ns:order", "de", {"1": "a"})),
    ]
    text, image, hsm = [orjson.loads(build_request(one, SENDING, AT).body) for one in sent]
    assert (text["from"], text["source"]) == (
        "channel-1",
        {"threadline_message_id": "tl_cebadbb4_m-1", "reference": "order-1"},
    )
    assert image["content"] == {"image": {"url": "https://example.com/a.jpg", "caption": "Hello!"}}
    assert hsm["content"]["hsm"]["params"] == [{"default": "a"}]


@pytest.mark.parametrize(
    "message",
    [
        replace(SMS, text=None),
        replace(SMS, template=Template("t")),
        replace(SMS, sender=None),
        replace(WHATSAPP, text=None),
        replace(WHATSAPP, template=Template("without-namespace")),
        replace(WHATSAPP, template=Template("ns:t", None, {"name": "Ana"})),
        replace(WHATSAPP, media=(Media("https://example.com/a", "audio/ogg"),)),
        replace(WHATSAPP, media=(Media("https://example.com/a"),) * 2),
    ],
)
def test_what_it_has_no_place_for_is_said(message: Message) -> None:
    """Nothing is left out in silence."""
    with pytest.raises(Unsendable):
        build_request(message, SENDING, AT)


def test_a_bad_recipient_is_distinguished_from_a_bad_parameter() -> None:
    """By the parameter that the error names."""
    for parameter, reason in (("recipients", "invalid_address"), ("body", "content")):
        error = {"code": 10, "description": "bad", "parameter": parameter}
        outcome = read_response(Response(422, {}, orjson.dumps({"errors": [error]})))
        assert outcome.error is not None and outcome.error.reason == reason


NUMBER = Handle("phone", "+15551234567")
USER = Handle("whatsapp_user_id", "US.13491208655302741918")
WHO = {"identifierKey": "phonenumber", "identifierValue": NUMBER.value}


def bird(event: str, payload: dict[str, Any]) -> Event:
    body = orjson.dumps({"service": "channels", "event": event, "payload": payload})
    (found,) = messagebird.normalize(Request("POST", URL, {}, body, AT, "messagebird")).events
    return found


def interaction(type_: str, *contacts: dict[str, Any], channel: str = "sms", **more: Any) -> Event:
    """https://docs.bird.com/api/channels-api/supported-channels/programmable-sms/message-interactions"""
    payload = {"id": "i-1", "messageId": "m-1", "type": type_, "receiver": {"contacts": list(contacts)}}
    return bird(f"{channel}.interaction", payload | {"createdAt": "2026-03-02T09:29:50Z"} | more)


@pytest.mark.parametrize(
    ("word", "type_"),
    [
        ("read", "MessageRead"),
        ("opened", "MessageOpened"),
        ("clicked", "MessageClicked"),
        ("reported-as-spam", "MessageComplained"),
        ("unsubscribe-request", "RecipientUnsubscribed"),
        ("subscribe-consent", "RecipientSubscribed"),
        ("conversion", "ProviderEventReceived"),
    ],
)
def test_an_interactions_type_tells_what_it_is(word: str, type_: str) -> None:
    """It is about our message, by the one who received it."""
    event = interaction(word, WHO, messageReference="order-1")
    assert (event.type, event.payload["providerStatus"]) == (type_, word)
    assert (event.provider_message_id, event.channel, event.direction) == ("m-1", "sms", "outbound")
    assert (event.handle, event.occurred_at) == (NUMBER, datetime(2026, 3, 2, 9, 29, 50, tzinfo=UTC))
    if type_ != "ProviderEventReceived":
        assert event.payload["reference"] == "order-1"


def test_an_interaction_of_several_opts_out_nobody() -> None:
    """Which of them it was is not said."""
    assert interaction("unsubscribe-request", WHO, WHO | {"identifierValue": "+15557654321"}).handle is None


def test_interactions_are_distinguished_by_their_ids() -> None:
    """A second click on the same link is another fact; a redelivery, whatever else it says, is not."""
    first, again, second = [
        interaction("clicked", WHO, id=own, metadata={"link": {"url": "https://example.com/a"}}, details=details)
        for own, details in (("i-1", ""), ("i-1", "x"), ("i-2", ""))
    ]
    assert first.source_event_id == again.source_event_id != second.source_event_id
    assert first.payload["url"] == "https://example.com/a"
    assert "machineOpen" not in first.payload
    assert interaction("opened", WHO, metadata={"prefetched": True}).payload["machineOpen"] is True


@pytest.mark.parametrize(
    ("contact", "extra", "first", "others"),
    [
        (WHO, {}, NUMBER, []),
        (WHO, {"whatsappbsuid": USER.value}, NUMBER, [USER]),
        ({"identifierKey": "whatsappbsuid", "identifierValue": USER.value}, {}, USER, []),
        ({"identifierKey": "whatsappbsuid", "identifierValue": USER.value, "identifiers": [WHO]}, {}, NUMBER, [USER]),
        ({"identifierKey": "whatsappusername", "identifierValue": "ana"}, {"whatsappbsuid": USER.value}, USER, []),
        (
            {"identifierKey": "whatsappusername", "identifierValue": "ana"},
            {},
            Handle("chat_id", "whatsapp:ana"),
            [],
        ),
        (
            WHO | {"identifiers": [WHO, {"identifierKey": "emailaddress", "identifierValue": "ana@example.com"}]},
            {},
            NUMBER,
            [Handle("email", "ana@example.com")],
        ),
        (
            {
                "identifierKey": "whatsappbsuid",
                "identifierValue": USER.value,
                "identifiers": [WHO, WHO | {"identifierValue": "+15557654321"}],
            },
            {},
            USER,
            [NUMBER, Handle("phone", "+15557654321")],
        ),
    ],
)
def test_a_whatsapp_users_handles(
    contact: dict[str, Any], extra: dict[str, Any], first: Handle, others: list[Handle]
) -> None:
    """…/programmable-whatsapp/business-scoped-user-ids: the number if one is known, else the user id."""
    message = {"sender": {"contact": contact}, "body": {"type": "text", "text": {"text": "Hello"}}}
    event = bird("whatsapp.inbound", message | {"id": "m-2", "meta": {"extraInformation": extra}})
    assert (event.handle, event.payload["from"]) == (first, first.value)
    assert [Handle(**one) for one in event.payload.get("handles", [])] == others
    sent = {"id": "m-1", "status": "delivered", "receiver": {"contacts": [contact]}}
    assert bird("whatsapp.outbound", sent | {"meta": {"extraInformation": extra}}).handle == first


def test_an_address_of_another_channel_is_not_the_writers() -> None:
    """Of an SMS without a number, the contact's mail address is not who wrote it."""
    mail = {"identifierKey": "emailaddress", "identifierValue": "ana@example.com"}
    contact = {"identifierKey": "phonenumber", "identifiers": [mail]}
    event = bird("sms.inbound", {"id": "m-2", "sender": {"contact": contact}})
    assert event.handle is None and "handles" not in event.payload


def test_a_reply_names_what_it_answers_and_a_long_postback_is_cut() -> None:
    """`replyTo.id` is Bird's id of our message; a button's id has at most 1024 characters in our schema."""
    pressed = {"type": "postback", "postback": {"text": "Yes", "payload": "p" * 2000}}
    body = {"type": "text", "text": {"text": "Yes", "actions": [pressed]}}
    payload = {"id": "m-2", "sender": {"contact": WHO}, "body": body, "replyTo": {"id": "m-1", "type": "click"}}
    event = bird("whatsapp.inbound", payload)
    assert event.payload["inReplyTo"] == "m-1"
    assert event.payload["content"]["buttonReply"] == {"id": "p" * 1024, "title": "Yes"}
