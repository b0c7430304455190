"""What is particular to Twilio: its signature's URL, bodies that are no form, identity of facts, what its words mean."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlencode

import pytest

from adapters import interpret, twilio
from adapters.contract import InvalidSignature, Media, Message, Request, Response, Template, Unsendable
from adapters.twilio.errors import REASONS
from adapters.twilio.send import build_request, read_response
from schemas.events import Event, Handle

URL = "https://hooks.example.com/webhooks/aggregate/twilio"
FORM = "application/x-www-form-urlencoded"
VALUES = {"auth_token": ("12345",)}
STATUS = {"MessageSid": "SM1", "MessageStatus": "delivered", "From": "+15550001111", "To": "+15551234567"}


def request_of(body: bytes, signed: str, *, url: str = URL, kind: str = FORM, method: str = "POST") -> Request:
    digest = hmac.new(b"12345", signed.encode(), hashlib.sha1).digest()
    headers = {"x-twilio-signature": base64.b64encode(digest).decode(), "content-type": kind}
    return Request(method, url, headers, body, datetime.now(UTC), "twilio")


def event_of(fields: dict[str, str]) -> Event:
    (event,) = interpret(request_of(urlencode(fields).encode(), ""), "twilio").events
    return event


def test_twilios_own_example_verifies() -> None:
    """The worked example of the documentation and of Twilio's libraries."""
    fields = {"CallSid": "CA1234567890ABCDE", "Caller": "+14158675309", "Digits": "1234", "From": "+14158675309"}
    fields["To"] = "+18005551212"
    request = request_of(urlencode(fields).encode(), "", url="https://mycompany.com/myapp.php?foo=1&bar=2")
    request.headers = {"x-twilio-signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8=", "content-type": FORM}
    assert twilio.verify(request, VALUES) is True


@pytest.mark.parametrize("signed", [URL, URL.replace(".com/", ".com:443/")])
@pytest.mark.parametrize("seen", [URL, URL.replace(".com/", ".com:443/"), URL.replace(".com/", ".com:8443/")])
def test_the_port_counts_and_does_not(signed: str, seen: str) -> None:
    """Twilio signs with the port or without it; both are accepted, as by its libraries."""
    if ":8443" in seen and ":443" in signed:
        return
    assert twilio.verify(request_of(b"a=1", f"{signed}a1", url=seen), VALUES) is True


def test_a_name_that_is_there_twice_counts_once_for_each_value() -> None:
    """In order of the values, as in Twilio's libraries."""
    assert twilio.verify(request_of(b"b=2&a=z&a=b&a=b", f"{URL}abazb2"), VALUES) is True


def test_a_body_that_is_no_form_is_covered_by_the_urls_hash() -> None:
    """JSON verifies with its bodySHA256, and neither without, nor with another body, nor as a form."""
    body = b'[{"id":"EZ1","type":"com.twilio.new","data":{}}]'
    url = f"{URL}?bodySHA256={hashlib.sha256(body).hexdigest()}"
    assert twilio.verify(request_of(body, url, url=url, kind="application/json"), VALUES) is True
    for refused in (
        request_of(body, URL, kind="application/json"),
        request_of(body + b" ", url, url=url, kind="application/json"),
        request_of(body, url, url=url, kind=FORM),
        request_of(b"x", URL, kind=FORM, method="GET"),
    ):
        with pytest.raises(InvalidSignature):
            twilio.verify(refused, VALUES)


def test_one_message_has_one_fact_per_status() -> None:
    """Each status of a message is another fact; the same status again is the same one, whatever Twilio adds to it."""
    first = event_of(STATUS)
    assert (
        event_of(STATUS | {"ApiVersion": "2010-04-01", "SmsStatus": "delivered"}).source_event_id
        == first.source_event_id
    )
    others = [STATUS | {"MessageStatus": "sent"}, STATUS | {"MessageSid": "SM2"}, STATUS | {"To": "+15551234568"}]
    assert len({first.source_event_id, *(event_of(other).source_event_id for other in others)}) == 4


def test_the_carriers_local_time_is_no_time() -> None:
    """RawDlrDoneDate is in a zone that nobody knows, so that `occurred_at` is absent rather than wrong."""
    assert event_of(STATUS | {"RawDlrDoneDate": "2603020929"}).occurred_at is None


def test_a_read_receipt_counts_by_its_event_type() -> None:
    """EventType READ stands beside a status that may be older."""
    assert event_of(STATUS | {"EventType": "READ"}).type == "MessageRead"


def test_a_status_that_is_new_is_kept_whole() -> None:
    """What Twilio may say one day is an event with its parameters, not a loss."""
    event = event_of(STATUS | {"MessageStatus": "teleported"})
    assert event.type == "ProviderEventReceived"
    assert event.payload["native"]["MessageStatus"] == "teleported"


