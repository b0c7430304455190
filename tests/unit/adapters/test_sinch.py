"""Sinch, where the general tests don't reach: the documentation's signatures, windows, SMS without one, what it sends."""

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from adapters import sinch
from adapters.contract import InvalidSignature, Media, Message, Request, Response, Template, Unsendable
from adapters.sinch.send import build_request, read_response
from schemas.events import Handle

URL = "https://callbacks.yourdomain.com/sinch/callback/ace"
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SENDING = {
    "service_plan_id": ["plan"],
    "api_token": ["token"],
    "project_id": ["project"],
    "app_id": ["app"],
    "key_id": ["id"],
    "key_secret": ["secret"],
}
SMS = Message("m-1", "sms", Handle("phone", "+15551234567"), "15550001111", "Hello!")
WHATSAPP = replace(SMS, channel="whatsapp")


def called(at: datetime) -> Request:
    """https://developers.sinch.com/docs/voice/api-reference/authentication/callback-signed-request#example"""
    body = b'{"event":"ace","callid":"822aa4b7-05b4-4d83-87c7-1f835ee0b6f6_257","timestamp":"2014-09-24T10:59:41Z","version":1}'
    headers = {
        "authorization": "application 669E367E-6BBA-48AB-AF15-266871C28135:Tg6fMyo8mj9pYfWQ9ssbx3Tc1BNC87IEygAfLbJqZb4=",
        "x-timestamp": "2014-09-24T10:59:41Z",
        "content-type": "application/json",
    }
    return Request("POST", URL, headers, body, at, "sinch")


def test_the_documentations_call_is_authentic() -> None:
    """Its key, its body and its path; not another path, body or day, but for a stored one."""
    values = {"application_secret": ["no base64!", "BeIukql3pTKJ8RGL5zo0DA=="]}
    request = called(datetime(2014, 9, 24, 11, 0, tzinfo=UTC))
    assert sinch.recognise(request)
    assert sinch.verify(request, values) is True
    assert sinch.verify(replace(request, url=f"{URL}?key=x"), values) is True
    late = called(AT)
    assert sinch.verify(late, values, fresh=False) is True
    for refused in (late, replace(request, url=URL[:-1]), replace(request, body=request.body + b" ")):
        with pytest.raises(InvalidSignature):
            sinch.verify(refused, values)
    with pytest.raises(InvalidSignature):
        sinch.verify(replace(request, headers={**request.headers, "x-timestamp": "noon"}), values)


def webhook(at: datetime, algorithm: str | None = None) -> Request:
    """The example of Sinch's Conversation API documentation and libraries, under the secret foo_secret1234."""
    body = (
        b'{"app_id":"","accepted_time":"2021-10-18T17:49:13.813615Z","project_id":"e2df3a34-a71b-4448-9db5-a8d2baad28e4",'
        b'"contact_create_notification":{"contact":{"id":"01FJA8B466Y0R2GNXD78MD9SM1","channel_identities":[{"channel":"SMS",'
        b'"identity":"48123456789","app_id":""}],"display_name":"New Test Contact","email":"new.contact@email.com",'
        b'"external_id":"","metadata":"","language":"EN_US"}},"message_metadata":""}'
    )
    headers = {
        "x-sinch-webhook-signature": "6bpJoRmFoXVjfJIVglMoJzYXxnoxRujzR4k2GOXewOE=",
        "x-sinch-webhook-signature-nonce": "01FJA8B4A7BM43YGWSG9GBV067",
        "x-sinch-webhook-signature-timestamp": "1634579353",
        **({"x-sinch-webhook-signature-algorithm": algorithm} if algorithm else {}),
    }
    return Request("POST", URL, headers, body, at, "sinch")


def test_the_documentations_webhook_is_authentic() -> None:
    """In its time, under its algorithm; `max_age` widens the window."""
    values, then = {"webhook_secret": ["foo_secret1234"]}, datetime(2021, 10, 18, 17, 50, tzinfo=UTC)
    assert sinch.verify(webhook(then), values) is True
    assert sinch.verify(webhook(then, "HmacSHA256"), values) is True
    late = webhook(then + timedelta(hours=1))
    assert sinch.verify(late, values | {"max_age": ["7200"]}) is True
    for refused in (late, webhook(then, "HmacSHA512"), webhook(then, "HmacMD5")):
        with pytest.raises(InvalidSignature):
            sinch.verify(refused, values)
    with pytest.raises(InvalidSignature):
        sinch.verify(late, values | {"max_age": ["an hour"]})


