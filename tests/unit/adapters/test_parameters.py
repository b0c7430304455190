"""What a source's own URL adds to a webhook: its secret, which no event keeps, and its channel, which one may lack."""

import json
from datetime import UTC, datetime

import pytest

from adapters import interpret
from adapters.contract import Request
from adapters.reading.own_ids import callback_url
from adapters.reading.parameters import channel_of, given
from schemas.events import Event

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SECRET = "a-secret-of-the-url"
STATUSES = {
    "clickatell": "integrationName=Shop&messageId=m1&statusCode=999",
    "jasmin": "id=m1&message_status=ZZ&level=2",
    "kaleyra": "id=m1&kid=m1&status=ZZ&status_trace=ZZ&recipient=15551234567",
    "messagebird": "id=m1&recipient=15551234567&status=zz&statusReason=r&statusDatetime=2026-03-02T09:29:40Z",
    "plivo": "MessageUUID=m1&Status=zz&From=15550001111&To=15551234567&Type=sms",
    "vonage": "messageId=m1&msisdn=15551234567&status=zz&err-code=0&message-timestamp=2026-03-02+09:29:40",
}


def got(provider: str, query: str) -> Request:
    return Request("GET", f"https://hooks.example.com/webhooks/aggregate/{provider}?{query}", {}, b"", AT, provider)


def one(request: Request) -> Event:
    (event,) = interpret(request, request.source).events
    return event


@pytest.mark.parametrize("provider", STATUSES)
def test_the_secret_of_a_url_is_in_no_event(provider: str) -> None:
    """Neither of an unknown word, whose parameters are kept whole, nor in what remains of a known one."""
    event = one(got(provider, f"key={SECRET}&{STATUSES[provider]}"))
    assert event.type == "ProviderEventReceived" and event.provider_message_id == "m1"
    assert SECRET not in json.dumps(event.payload)


def test_our_message_id_in_a_url_is_no_parameter_of_the_provider() -> None:
    url = callback_url("https://hooks.example.com/webhooks/aggregate/jasmin?id=m1", "msg_1")
    assert given(Request("GET", url, {}, b"", AT, "jasmin")) == [("id", "m1")]


def test_the_parameters_of_a_provider_are_all_the_others() -> None:
    """In their order, with blank ones and repeated names."""
    assert given(got("any", f"b=2&key={SECRET}&a=&b=3")) == [("b", "2"), ("a", ""), ("b", "3")]


@pytest.mark.parametrize(
    ("query", "channel"),
    [("channel=rcs", "rcs"), ("a=1&channel=whatsapp&b=2", "whatsapp"), ("channel=pigeon", None), ("", None)],
)
def test_a_url_names_a_channel_of_ours(query: str, channel: str | None) -> None:
    """Another word is none."""
    assert channel_of(got("any", query)) == channel


def zenvia(channel: str, query: str = "") -> Event:
    status = {"timestamp": "2026-03-02T09:29:30Z", "code": "SENT"}
    body = {"id": "e1", "type": "MESSAGE_STATUS", "channel": channel, "messageId": "m1", "messageStatus": status}
    url = f"https://hooks.example.com/webhooks/aggregate/zenvia{query}"
    return one(Request("POST", url, {"content-type": "application/json"}, json.dumps(body).encode(), AT, "zenvia"))


def test_a_message_that_does_not_say_its_channel_has_that_of_the_url() -> None:
    """What the provider says counts first; without either, the event takes the channel of the message that it joins."""
    assert zenvia("new").channel is None
    assert zenvia("new", "?channel=chat").channel == "chat"
    assert zenvia("sms", "?channel=chat").channel == "sms"
