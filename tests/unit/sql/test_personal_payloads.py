"""What the schemas mark is sealed and opens unchanged, in events of every type; the rest stays as it was."""

import random
from base64 import b64encode
from collections.abc import Iterator
from copy import deepcopy
from functools import reduce
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import SCHEMAS, SchemaError
from schemas.events import EVENT_TYPES
from schemas.personal import REQUEST, personal_paths
from sql.errors import Unstorable
from sql.parameters import clean
from sql.personal import HandleKey, open_payload, seal_payload
from sql.personal.keys import new_salt
from sql.personal.opened import Memo
from sql.personal.payloads import PREFIX, plan_of, walk
from sql.personal.recent import Recent
from sql.sealing import Tampered

ROOT, SALT = bytes(range(32)), new_salt()
ANA, BEN = HandleKey(UUID(int=1), SALT, ROOT), HandleKey(UUID(int=2), SALT, ROOT)
RECENT = Recent(60.0, most=1 << 30)
RECENT.on, ANA.recent = True, RECENT
FIXTURES = [
    file
    for file in sorted((Path(__file__).parents[2] / "fixtures").rglob("*.json"))
    if file.with_suffix(".http").exists()
]
#: Fewest characters of a text that is searched for: shorter ones occur in base64 by chance.
LONG = 8


def canonical(value: Any) -> bytes:
    """The JSON with sorted keys."""
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)


def texts(value: Any) -> Iterator[str]:
    """All texts in a value, the names of its keys and long numbers too."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield name
            yield from texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)
    elif isinstance(value, str | int | float):
        yield str(value)


def forms(text: str) -> Iterator[bytes]:
    """A text as it is, and in every coding in which it might be left by accident."""
    for one in {text, text.swapcase(), text.lower(), text.upper(), text[::-1]}:
        data = one.encode()
        yield orjson.dumps(one)[1:-1]
        yield data.hex().encode()
        yield quote(one, safe="").encode()
        for shift in range(3):  # the whole groups of four, wherever the text began
            yield b64encode(b" " * shift + data)[4 if shift else 0 : (shift + len(data)) // 3 * 4]


def spoil(value: Any) -> None:
    """Change what can be changed within a value."""
    for inner in list(value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()):
        spoil(inner)
    if isinstance(value, dict | list):
        value.clear()


def split(type: str, payload: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """The personal values of a payload, and the payload without them."""
    found: list[Any] = []

    def each(place: bytes, value: Any) -> None:
        found.append(value)

    def name(key: str) -> tuple[str, str]:
        found.append(key)
        return str(len(found)), key

    rest = walk(plan_of(type), payload, each, name)
    return found, rest


def check(type: str, payload: dict[str, Any]) -> None:
    """Seal and open a payload; look for what was personal in what is sealed."""
    sealed = seal_payload(type, payload, ANA)
    assert canonical(open_payload(type, sealed, lambda _: ANA)) == canonical(payload)
    assert list(open_payload(type, sealed, lambda _: ANA)) == list(sealed) == list(payload)
    assert canonical(seal_payload(type, payload, ANA)) == canonical(sealed)
    for _ in range(2):  # by what was kept of the sealing, which who gets it cannot change
        again = open_payload(type, deepcopy(sealed), lambda _: ANA, Memo(RECENT))
        assert canonical(again) == canonical(open_payload(type, sealed, lambda _: ANA))
        assert list(again) == list(payload)
        spoil(again)
    personal, rest = split(type, payload)
    written, open_text = orjson.dumps(sealed), orjson.dumps(rest)
    for text in {text for value in personal for text in texts(value)}:
        if len(text) >= LONG:
            # A text that is also in a property without a mark (an id, a status) is not hidden by sealing the other one.
            assert not [form for form in forms(text) if form in written and form not in open_text], text


@pytest.mark.parametrize("folder", sorted({file.parent for file in FIXTURES}), ids=lambda folder: folder.name)
def test_events_of_all_providers_are_sealed_and_open_unchanged(folder: Path) -> None:
    """Those that the adapters make of the providers' own examples."""
    for file in FIXTURES:
        if file.parent == folder:
            for event in orjson.loads(file.read_bytes()):
                if "type" in event:  # else an item that cannot be processed
                    check(event["type"], event["payload"])


