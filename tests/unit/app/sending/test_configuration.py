"""A client's configuration: what its JSON means, and where it is at fault."""

from typing import Any

import pytest

from app.sending.configuration import Callback, Client, Fallback, Retry, Route, parse
from schemas import SchemaError

SMS = {"channel": "sms", "account": "twilio"}
HOURS = {"mon-fri": ["09:00-20:00"]}
WHOLE: dict[str, Any] = {
    "channels": [
        {"channel": "whatsapp", "account": "whatsapp_cloud"},
        {"channel": "sms", "account": "twilio", "sender": "+15550001111", "rate": 2.5, "concurrency": 4},
    ],
    "windows": {"sms": HOURS},
    "holidays": ["2026-12-25", "01-01"],
    "zone": "Europe/Lisbon",
    "retry": {"attempts": 3, "first": 1, "longest": 60},
    "fallback": {"onFailure": True, "after": 600},
    "unanswered": "resend",
    "exempt": ["transactional"],
    "expiresAfter": 86400,
    "callback": {"url": "https://shop.example.com/hook?x=1", "types": ["message.delivered"]},
}


def document(**changed: Any) -> dict[str, Any]:
    """The smallest document, with these keys."""
    return {"channels": [SMS]} | changed


def test_the_smallest_document_has_the_defaults() -> None:
    """One channel is enough."""
    assert parse("shop", 3, document()) == Client("shop", 3, (Route("sms", "twilio"),))


def test_a_whole_document_is_read() -> None:
    """Every key finds its place; a burst is by default that of a second, at least one."""
    client = parse("shop", 1, WHOLE)
    whatsapp, sms = client.routes
    assert whatsapp == Route("whatsapp", "whatsapp_cloud")
    assert (sms.sender, sms.rate, sms.burst, sms.concurrency) == ("+15550001111", 2.5, 3, 4)
    assert sms.windows is not None and client.route("sms") is sms and client.route("email") is None
    assert client.zone == "Europe/Lisbon"
    assert client.retry == Retry(3, 1, 60)
    assert client.fallback == Fallback(True, 600)
    assert (client.unanswered, client.exempt, client.expires_after) == ("resend", frozenset({"transactional"}), 86400)
    assert client.callback == Callback("https://shop.example.com/hook?x=1", ("message.delivered",))


def test_a_whole_number_is_an_int() -> None:
    """JSON knows 3.0 for one too; what counts with it would not."""
    route = SMS | {"burst": 2.0, "concurrency": 4.0}
    client = parse("shop", 1, document(channels=[route], retry={"attempts": 3.0}))
    numbers = (client.retry.attempts, client.routes[0].burst, client.routes[0].concurrency)
    assert numbers == (3, 2, 4)
    assert {type(one) for one in numbers} == {int}


def test_holidays_of_all_are_those_of_each_channel() -> None:
    """As if they stood in the channel's own windows, once."""
    shared = parse("shop", 1, document(windows={"sms": HOURS | {"holidays": ["12-25"]}}, holidays=["12-25", "01-01"]))
    own = parse("shop", 1, document(windows={"sms": HOURS | {"holidays": ["12-25", "01-01"]}}))
    assert shared == own
    assert shared != parse("shop", 1, document(windows={"sms": HOURS | {"holidays": ["12-25"]}}))


