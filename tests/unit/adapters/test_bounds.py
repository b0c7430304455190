"""What a webhook makes is bounded by what it is: in bytes, in events, in time, in characters that can be kept.

The requests are fixtures of every provider, changed as `tests.faults.mutations` does: lists repeated, texts without end,
words that nobody knows, NUL and lone surrogates in whatever encoding hides them. `make faults` has more of them, and real
Kafka and PostgreSQL behind.
"""

import json
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from adapters import ADAPTERS, BESIDES, ITEMS, PROVIDERS, TIMES, interpret
from adapters.contract import MAX_EVENTS, Normalized, Request, TooMuch, Unprocessable
from schemas import SchemaError
from schemas.events import MAX_ERROR_CODE, MAX_ERROR_TEXT, Error, Event, Handle
from tests.faults.mutations import HIDDEN, REPEATED, lengthen, mutated, widen
from tests.faults.trees import Place, Sample, lists, places, samples, words
from tests.fixtures import accounts

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
SAMPLES = {provider: found for provider in PROVIDERS if (found := samples(provider))}
each_provider = pytest.mark.parametrize("provider", SAMPLES)
#: Bytes that an event has by itself (ids, address, words), of which small items make as many as there are.
OWN = 700
#: What four times as large may take longer: linear is 4, square 16.
GROWTH = 9.0


def request_of(sample: Sample, root: list[Any]) -> Request:
    url, body = sample.written(root)
    return Request(sample.method, url, sample.headers, body, accounts(sample.provider, sample.name).at, sample.provider)


def written(events: list[Event]) -> int:
    """Bytes of events as JSON, as the log gets them."""
    return sum(
        len(
            orjson.dumps(
                [
                    e.payload,
                    e.source_event_id,
                    e.provider_message_id,
                    e.message_id,
                    e.echoed_message_id,
                    e.handle and e.handle.value,
                    e.error and [e.error.code, e.error.text],
                ]
            )
        )
        for e in events
    )


def normalized(request: Request) -> Normalized | None:
    """What the adapter alone makes, or None where it refuses."""
    try:
        return ADAPTERS[request.source].normalize(request)
    except (Unprocessable, TooMuch):
        return None


def pairs(sample: Sample, rng: Random) -> tuple[int, int]:
    """A list and a text of a sample, by their places."""
    root = sample.tree()
    return rng.randrange(len(lists(root)) or 1), rng.randrange(len(words(root)) or 1)


@each_provider
def test_nothing_is_copied_to_each_item_of_a_list(provider: str) -> None:
    """A long list beside a long text, or under a word that nobody knows: what an adapter makes is a small multiple of what
    came, so that a megabyte for 1,100 recipients is not 1,100 megabytes."""
    rng = Random(provider)
    with_lists = [sample for sample in SAMPLES[provider] if lists(sample.tree())]
    for sample in rng.choices(with_lists, k=20) if with_lists else []:
        at, word = pairs(sample, rng)
        root = sample.tree()
        place, text = lists(root)[at], words(root)[word]
        within = any(each.inside is text.inside and each.key == text.key for each in places([place.value]))
        if within or rng.random() < 0.5:
            text.put("zz_unknown")
        else:
            lengthen(text, "ab1 ", 12_000)
        widen(place, 12_000)
        request = request_of(sample, root)
        if found := normalized(request):
            size = len(request.body) + len(request.url)
            assert written(found.events) <= 4 * size + OWN * len(found.events) + (64 << 10), sample.name


@each_provider
def test_what_is_made_stays_within_its_bounds(provider: str) -> None:
    """Whatever the request, there is no more of events and of shown items than so many times its size, and each id, address
    and text of an error is as long as it may be, and can be kept."""
    rng = Random(f"{provider} bounds")
    for _ in range(30):
        sample = rng.choice(SAMPLES[provider])
        root = sample.tree()
        mutated(root, rng, rng.choice((300, 3000, 60_000)))
        request = request_of(sample, root)
        try:
            found = interpret(request, provider)
        except Unprocessable as error:
            assert str(error)
            continue
        size = len(request.body) + len(request.url)
        assert written(found.events) <= TIMES * size + BESIDES
        assert len(orjson.dumps([item for item, _ in found.unprocessable])) <= 1.1 * size + 2 * ITEMS
        for event in found.events:
            held_to_its_bounds(event)


def held_to_its_bounds(event: Event) -> None:
    for id in (event.source_event_id, event.provider_message_id, event.message_id, event.echoed_message_id):
        assert id is None or len(id) <= 512
    assert event.handle is None or len(event.handle.value) <= 2048
    if event.error is not None:
        assert len(event.error.code or "") <= MAX_ERROR_CODE
        assert len(event.error.text or "") <= MAX_ERROR_TEXT
    output = orjson.dumps(
        [[event.payload, event.source_event_id, event.handle, event.error]]
    )  # no lone surrogate passes
    assert b"\\u0000" not in output.replace(rb"\\", b"")