@pytest.mark.parametrize(
    ("address", "kind", "value"),
    [
        ("whatsapp:+15551234567", "phone", "+15551234567"),
        (" 15551234567", "phone", "+15551234567"),
        ("whatsapp:US.1349", "whatsapp_user_id", "US.1349"),
        ("32665", "short_code", "32665"),
        ("ACME", "alphanumeric", "ACME"),
    ],
)
def test_addresses_are_typed(address: str, kind: str, value: str) -> None:
    """A short code and a name are no numbers, and a WhatsApp user may have none."""
    handle = event_of({"MessageSid": "SM1", "Body": "x", "From": address, "To": "+15550001111"}).handle
    assert handle is not None and (handle.kind, handle.value) == (kind, value)


@pytest.mark.parametrize("word", ["Anonymous", "+266696687", "+86282452253"])
def test_callers_who_hide_are_nobody(word: str) -> None:
    """They are not gathered into one customer of an unknown name."""
    event = event_of(
        {"CallSid": "CA1", "CallStatus": "ringing", "Direction": "inbound", "From": word, "To": "+15550001111"}
    )
    assert event.handle is None and event.payload["from"] == word


def test_a_sip_address_is_distinguished_from_a_number() -> None:
    """As a call may come from a desk phone."""
    event = event_of(
        {"CallSid": "CA1", "CallStatus": "ringing", "Direction": "inbound", "From": "sip:ana@desk.Example.com"}
    )
    assert event.handle is not None and (event.handle.kind, event.handle.value) == ("sip", "ana@desk.example.com")


def test_each_code_has_one_reason() -> None:
    """No code stands under two reasons, where the last would win unseen."""
    from adapters.twilio import errors

    assert len(REASONS) == sum(len(codes.split()) for codes in errors._CODES.values())


def test_inbound_is_answered_with_empty_twiml_and_a_status_with_nothing() -> None:
    """Twilio reads instructions from the one answer, and none from the other."""
    inbound = twilio.answer(request_of(b"MessageSid=SM1&Body=x", ""))
    assert (inbound.status, inbound.content_type.partition(";")[0]) == (200, "text/xml")
    assert inbound.body.endswith(b"<Response/>")
    assert twilio.answer(request_of(b"MessageSid=SM1&MessageStatus=sent", "")).body == b""


NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
ACCOUNT: dict[str, tuple[str, ...]] = {"account_sid": ("AC1",), "auth_token": ("12345",), "sender": ("+15550001111",)}


def sent(channel: str = "sms", values: dict[str, tuple[str, ...]] = ACCOUNT, **fields: Any) -> dict[str, list[str]]:
    message = Message("m 1", channel, Handle("phone", "+15551234567"), **({"text": "Hello"} | fields))
    return parse_qs(build_request(message, values, NOW).body.decode())


def test_our_id_goes_into_the_callbacks_query_and_comes_back() -> None:
    """Before the fragment, which sets how often Twilio tries; of messages and of calls."""
    (callback,) = sent(callback_url=f"{URL}?a=1#rc=2")["StatusCallback"]
    assert callback == f"{URL}?a=1&threadline_message_id=tl_7b14a5f9_m%201#rc=2"
    call = {"CallSid": "CA1", "CallStatus": "completed", "Direction": "outbound-api", "To": "+15551234567"}
    for fields in (STATUS, call):
        request = request_of(urlencode(fields).encode(), "", url=callback.partition("#")[0])
        assert interpret(request, "twilio").events[0].echoed_message_id == "m 1"


def test_a_call_is_reported_from_its_beginning() -> None:
    """Twilio reports the end alone, unless it is asked for more."""
    assert sent("voice", callback_url=URL)["StatusCallbackEvent"] == ["initiated", "answered", "completed"]
    assert "StatusCallbackEvent" not in sent(callback_url=URL)


@pytest.mark.parametrize(("seconds", "validity"), [(90, ["90"]), (35_999, ["35999"]), (36_000, None), (90_000, None)])
def test_a_message_waits_no_longer_than_it_is_good_for(seconds: int, validity: list[str] | None) -> None:
    """Up to ten hours, which is Twilio's limit; one that has expired is not sent, and a call has no such limit."""
    later = NOW + timedelta(seconds=seconds)
    assert sent(expires_at=later).get("ValidityPeriod") == validity
    assert "ValidityPeriod" not in sent("voice", expires_at=later)
    with pytest.raises(Unsendable, match="expired"):
        sent(expires_at=NOW)