def test_requests_are_sealed_too() -> None:
    """The address, the text and a template's variables; what the sender needs to plan stays."""
    request = {
        "channel": "sms",
        "to": {"sms": "+15551234567", "email": "ana@example.com"},
        "body": "Your code is 123456789",
        "variables": {"name": "Ana Maria Lopez"},
        "content": {"text": "Your order is on its way"},
        "notBefore": "2026-11-21T12:00:00Z",
    }
    check(REQUEST, request)
    sealed = seal_payload(REQUEST, request, ANA)
    assert {key for key in request if sealed[key] != request[key]} == {"to", "body", "variables", "content"}
    assert seal_payload("MessageRequested", {"content": request["content"]}, ANA)["content"] == sealed["content"]


@pytest.mark.parametrize("type", EVENT_TYPES)
def test_the_examples_of_all_types_are_sealed_and_open_unchanged(type: str) -> None:
    """Those of the schemas."""
    for example in SCHEMAS[type]["examples"]:
        check(type, example)


SECRET = st.integers(0, 2**60).map(lambda seed: "Zq" + random.Random(seed).randbytes(9).hex() + "é")
LEAF = st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | SECRET | st.text()
JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | SECRET, inner, max_size=3)
)
#: Every property that any schema names, some of them with the shape that it should have.
NAMES = st.sampled_from(
    sorted(set(SCHEMAS["definitions"]["$defs"]["fact"]["properties"]) | {"note", "agent", "references", "until"})
)
CONTENT = st.dictionaries(
    st.sampled_from(sorted(SCHEMAS["definitions"]["$defs"]["content"]["properties"])) | SECRET, JSON, max_size=5
)
SHAPED = st.fixed_dictionaries(
    {},
    optional={
        "content": CONTENT | JSON,
        "error": st.fixed_dictionaries({}, optional={"code": st.just("30003"), "text": SECRET, "more": JSON}) | JSON,
        "handle": st.fixed_dictionaries({"kind": st.just("phone"), "value": SECRET}, optional={"more": JSON}) | JSON,
        "handles": st.lists(st.fixed_dictionaries({"kind": st.just("email"), "value": SECRET}), max_size=3) | JSON,
        "price": st.fixed_dictionaries({"amount": st.just("1.0")}, optional={"payer": SECRET}) | JSON,
    },
)
PAYLOADS = st.builds(
    lambda one, other, third: one | other | third,
    st.dictionaries(NAMES, JSON, max_size=5),
    st.dictionaries(st.text(max_size=6) | st.just(PREFIX + "AAAA"), JSON, max_size=3),
    SHAPED,
)


def storable(payload: Any) -> bool:
    """Whether JSON and PostgreSQL can hold it."""
    try:
        return b"\\u0000" not in orjson.dumps(payload)
    except TypeError:  # a lone surrogate
        return False


@given(st.sampled_from(list(EVENT_TYPES)), PAYLOADS.filter(storable))
def test_any_payload_is_sealed_and_opens_unchanged(type: str, payload: dict[str, Any]) -> None:
    """Of whatever shape, also one that the schemas refuse."""
    check(type, payload)


@given(st.sampled_from(list(EVENT_TYPES)), SHAPED.filter(storable))
def test_what_is_not_marked_stays(type: str, payload: dict[str, Any]) -> None:
    """Every marked path has sealed texts, and nothing else has."""
    sealed, marked = seal_payload(type, payload, ANA), personal_paths(type)
    assert not [text for text in texts(split(type, sealed)[1]) if text.startswith(PREFIX)]
    if isinstance(payload.get("error"), dict) and payload["error"].get("text") is not None:
        assert ("error", "text") in marked
        assert sealed["error"]["text"].startswith(PREFIX)
        assert sealed["error"].get("code") == payload["error"].get("code")


def test_a_text_that_looks_sealed_is_sealed_too() -> None:
    """A customer may write what a sealed text looks like, and name a key so."""
    inner = seal_payload("MessageReceived", {"from": "+15551234567"}, ANA)["from"]
    payload = {"from": inner, "content": {"text": inner, inner: "x"}, "another": inner}
    check("MessageReceived", payload)