@each_provider
def test_no_encoding_hides_what_cannot_be_kept(provider: str) -> None:
    """NUL and lone surrogates, as they are and as JSON, forms, URLs, entities, base64 and quoted-printable write them, in every
    text of a request: none is in an event."""
    rng = Random(f"{provider} hidden")
    for sample in rng.choices(SAMPLES[provider], k=5):
        for hidden in HIDDEN:
            root = sample.tree()
            for place in rng.choices(words(root) or list(places(root)), k=2):
                place.put(hidden)
            try:
                found = interpret(request_of(sample, root), provider)
            except Unprocessable:
                continue
            for event in found.events:
                held_to_its_bounds(event)
            orjson.dumps(found.unprocessable)


def seconds(make: Callable[[], Request], *, tries: int = 3) -> float:
    """Processor time of one reading: the best of some, as the machine has other work."""
    best = float("inf")
    for _ in range(tries):
        request = make()
        began = time.thread_time()
        try:
            interpret(request, request.source)
        except Unprocessable:
            pass
        best = min(best, time.thread_time() - began)
    return best


def grows_square(make: Callable[[int], Request]) -> str | None:
    """Whether four times the size takes far more than four times as long, in words."""
    small, large = seconds(lambda: make(20_000), tries=1), seconds(lambda: make(80_000), tries=1)
    if large < 0.03 or large < GROWTH * small:
        return None
    small, large = seconds(lambda: make(20_000)), seconds(lambda: make(80_000))
    return f"{small:.3f} s, then {large:.3f} s" if large > 0.03 and large > GROWTH * small else None


