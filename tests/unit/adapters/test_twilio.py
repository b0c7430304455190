"""What is particular to Twilio: its signature's URL, bodies that are no form, identity of facts, what its words mean."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime
from urllib.parse import urlencode

import pytest

from adapters import interpret, twilio
from adapters.base import InvalidSignature, Request
from adapters.twilio.errors import REASONS
from schemas.events import Event

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
    """EventType READ is said beside a status that may be older."""
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


def test_a_sip_address_is_told_from_a_number() -> None:
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
