"""No input makes an adapter raise anything but what it declares, take long, or give what cannot be stored."""

import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from adapters import ADAPTERS, PROVIDERS, interpret
from adapters.contract import InvalidSignature, Request, Unprocessable
from adapters.reading.bodies import MAX_FIELDS, parse_form
from adapters.reading.times import from_text, from_unix
from app.cli.support.http_file import read_request
from tests.fixtures import accounts, fixtures
from tests.support.costs import is_within, processor_time

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
#: Seconds of the reference machine's processor time that one request may take.
LIMIT = 0.05
#: Bytes of memory that one request may take: so many, and so many times its size. Small values in lists and objects take
#: some 30 times their text by themselves.
MEMORY = (1 << 20, 64)

ODD = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=40),
    st.sampled_from(
        ["", "0", "1772443770", "99999999999999999999", "a\x00b", "\ud800", "+15551234567", "US.123", "sent", "text"]
    ),
    st.lists(st.integers(), max_size=3),
    st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3),
)
each_provider = pytest.mark.parametrize("provider", PROVIDERS)
each_that_posts = pytest.mark.parametrize("provider", [name for name in PROVIDERS if fixtures(name)])
often = settings(max_examples=150)


def read(provider: str, request: Request) -> None:
    """Hold one request to the contract."""
    # The machine's own speed is only asked where a reading took long: there are thousands.
    if processor_time(lambda: read_once(provider, replace(request))) < LIMIT:
        return
    assert is_within(LIMIT, lambda: read_once(provider, replace(request)))


def read_once(provider: str, request: Request) -> None:
    adapter, values = ADAPTERS[provider], accounts(provider).values
    assert isinstance(adapter.recognise(request), bool)
    for act in (
        lambda: adapter.verify(request, values),
        lambda: adapter.handshake(request, values),
        lambda: adapter.answer(request),
    ):
        try:
            act()
        except InvalidSignature:
            continue
    try:
        found = interpret(request, provider)
    except Unprocessable as error:
        assert str(error)
    else:
        for event in found.events:
            written = orjson.dumps(
                [[[[event.payload, event.source_event_id, event.provider_message_id, event.message_id]]]]
            )
            assert b"\\u0000" not in written.replace(rb"\\", b"")  # a backslash before it makes it text
            assert event.handle is None or (event.handle.value and "\x00" not in event.handle.value)
        orjson.dumps(found.unprocessable)


def request_of(provider: str, body: bytes, kind: str = "application/json", **more: Any) -> Request:
    url = more.pop("url", "https://hooks.example.com/webhooks/aggregate")
    headers = {"content-type": kind, **more.pop("headers", {})}
    return Request(more.pop("method", "POST"), url, headers, body, AT, provider)