@each_provider
def test_lists_take_time_by_their_size(provider: str) -> None:
    """Two lists of a body at once, as WhatsApp's contacts and messages: four times as many take some four times as long."""
    rng = Random(f"{provider} lists")
    with_lists = [sample for sample in SAMPLES[provider] if len(lists(sample.tree())) > 1]
    for sample in rng.choices(with_lists, k=6) if with_lists else []:
        chosen = rng.sample(range(len(lists(sample.tree()))), 2)

        def make(size: int, sample: Sample = sample, chosen: list[int] = chosen) -> Request:
            root = sample.tree()
            for place in [lists(root)[at] for at in chosen]:
                widen(place, size // 2)
            return request_of(sample, root)

        assert (slow := grows_square(make)) is None, f"{sample.name}, lists {chosen}: {slow}"


@each_provider
def test_texts_take_time_by_their_size(provider: str) -> None:
    """A text without end, of what costs readers of addresses, headers and markup most."""
    rng = Random(f"{provider} texts")
    for sample in rng.choices(SAMPLES[provider], k=10):
        _, at = pairs(sample, rng)
        unit = rng.choice(REPEATED)

        def make(size: int, sample: Sample = sample, at: int = at, unit: str = unit) -> Request:
            root = sample.tree()
            lengthen((words(root) or [Place(root, 0)])[at], unit, size)
            return request_of(sample, root)

        assert (slow := grows_square(make)) is None, f"{sample.name}, {unit!r} in text {at}: {slow}"


def one(provider: str, name: str) -> Sample:
    return next(sample for sample in SAMPLES[provider] if sample.name == name)


def test_a_report_of_an_unknown_status_is_kept_once_not_once_a_recipient() -> None:
    """Sinch and Telnyx: each recipient keeps what is reported of it alone."""
    body = json.loads(one("sinch", "batch_full").written(one("sinch", "batch_full").tree())[1])
    recipients = [f"1555{number:07d}" for number in range(1100)]
    body["statuses"] = [{"code": 0, "count": 1100, "status": "Sideways", "recipients": recipients}]
    body["client_note"] = "x" * 900_000
    request = Request("POST", "https://hooks.example.com/", {}, json.dumps(body).encode(), AT, "sinch")
    found = interpret(request, "sinch")
    assert len(found.events) == 1100
    assert {event.payload["native"]["recipient"] for event in found.events} == set(recipients)
    assert written(found.events) < 1_000_000

    telnyx = one("telnyx", "group")
    output = json.loads(telnyx.written(telnyx.tree())[1])
    output["data"]["payload"] |= {
        "to": [{"phone_number": f"+1555{number:07d}", "status": "sideways"} for number in range(100)], "text": "x" * 900_000,
    }  # fmt: skip
    found = interpret(
        Request("POST", "https://hooks.example.com/", {}, json.dumps(output).encode(), AT, "telnyx"), "telnyx"
    )
    assert len(found.events) == 100
    assert written(found.events) < 200_000


def test_a_name_is_found_among_thousands_of_contacts() -> None:
    """Of WhatsApp's contacts the sender's, by number or by user id, the first that there is."""
    contacts = [{"wa_id": f"1555{n:07d}", "profile": {"name": f"n{n}"}} for n in range(4000)]
    contacts.insert(0, {"wa_id": "15550000007"})  # without a profile
    contacts += [
        {"wa_id": "15550000007", "profile": {"name": "later"}},
        {"user_id": "US.1", "profile": {"username": "u"}},
    ]
    messages = [
        {"id": f"m{n}", "type": "text", "text": {"body": "x"}, "from": f"1555{n:07d}", "timestamp": "1772443770"}
        for n in range(4000)
    ] + [{"id": "last", "type": "text", "text": {"body": "x"}, "from_user_id": "US.1"}]
    value = {"contacts": contacts, "messages": messages}
    body = json.dumps({"object": "whatsapp_business_account", "entry": [{"changes": [{"value": value}]}]}).encode()
    found = interpret(Request("POST", "https://hooks.example.com/", {}, body, AT, "whatsapp_cloud"), "whatsapp_cloud")
    assert [event.payload["displayName"] for event in found.events[:-1]] == [f"n{n}" for n in range(4000)]
    assert found.events[-1].payload["username"] == "u"


def test_nul_hidden_in_a_forms_json_is_found() -> None:
    """Mandrill's events are JSON in a form, whose escapes may be escaped."""
    events = '[{"event":"hard_bounce","_id":"a\\u0000b","ts":1772443770,"msg":{"email":"ana@example.com","diag":"x\\u0000y"}}]'
    for body in (quote(events), "".join(f"%{byte:02X}" for byte in events.encode())):
        request = Request(
            "POST", "https://hooks.example.com/", {"content-type": "application/x-www-form-urlencoded"},
            f"mandrill_events={body}".encode(), AT, "mandrill",
        )  # fmt: skip
        (event,) = interpret(request, "mandrill").events
        assert event.provider_message_id == "a\ufffdb"
        assert event.error is not None and event.error.text == "x\ufffdy"


def test_an_errors_text_is_bounded_whoever_makes_it() -> None:
    """Of a longer one the beginning is kept, also of one that an older log holds."""
    error = Error("c" * 900_000, "\x01" * 900_000, "unknown")
    assert (len(error.code or ""), len(error.text or "")) == (MAX_ERROR_CODE, MAX_ERROR_TEXT)
    assert Error(None, None, "unknown") == Error(None, None, "unknown")


def made_of(monkeypatch: pytest.MonkeyPatch, *events: Event) -> Normalized:
    """What becomes of the events that an adapter makes."""
    talkative = replace(ADAPTERS["mqtt"], name="talkative", normalize=lambda _: Normalized(list(events)))
    monkeypatch.setitem(ADAPTERS, "talkative", talkative)
    return interpret(Request("POST", "https://x.example/", {}, b"{}", AT, "talkative"), "talkative")


def test_an_id_beyond_its_bound_is_refused_never_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cut, two that differ at their ends would be one; its neighbours become events."""
    good = Event("MessageDelivered", "talkative", "1")
    for bad in (
        Event("MessageDelivered", "talkative", "x" * 513),
        Event("MessageDelivered", "talkative", "2", provider_message_id="x" * 900_000),
        Event("MessageDelivered", "talkative", "2", message_id="x" * 900_000),
        Event("MessageDelivered", "talkative", "2", handle=Handle("other", "x" * 900_000)),
    ):
        found = made_of(monkeypatch, good, bad)
        assert found.events == [good]
        assert "more than" in found.unprocessable[0][1]


def test_a_webhook_that_makes_too_much_is_refused_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    """By count as by bytes: half of its events would look like all."""
    with pytest.raises(Unprocessable, match="more than 5000 events"):
        made_of(monkeypatch, *[Event("MessageDelivered", "talkative", str(n)) for n in range(MAX_EVENTS + 1)])
    large = {"native": "x" * 100_000}
    with pytest.raises(Unprocessable, match="times its size"):
        made_of(monkeypatch, *[Event("ProviderEventReceived", "talkative", str(n), payload=large) for n in range(50)])


def test_thousands_of_bad_envelopes_are_reported_in_time() -> None:
    """The first faults of a webhook are described, the rest is only counted."""
    bad = {"source": "a", "eventType": "message.sent", "data": {"messageId": "1", "channel": "pigeon"}}
    body = orjson.dumps([bad] * 5000)
    request = Request("POST", "https://hooks.example.com/", {}, body, AT, "envelope")
    with pytest.raises(SchemaError) as worded:
        raise_first(bad)
    took = seconds(lambda: Request("POST", "https://hooks.example.com/", {}, body, AT, "envelope"))
    found = interpret(request, "envelope")
    assert len(found.unprocessable) == 5000
    assert found.unprocessable[0][1] == f"$[0].data{str(worded.value)[1:]}"
    assert found.unprocessable[-1][1].startswith("$[4999] does not fit")
    assert took < 1.0


def raise_first(envelope: dict[str, Any]) -> None:
    from schemas import validate

    validate("UserMessageSent", envelope["data"], "relayed")
