"""What no field of an event holds stays in its payload as `native`: nothing that a provider says is dropped."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from adapters import interpret
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text, from_unix_or_millis
from schemas.events import Error, Event, Handle
from tests.fixtures import fixtures
from tests.unit.adapters.test_adapters import request_of
from tests.unit.adapters.test_kinds import PROVIDERS, leaves

CASES = [
    pytest.param(name, file, id=f"{name}/{file.stem}")
    for name in PROVIDERS
    if name not in ("mqtt", "standard_webhooks")  # these keep their whole body as content and data
    for file in fixtures(name)
]
#: Keys that are left out on purpose: our own number's id, what an event says by its type, direction and channel; what signs, counts or times the
#: request and not the message; the secret of the source's URL.
ALLOWED = frozenset(
    (
        "status Status CallStatus direction Direction channel type Type MessageType event_type eventType event kind"
        " webhook_event record_type platform service message_type messaging_product field action event.kind"
        " phone_number_id count webhook_timestamp attempt delivered_to messageCount pendingMessageCount version sig timestamp key apiKey integrationId integrationName"
        " isActive callSessionState updateType client_id clientid device_id application_id"
    ).split()
)
#: Keys whose value is read into another form: percent-coded or coded text, durations, coordinates, prices.
READ_OTHERWISE = frozenset(
    (
        "text content binary charset duration Duration durationInSeconds RecordingDurationMs RecordingEndMs"
        " latitude longitude Latitude Longitude lat long pricePerMessage price TotalAmount TotalCost amount"
        " price[amount] createdDatetime startTime endTime body frm_payload"
    ).split()
)


def held(value: Any) -> set[str]:
    """The texts of all leaves."""
    return {str(one) for one in walk(value)} | {str(one).removeprefix("+") for one in walk(value)}


def walk(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return [leaf for inner in value.values() for leaf in walk(inner)]
    if isinstance(value, list):
        return [leaf for inner in value for leaf in walk(inner)]
    return [value]


@pytest.mark.parametrize(("provider", "file"), CASES)
def test_every_leaf_of_a_body_is_found_in_an_event(provider: str, file: Path) -> None:
    """Each value of each fixture is in a field of an event or in its native, unless its key is on a list with a reason."""
    request = request_of(provider, file)
    found = interpret(request, provider)
    if request.method == "GET" or "urlencoded" in request.headers.get("content-type", ""):
        text = request.url.partition("?")[2] if request.method == "GET" else request.body.decode("utf-8", "replace")
        document: Any = dict(parse_qsl(text))
    else:
        document = json.loads(request.body)
    texts: set[str] = set()
    for event in found.events:
        handle, error = event.handle, event.error
        texts |= held(event.payload) | held([event.source_event_id, event.provider_message_id, event.message_id])
        texts |= held([handle and handle.value, error and error.code, error and error.text])
        if event.occurred_at is not None:
            texts.add(event.occurred_at.isoformat())
    for item, _ in found.unprocessable:
        texts |= held(item)
    parts = {part for text in texts for part in text.replace(":", "/").split("/")}
    for path in leaves(document):
        value = document
        for step in path:
            value = value[step]
        name = next(str(step) for step in reversed(path) if isinstance(step, str))
        if value is None or value is False or value == "" or name in ALLOWED or name in READ_OTHERWISE:
            continue
        time = from_unix_or_millis(value) or from_text(value)
        words = {str(value), str(value).removeprefix("+"), str(value).lower(), time.isoformat() if time else ""}
        assert words & (texts | parts), f"{'.'.join(map(str, path))}: {value!r} is in no event"


def event(**payload: Any) -> Event:
    return Event(
        "MessageDelivered",
        "any",
        "e1",
        provider_message_id="m1",
        handle=Handle("phone", "+15551234567"),
        occurred_at=datetime(2026, 3, 2, 9, 29, 30, tzinfo=UTC),
        error=Error("E77", "No such number", "unknown"),
        payload=payload,
    )


def test_only_the_rest_is_kept_each_value_in_its_place() -> None:
    """Ids, address, time and error are fields; so is what the payload has; null, empty and false values say nothing."""
    item = {
        "id": "m1",
        "to": "15551234567",
        "at": "2026-03-02T09:29:30Z",
        "unix": 1772443770,
        "error": {"code": "E77", "text": "No such number"},
        "carrier": "Operator",
        "none": None,
        "empty": "",
        "lists": [[], {}],
        "account": {"id": "acc-1", "flags": [True, False, 0]},
        "part": {"type": "text", "text": "Operator"},
    }
    made = keep_rest(event(carrier="Operator"), item)
    assert made.payload == {
        "carrier": "Operator",
        "native": {"account": {"id": "acc-1", "flags": [True, 0]}},
    }


def test_a_short_value_is_held_only_under_its_own_name() -> None:
    """`1` is the number of segments and, of another key, the number of tries: only the latter remains."""
    assert keep_rest(event(segments=1), {"segments": 1, "tries": 1}).payload == {"segments": 1, "native": {"tries": 1}}


def test_a_whole_item_is_not_kept_twice_and_a_read_key_not_at_all() -> None:
    """An unknown event has its item already; `read` names keys that the event says in its own words."""
    whole = Event("ProviderEventReceived", "any", "e1", payload={"native": {"a": 1}})
    assert keep_rest(whole, {"a": 1, "b": 2}).payload == {"native": {"a": 1}}
    assert keep_rest(event(), {"state": {"status": "at home"}}, read=("status",)).payload == {}
    nested = {"status": "delivered", "state": {"status": "at home"}}
    assert keep_rest(event(), nested, ("status",)).payload == {"native": {"state": {"status": "at home"}}}


def test_what_is_nested_deeper_than_searched_is_kept_as_text() -> None:
    """A deep item costs no more, and makes the event no deeper than it can be stored."""
    item: Any = {"leaf": "x-deep"}
    for _ in range(60):
        item = {"in": item}
    kept = json.dumps(keep_rest(event(), item).payload)
    assert "x-deep" in kept and kept.count("{") < 70