def test_a_template_needs_a_sender_and_may_have_a_service() -> None:
    """A number or a messaging service; both WhatsApp addresses have their prefix, a service has none."""
    template = Template("HX1", variables={"1": "Ana"})
    fields = sent("whatsapp", template=template, text=None)
    assert (fields["From"], fields["To"]) == (["whatsapp:+15550001111"], ["whatsapp:+15551234567"])
    assert (fields["ContentSid"], fields["ContentVariables"]) == (["HX1"], ['{"1":"Ana"}'])
    fields = sent("whatsapp", template=template, text=None, sender="MG1")
    assert fields["MessagingServiceSid"] == ["MG1"] and "From" not in fields


def test_an_api_key_goes_with_its_secret() -> None:
    """The auth token is the account's password, not the key's."""
    message = Message("m", "sms", Handle("phone", "+15551234567"), text="x")
    values = ACCOUNT | {"api_key": ("SK1",)}
    with pytest.raises(Unsendable, match="api_secret"):
        build_request(message, values, NOW)
    call = build_request(message, values | {"api_secret": ("s",)}, NOW)
    assert call.headers["authorization"] == "Basic " + base64.b64encode(b"SK1:s").decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"text": None},
        {"media": (Media("https://example.com/a.jpg"),) * 11},
        {"media": (Media("https://example.com/a.jpg"),), "template": Template("HX1")},
        {"channel": "voice", "text": "x" * 4000},
        {"channel": "voice", "text": None},
    ],
)
def test_what_twilio_has_no_place_for_is_unsendable(fields: dict[str, Any]) -> None:
    """The error comes before anything is sent."""
    with pytest.raises(Unsendable):
        sent(**fields)


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [(429, 20429, "retryable"), (400, 21611, "retryable"), (400, 21610, "rejected"), (503, 20503, "retryable")],
)
def test_a_full_queue_may_empty(status: int, code: int, state: str) -> None:
    """The code decides, where the status would not."""
    response = Response(status, {}, b'{"code":%d,"message":"m","status":%d}' % (code, status))
    assert read_response(response).state == state


SIP = "CallSid=CA1&CallStatus=ringing&From=sip%3Aana%40example.com&To=sip%3a100%40x.sip.twilio.com&Direction=inbound"


@pytest.mark.parametrize("signed", [SIP, SIP.replace("%40", "@").replace("%3A", ":").replace("%3a", ":")])
@pytest.mark.parametrize("port", ["", ":443"])
def test_a_sip_address_is_signed_escaped_or_not(signed: str, port: str) -> None:
    """In a GET, Twilio signs `@` and `:` unescaped and sends them escaped (twilio-node, pull request 621)."""
    url = URL.replace(".com", f".com{port}")
    request = request_of(b"", f"{url}?{signed}", url=f"{URL}?{SIP}", method="GET")
    assert twilio.verify(request, VALUES) is True

    request.url = request.url.replace("ana", "bob")
    with pytest.raises(InvalidSignature):
        twilio.verify(request, VALUES)


CONVERSATION = {
    "AccountSid": "AC1",
    "ConversationSid": "CH1",
    "MessageSid": "IM1",
    "DateCreated": "2026-03-02T09:28:00Z",
}


@pytest.mark.parametrize(
    ("word", "source", "author", "expected"),
    [
        ("onMessageAdded", "SMS", "+15551234567", ("MessageReceived", "inbound", Handle("phone", "+15551234567"))),
        (
            "onMessageAdded",
            "WHATSAPP",
            "whatsapp:+15551234567",
            ("MessageReceived", "inbound", Handle("phone", "+15551234567")),
        ),
        ("onMessageAdded", "", "+15551234567", ("ProviderEventReceived", None, None)),
        ("onMessageAdded", "API", "+15551234567", ("UserMessageSent", "outbound", None)),
        ("onMessageAdded", "SDK", "+15551234567", ("ProviderEventReceived", None, None)),
        ("onMessageAdd", "SMS", "", ("ProviderEventReceived", None, None)),
        ("onMessageUpdated", "API", "system", ("MessageEdited", "outbound", None)),
        ("onMessageRemoved", "SDK", "mira", ("MessageDeleted", None, None)),
        ("onSomethingNew", "API", "system", ("ProviderEventReceived", None, None)),
    ],
)
def test_the_words_of_a_conversation_decide(word: str, source: str, author: str, expected: tuple[Any, ...]) -> None:
    """`EventType` says what happened, and `Source` who wrote; a `Body` alone makes nothing an inbound message."""
    event = event_of(CONVERSATION | {"EventType": word, "Source": source, "Author": author, "Body": "Hello"})
    assert (event.type, event.direction, event.handle) == expected
    assert (event.payload["providerStatus"], event.provider_message_id) == (word, "IM1")


def test_a_body_alone_is_no_inbound_message() -> None:
    """A form with a SID of another product and a text is kept as it came."""
    event = event_of({"MessageSid": "IM1", "Body": "Hello"})
    assert (event.type, event.provider_message_id) == ("ProviderEventReceived", "IM1")