def places(value: Any, at: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value within a JSON document."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [at, *(path for key, item in inner for path in places(item, (*at, key)))]


def put(value: Any, at: tuple[Any, ...], new: Any) -> Any:
    if not at:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[at[0]] = put(value[at[0]], at[1:], new)
    return copy


@each_that_posts
@pytest.mark.parametrize("odd", [None, [7]], ids=["null", "list"])
def test_null_or_a_list_in_every_place_is_borne(provider: str, odd: Any) -> None:
    """A value of another type is read, or refused with a reason, in every place of every fixture in turn."""
    for file in fixtures(provider):
        came = read_request(file.read_bytes())
        if came.body[:1] not in (b"{", b"["):
            continue
        document = orjson.loads(came.body)
        for at in places(document):
            body = orjson.dumps(put(document, at, odd))
            with suppress(Unprocessable):
                interpret(Request(came.method, came.url(), came.headers, body, AT, provider), provider)


@each_that_posts
@often
@given(data=st.data())
def test_a_wrong_type_in_any_place_is_borne(provider: str, data: st.DataObject) -> None:
    """Whatever stands wherever in a request that is otherwise the provider's, it is read, or refused with a reason."""
    file = data.draw(st.sampled_from(fixtures(provider)))
    came = read_request(file.read_bytes())
    body = came.body
    if body[:1] in b"[{" and body:
        document = orjson.loads(body)
        for _ in range(data.draw(st.integers(1, 3))):
            at = data.draw(st.sampled_from(places(document)))
            document = put(document, at, data.draw(ODD))
        body = json_of(document)
    elif body:
        at = data.draw(st.integers(0, len(body)))
        body = body[:at] + data.draw(st.binary(max_size=12)) + body[at + data.draw(st.integers(0, 12)) :]
    read(provider, Request(came.method, came.url(), came.headers, body, AT, provider))


def json_of(document: Any) -> bytes:
    import json  # what orjson does not write, as lone surrogates and NaN, is what is wanted here

    return json.dumps(document).encode("utf-8", "surrogatepass")


@each_provider
@often
@given(
    body=st.binary(max_size=400),
    kind=st.sampled_from(
        [
            "",
            "application/json",
            "application/x-www-form-urlencoded",
            "multipart/form-data; boundary=x",
            "multipart/form-data",
        ]
    ),
    method=st.sampled_from(["POST", "GET"]),
    query=st.text(max_size=60),
    header=st.text(max_size=60),
)
def test_garbage_is_borne(provider: str, body: bytes, kind: str, method: str, query: str, header: str) -> None:
    """Random bytes under every content type, random signatures, random queries."""
    places = [place.partition(":") for place in accounts(provider).signature]
    names = ["authorization", *(name for kind, _, name in places if kind == "header")]
    url = f"https://hooks.example.com/webhooks/aggregate?{query}"
    read(provider, request_of(provider, body, kind, method=method, url=url, headers=dict.fromkeys(names, header)))


HARD: dict[str, Callable[[], tuple[bytes, str]]] = {
    "deep list": lambda: (b"[" * 200_000 + b"]" * 200_000, "application/json"),
    "deep list that orjson reads": lambda: (b"[" * 1000 + b"]" * 1000, "application/json"),
    "deep within an item": lambda: (
        b'[{"event":"new","sg_event_id":"1","x":' + b"[" * 900 + b"]" * 900 + b'},{"event":"open","sg_event_id":"2"}]',
        "application/json",
    ),
    "deep with a lone surrogate": lambda: (b'["\\ud800",' * 5000 + b"1" + b"]" * 5000, "application/json"),
    "huge number": lambda: (b'[{"event":"open","sg_event_id":1,"timestamp":' + b"9" * 5000 + b"}]", "application/json"),
    "huge exponent": lambda: (b'[{"event":"open","sg_event_id":"1","timestamp":1e999}]', "application/json"),
    "UTF-16": lambda: ('{"entry":[]}'.encode("utf-16"), "application/json"),
    "half a character": lambda: (b'{"entry":["\xe2\x82"]}', "application/json"),
    "many fields": lambda: (b"&".join(b"a%d=1" % i for i in range(100_000)), "application/x-www-form-urlencoded"),
    "many escapes": lambda: (b"a=" + b"%F0%9F" * 100_000, "application/x-www-form-urlencoded"),
    "many separators": lambda: (b"&" * 1_000_000, "application/x-www-form-urlencoded"),
    "many parts": lambda: (
        b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 20_000 + b"--x--\r\n",
        "multipart/form-data; boundary=x",
    ),
    "no end": lambda: (b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n', "multipart/form-data; boundary=x"),
    "long boundary": lambda: (b"x", f"multipart/form-data; boundary={'x' * 5000}"),
    "empty": lambda: (b"", "application/json"),
}


@each_provider
@pytest.mark.parametrize("name", HARD)
def test_hard_bodies_are_borne(provider: str, name: str) -> None:
    """Bodies made to exhaust a parser are refused in time, or read."""
    body, kind = HARD[name]()
    read(provider, request_of(provider, body, kind))


@each_provider
@pytest.mark.parametrize("name", HARD)
def test_hard_bodies_take_little_memory(provider: str, name: str) -> None:
    """A small multiple of what came in, whatever it is."""
    body, kind = HARD[name]()
    request = request_of(provider, body, kind)
    read_once(provider, replace(request))  # what is made once, at the first call, is not the request's
    tracemalloc.start()
    try:
        read_once(provider, request)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < MEMORY[0] + MEMORY[1] * len(body)


@pytest.mark.parametrize("provider", ("sendgrid", "whatsapp_cloud", "twilio", "envelope"))
def test_ids_that_are_absent_or_endless_spare_their_neighbours(provider: str) -> None:
    """In a batch the item without an id, or with one of a megabyte, is set apart, and the others become events."""
    batches: dict[str, Callable[[dict[str, str]], Any]] = {
        "sendgrid": lambda bad: [
            {"event": "open", "sg_event_id": "1"},
            {"event": "open", **bad},
            {"event": "open", "sg_event_id": "2"},
        ],
        "whatsapp_cloud": lambda bad: {
            "entry": [
                {
                    "changes": [
                        {
                            "value": {
                                "statuses": [
                                    {"id": "1", "status": "sent"},
                                    {"status": "sent", **bad},
                                    {"id": "2", "status": "sent"},
                                ]
                            }
                        }
                    ]
                }
            ]
        },
        "twilio": lambda bad: [{"id": "1", "type": "new", "data": {}}, 7, {"id": "2", "type": "new", "data": {}}],
        "envelope": lambda bad: [
            {"source": "a", "eventType": "message.sent", "data": {"messageId": "1"}},
            {"source": "a", "eventType": "message.sent", "data": {}},
            {"source": "a", "eventType": "message.sent", "data": {"messageId": "2"}},
        ],
    }
    for bad in ({}, {"id": "x" * 1_000_000, "sg_event_id": "x" * 1_000_000}):
        found = interpret(request_of(provider, orjson.dumps(batches[provider](bad))), provider)
        assert (len(found.events), len(found.unprocessable)) == (2, 1)
        assert found.unprocessable[0][1]


@given(st.text(st.characters(codec="utf-8") | st.sampled_from("%&=+;20AFaf"), max_size=200))
@example("a=%26&b")
@example("a=" + "%F0%9F%zz%4" * 200)
@example("%3D=1&%3d=2&=&&a")
@example("a=%C3&b=%A9&é=%C3é%A9")
@settings(max_examples=1500, deadline=None)
def test_the_form_parser_is_that_of_the_standard_library(text: str) -> None:
    """Quicker, and equal on all inputs."""
    assert parse_form(text) == parse_qsl(text, keep_blank_values=True)


def test_a_form_of_too_many_fields_is_refused() -> None:
    """The bound on fields holds, and one below it is read."""
    assert len(parse_form("&".join(["a=1"] * MAX_FIELDS))) == MAX_FIELDS
    with pytest.raises(Unprocessable):
        parse_form("&".join(["a=1"] * (MAX_FIELDS + 1)))


@given(st.one_of(st.integers(), st.floats(), st.text(max_size=30), st.none(), st.binary(max_size=3)))
def test_a_time_is_in_utc_since_2000_or_none(value: Any) -> None:
    """No number and no text makes a time that cannot be meant, or an error."""
    for read_time in (from_unix, from_text):
        found = read_time(value)
        assert found is None or (found.year >= 2000 and found.utcoffset() is not None)


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("Mon, 02 Mar 2026 09:29:10 +0000", "2026-03-02T09:29:10+00:00"),
        ("Mon, 02 Mar 2026 10:29:10 +0100", "2026-03-02T09:29:10+00:00"),
        ("2026-03-02T09:29:10.123Z", "2026-03-02T09:29:10.123000+00:00"),
        ("2026-03-02T09:29:10", "2026-03-02T09:29:10+00:00"),
        ("Thu, 01 Jan 1970 00:00:00 +0000", None),
        ("yesterday at noon", None),
    ],
)
def test_times_are_read_in_the_forms_that_providers_write(text: str, iso: str | None) -> None:
    """RFC 2822 and ISO 8601, with and without an offset, with the precision given; epoch 0 is no time."""
    found = from_text(text)
    assert (found.isoformat() if found else None) == iso