def test_an_sms_callback_without_a_signature_needs_the_secret_in_its_url() -> None:
    """Basic auth or the URL's secret; where only signatures are configured it is refused."""
    credentials = {"authorization": f"Basic {b64encode(b'sinch:secret').decode()}"}
    request = Request("POST", URL, credentials, b'{"type":"mo_text","received_at":"2026-03-02T09:30:00Z"}', AT, "sinch")
    assert sinch.verify(request, {"webhook_secret": ["x"], "basic_auth": ["sinch:secret"]}) is True
    assert sinch.verify(replace(request, url=f"{URL}?key=abc"), {"url_secret": ["abc"]}) is True
    assert sinch.verify(request, {}) is None
    for values in ({"webhook_secret": ["x"]}, {"application_secret": ["x"]}, {"basic_auth": ["sinch:other"]}):
        with pytest.raises(InvalidSignature):
            sinch.verify(request, values)


@pytest.mark.parametrize("body", [b'{"event":"ice","callid":"1"}', b'{"app_id":"1","message":{}}', b"{}", b"no JSON"])
def test_the_secret_in_a_url_lets_in_no_other_products_callbacks(body: bytes) -> None:
    """Where a secret to sign with is configured, only an SMS callback may come without a signature."""
    request = Request("POST", f"{URL}?key=abc", {}, body, AT, "sinch")
    assert sinch.verify(request, {"url_secret": ["abc"]}) is True
    for name in ("webhook_secret", "application_secret"):
        with pytest.raises(InvalidSignature):
            sinch.verify(request, {"url_secret": ["abc"], name: ["x"]})


def test_a_call_hears_to_go_on() -> None:
    """What comes in and what is answered; the end of a call needs nothing."""
    ended = b'{"event":"dice","callid":"1","version":1}'
    assert b"continue" in sinch.answer(called(AT)).body
    assert sinch.answer(replace(called(AT), body=ended)).body == b""
    assert sinch.answer(replace(called(AT), body=b'{"callid"')).body == b""


def test_what_is_sent_has_sinchs_form() -> None:
    """A batch of one, an MMS, and WhatsApp's text, medium and template."""
    sms = build_request(replace(SMS, expires_at=AT, callback_url=URL), SENDING | {"region": ["eu"]}, AT)
    assert sms.url == "https://eu.sms.api.sinch.com/xms/v1/plan/batches"
    assert sms.headers["authorization"] == "Bearer token"
    body = orjson.loads(sms.body)
    assert (body["client_reference"], body["callback_url"], body["to"]) == ("m-1", URL, ["15551234567"])
    assert body["expire_at"] == "2026-03-02T09:30:00.000Z"
    media = (Media("https://example.com/a.jpg", "image/jpeg", "a.jpg"),)
    mms = orjson.loads(build_request(replace(SMS, media=media), SENDING, AT).body)
    assert (mms["type"], mms["body"]) == ("mt_media", {"url": "https://example.com/a.jpg", "message": "Hello!"})
    sent = [
        replace(WHATSAPP, expires_at=AT + timedelta(minutes=1)),
        replace(WHATSAPP, text=None, media=media),
        replace(WHATSAPP, template=Template("order", "de", {"1": "a", "header[1]image": "https://example.com/a"})),
    ]
    calls = [build_request(one, SENDING, AT) for one in sent]
    assert calls[0].url == "https://us.conversation.api.sinch.com/v1/projects/project/messages:send"
    text, image, template = [orjson.loads(call.body) for call in calls]
    assert (text["ttl"], text["message_metadata"], text["app_id"]) == ("60s", "m-1", "app")
    assert image["message"]["media_message"]["filename_override"] == "a.jpg"
    output = template["message"]["template_message"]["channel_template"]["WHATSAPP"]
    assert output["parameters"] == {"body[1]text": "a", "header[1]image": "https://example.com/a"}


@pytest.mark.parametrize(
    "message",
    [
        replace(SMS, text=None),
        replace(SMS, sender=None),
        replace(SMS, template=Template("t")),
        replace(SMS, media=(Media("https://example.com/a"),) * 2),
        replace(WHATSAPP, text=None),
        replace(WHATSAPP, media=(Media("https://example.com/a"),)),
        replace(WHATSAPP, text=None, media=(Media("https://example.com/a"),) * 2),
    ],
)
def test_what_sinch_has_no_place_for_is_said(message: Message) -> None:
    """Nothing is left out in silence."""
    with pytest.raises(Unsendable):
        build_request(message, SENDING, AT)


def test_the_conversation_apis_errors_are_read() -> None:
    """They have another form than those of SMS."""
    body = b'{"error":{"code":400,"message":"Invalid argument","status":"INVALID_ARGUMENT","details":[]}}'
    outcome = read_response(Response(400, {}, body))
    assert outcome.state == "rejected" and outcome.error is not None
    assert (outcome.error.code, outcome.error.text) == ("INVALID_ARGUMENT", "Invalid argument")