def test_a_value_opens_in_its_own_place_alone() -> None:
    """Not in another property, under another unlisted key, or for another handle."""
    payload = {"from": "+15551234567", "to": "+15550001111", "a": "x", "content": {"text": "t", "b": "y"}}
    sealed = seal_payload("MessageReceived", payload, ANA)
    for changed in (
        sealed | {"to": sealed["from"]},
        sealed | {"b": sealed["a"]},
        sealed | {"content": sealed["content"] | {"subject": sealed["content"]["text"]}},
        sealed | {"from": "+15551234567"},
        sealed | {"content": {"text": "t"}},
        sealed | {"content": sealed["content"] | {"b": sealed["content"]["text"]}},
        sealed | {"to": PREFIX + "not base64"},
        sealed | {"to": PREFIX + "é"},
        sealed | {"to": PREFIX},
    ):
        with pytest.raises(Tampered):
            open_payload("MessageReceived", changed, lambda _: ANA)
    with pytest.raises(Tampered):
        open_payload("MessageReceived", sealed, lambda _: BEN)


def join(a: dict[str, Any], b: dict[str, Any]) -> dict[str, Any]:
    """Join contents as `content_join` of the database does: key by key, the value whose JSON is least."""
    both = [(key, orjson.dumps(value)) for one in (a, b) for key, value in one.items() if value is not None]
    return {key: orjson.loads(min(text for name, text in both if name == key)) for key, _ in both}


def joined(contents: list[dict[str, Any]]) -> dict[str, Any]:
    """Join contents in their order."""
    nothing: dict[str, Any] = {}
    return reduce(join, contents, nothing)


def sealed_content(content: dict[str, Any]) -> dict[str, Any]:
    """A sealed content of Ana's."""
    sealed: dict[str, Any] = seal_payload("MessageReceived", {"content": content}, ANA)["content"]
    return sealed


@given(st.lists(CONTENT.filter(storable), min_size=1, max_size=4), st.randoms())
def test_sealed_contents_join_in_any_order(contents: list[dict[str, Any]], order: random.Random) -> None:
    """However often and in whatever order they come, the result is the same; each of its values is one of those that were
    given under its key, and every key is there that the join of the plain contents has."""
    sealed = [sealed_content(content) for content in contents]
    once = joined(sealed)
    again = sealed * 2
    order.shuffle(again)
    assert joined(again) == once
    opened = open_payload("MessageReceived", {"content": once}, lambda _: ANA)["content"]
    assert opened.keys() == joined(contents).keys()
    for key, value in opened.items():
        assert canonical(value) in {canonical(content[key]) for content in contents if key in content}


def test_the_order_of_keys_within_a_value_does_not_matter() -> None:
    """As it does not in the database."""
    one, other = {"media": [{"url": "u", "type": "t"}]}, {"media": [{"type": "t", "url": "u"}]}
    assert sealed_content(one) == sealed_content(other)


def test_the_same_content_is_sealed_the_same_in_events_of_two_types() -> None:
    """A service's request and a provider's report of one message are joined."""
    payload = {"to": "+15551234567", "content": {"text": "Hello"}}
    assert seal_payload("MessageRequested", payload, ANA) == seal_payload("UserMessageSent", payload, ANA)


def test_what_postgresql_cannot_hold_is_replaced_as_the_store_does() -> None:
    """NUL and lone surrogates become U+FFFD before they are sealed; what is not JSON is refused."""
    sealed = seal_payload("MessageReceived", {"from": "a\x00b\ud800", "content": {"text": ["\x00"]}}, ANA)
    assert open_payload("MessageReceived", sealed, lambda _: ANA) == {
        "from": "a\ufffdb\ufffd",
        "content": {"text": ["\ufffd"]},
    }
    named = {"a\x00": "x", "content": {"b\ud800": "y"}, "error": {"c\x00\ud800": "z"}}
    stored = clean(seal_payload("MessageReceived", named, ANA))
    assert open_payload("MessageReceived", stored, lambda _: ANA) == clean(named)
    with pytest.raises(Unstorable):
        seal_payload("MessageReceived", {"native": 2**70}, ANA)


def test_an_error_names_no_key_that_the_schema_does_not_list() -> None:
    """Since such a name may be personal."""
    for payload in ({"Ana Lopez": "x"}, {"error": {"Ana Lopez": "x"}}, {"content": {"Ana Lopez": "x"}}):
        with pytest.raises(Tampered) as raised:
            open_payload("MessageReceived", payload, lambda _: ANA)
        assert "not sealed" in str(raised.value) and "Ana" not in str(raised.value)


def test_an_unknown_type_is_an_error() -> None:
    """It has no schema that says what is personal."""
    with pytest.raises(SchemaError, match="no event type"):
        seal_payload("Unknown", {}, ANA)