FAULTS: list[tuple[Any, str, str]] = [
    ({}, "$.channels", "is required"),
    ([], "$", "must be an object"),
    (document(chanels=[]), "$.chanels", "is not known here; there are: channels, windows"),
    (document(channels=[]), "$.channels", "fewer than 1"),
    (document(channels=[SMS] * 9), "$.channels", "more than 8"),
    (document(channels=[SMS, SMS]), "$.channels[1].channel", "named twice"),
    (document(channels=[{"channel": "sms"}]), "$.channels[0].account", "is required"),
    (document(channels=[SMS | {"channel": "fax"}]), "$.channels[0].channel", "must be one of: sms, email"),
    (document(channels=[SMS | {"account": "a/b"}]), "$.channels[0].account", "must look like"),
    (document(channels=[SMS | {"sender": "a\nb"}]), "$.channels[0].sender", "must look like"),
    (document(channels=[SMS | {"sender": "a\x00"}]), "$.channels[0].sender", "must look like"),
    (document(channels=[SMS | {"rate": 0}]), "$.channels[0].rate", "at least 0.001"),
    (document(channels=[SMS | {"rate": 10001}]), "$.channels[0].rate", "at most 10000"),
    (document(channels=[SMS | {"rate": "5"}]), "$.channels[0].rate", "must be a number, not a string"),
    (document(channels=[SMS | {"burst": 0}]), "$.channels[0].burst", "at least 1"),
    (document(channels=[SMS | {"concurrency": 1025}]), "$.channels[0].concurrency", "at most 1024"),
    (document(windows={"fax": HOURS}), "$.windows", "must be one of"),
    (document(windows={"email": HOURS}), "$.windows.email", "no email among the channels: sms"),
    (document(windows={"sms": {"someday": ["09:00-20:00"]}}), "$.windows.sms", ""),
    (document(windows={"sms": {"mon": 9}}), "$.windows.sms.mon", "must be a string or a list"),
    (document(windows={"sms": HOURS | {"holidays": ["2026-02-30"]}}), "$.windows.sms.holidays", ""),
    (document(holidays=["2026-02-30"]), "$.holidays", ""),
    (document(holidays=["12-25"] * 401), "$.holidays", "more than 400"),
    (document(zone="Europe/Lisboa"), "$.zone", ""),
    (document(zone=""), "$.zone", "must not be empty"),
    (document(retry={"attempts": 0}), "$.retry.attempts", "at least 1"),
    (document(retry={"first": 700}), "$.retry.first", "at most retry.longest, which is 600"),
    (document(retry={"tries": 3}), "$.retry.tries", "there are: attempts, first, longest"),
    (document(fallback={"after": 0}), "$.fallback.after", "at least 1"),
    (document(fallback={"onFailure": "yes"}), "$.fallback.onFailure", "must be true or false"),
    (document(unanswered="drop"), "$.unanswered", "must be one of: hold, resend"),
    (document(exempt=["Marketing!"]), "$.exempt[0]", "must look like"),
    (document(expiresAfter=0), "$.expiresAfter", "at least 1"),
    (document(callback={}), "$.callback.url", "is required"),
    (
        document(callback={"url": "https://x.example", "types": ["message.delivred"]}),
        "$.callback.types[0]",
        "delivered",
    ),
]


@pytest.mark.parametrize(("output", "path", "words"), FAULTS)
def test_a_fault_is_reported_with_its_path(output: Any, path: str, words: str) -> None:
    """Where it is, and what is wanted there."""
    with pytest.raises(SchemaError) as raised:
        parse("shop", 1, output)
    # Those without words are worded by `windows` and `zones`, which say more of the place.
    assert raised.value.path == path if words else raised.value.path.startswith(path)
    assert words in raised.value.message


URLS = [
    "http://shop.example.com/hook",
    "ftp://shop.example.com",
    "https://",
    "https:///hook",
    "//shop.example.com",
    "https://user:secret@shop.example.com",
    "https://user@shop.example.com",
    "https://shop.example.com/#x",
    "https://shop.example.com:99999",
    "https://shop.example.com:0",
    "https://shop.example.com\\@evil.example",
    "https://shop.example.com/a b",
    "https://shop.example.com/\r\nx: y",
    "https://caf\u00e9.example",
    "https://[::1",
]


@pytest.mark.parametrize("url", URLS)
def test_a_callback_is_an_https_url(url: str) -> None:
    """Nothing else, no credentials in it, and the value is not repeated."""
    with pytest.raises(SchemaError) as raised:
        parse("shop", 1, document(callback={"url": url}))
    assert raised.value.path == "$.callback.url"
    assert "secret" not in str(raised.value)


def test_http_is_for_the_hosts_of_the_setting() -> None:
    """In any case of letters; no other host gains by it; and what was looked at when it was set is believed."""
    local = document(callback={"url": "http://LocalHost:8080/hook"})
    assert parse("shop", 1, local, ["localhost"]).callback == Callback("http://LocalHost:8080/hook")
    assert parse("shop", 1, local, None).callback is not None
    with pytest.raises(SchemaError, match=r"callbacks\.http_hosts"):
        parse("shop", 1, document(callback={"url": "http://localhost.example/"}), ["localhost"])
