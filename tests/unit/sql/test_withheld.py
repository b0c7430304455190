"""What is left of events whose client does not want all of it stored."""

import random
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import SCHEMAS
from schemas.documents import check
from schemas.events import CHANNELS, EVENT_TYPES, Error
from schemas.personal import REQUEST
from sql.personal.payloads import plan_of
from sql.personal.withheld import (
    MODES,
    Contents,
    Mode,
    contents_of,
    strictest,
    withhold_error,
    withhold_payload,
    withhold_text,
)

WORD = "Krautkopf"
TYPES = [*EVENT_TYPES, REQUEST]
VALUES = st.recursive(
    st.just(WORD) | st.integers() | st.booleans() | st.none() | st.just(""),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "text", WORD]), inner, max_size=3)
    ),
    max_leaves=8,
)
PERSONAL = ("content", "displayName", "subject", "url", "userAgent", "ip", "native", "username", "note", "unknown")
PAYLOADS = st.dictionaries(st.sampled_from(PERSONAL), VALUES, max_size=5)
CONTENTS = st.dictionaries(st.sampled_from(["text", "subject", "html", "media", WORD, "mine"]), VALUES, max_size=5)
SAID: dict[str, Any] = {
    "providerMessageId": "SM1",
    "channel": "sms",
    "from": "+15551234567",
    "to": "+15550001111",
    "handle": {"kind": "phone", "value": "+15551234567", "owner": WORD},
    "handles": [{"kind": "email", "value": "ana@example.com", "label": WORD}],
    "content": {"text": WORD, "media": [{"url": WORD}, {}], "location": None, WORD: 1},
    "displayName": "Ana",
    "price": {"amount": 1, "currency": "EUR", "note": WORD},
    "unknown": {"a": WORD},
}


@pytest.mark.parametrize("mode", ["mask", "drop"])
@given(payload=PAYLOADS, content=CONTENTS, type=st.sampled_from(TYPES))
def test_nothing_personal_is_left(mode: Mode, payload: dict[str, Any], content: dict[str, Any], type: str) -> None:
    """Whatever its shape and however deep it stands; nor a key of the content that its schema does not have."""
    left = withhold_payload(type, payload | {"content": content}, mode)
    plan = plan_of(type)
    unmarked = {name: value for name, value in left.items() if name in plan.named and not plan.named[name].touched}
    assert WORD.encode() not in orjson.dumps({name: value for name, value in left.items() if name not in unmarked})


@pytest.mark.parametrize("mode", ["mask", "drop"])
@given(payload=PAYLOADS, content=CONTENTS, seed=st.integers(0, 9))
def test_it_depends_on_the_value_alone(mode: Mode, payload: dict[str, Any], content: dict[str, Any], seed: int) -> None:
    """The order of keys makes no difference, so a repeat that is written otherwise is the same."""
    keys = list(payload)
    random.Random(seed).shuffle(keys)
    again = {name: payload[name] for name in keys} | {"content": dict(reversed(content.items()))}
    first, second = (withhold_payload("MessageReceived", one, mode) for one in ({**payload, "content": content}, again))
    sorted_ = orjson.OPT_SORT_KEYS
    assert orjson.dumps(first, option=sorted_) == orjson.dumps(second, option=sorted_)


def test_what_each_mode_leaves() -> None:
    """These forms are stored: another would make every repeat differ from what the log has."""
    assert withhold_payload("MessageReceived", SAID, "keep") == SAID
    kept = {name: SAID[name] for name in ("channel", "from", "to")}
    assert withhold_payload("MessageReceived", SAID, "mask") == kept | {
        "providerMessageId": "••• (3 characters)",
        "handle": {"kind": "phone", "value": "+15551234567", "owner": "••• (9 characters)"},
        "handles": [{"kind": "email", "value": "ana@example.com", "label": "••• (9 characters)"}],
        "content": {"text": "••• (9 characters)", "media": [{"•••": "1 keys"}, {"•••": "0 keys"}], "location": None},
        "displayName": "••• (3 characters)",
        "price": {"amount": 1, "currency": "EUR", "note": "••• (9 characters)"},
        "unknown": {"•••": "1 keys"},
    }
    assert withhold_payload("MessageReceived", SAID, "drop") == kept | {
        "handle": {"kind": "phone", "value": "+15551234567"},
        "handles": [{"kind": "email", "value": "ana@example.com"}],
        "content": {"location": None},
        "price": {"amount": 1, "currency": "EUR"},
    }
    again = withhold_payload("MessageReceived", SAID, "mask")
    assert withhold_payload("MessageReceived", again, "mask") == again
    error = Error("30003", WORD, "unreachable")
    assert withhold_error(error, "keep") == error and withhold_error(None, "drop") is None
    assert withhold_error(error, "mask") == Error("30003", "••• (9 characters)", "unreachable")
    assert withhold_error(error, "drop") == Error("30003", None, "unreachable")
    assert withhold_text(None, "mask") is None


@pytest.mark.parametrize("mode", ["mask", "drop"])
def test_what_queries_read_of_payloads_stays(mode: Mode) -> None:
    """The keys of payloads that `sql/queries` reads, each in the types that have it, but for the content itself."""
    read = {
        "Recipient": ("basis", "list", "unsubscribeGroup"),
        "Interaction": ("interactionId",),
        "MessageDelayed": ("givenUpFor",),
        "MessageHeld": ("cause",),
        "Customer": ("customerIds", "evidence", "kept", "moved", "overrides", "customerId", "undoes", "validFrom"),
    }
    for type in EVENT_TYPES:
        for start, keys in read.items():
            given = {key: "x" for key in keys if key in SCHEMAS[type]["properties"]} if type.startswith(start) else {}
            assert withhold_payload(type, given, mode) == given


@pytest.mark.parametrize("type", TYPES)
def test_addresses_are_personal_too(type: str) -> None:
    """What is marked `x-address` is marked `x-personal`, so that it is sealed; every type that can name a person marks his address."""
    plan = plan_of(type)
    assert set(plan.addresses()) >= {b"payload.to", b"payload.userId"}
    for place in plan.addresses():
        at = plan
        for name in place.decode().removeprefix("payload.").split("."):
            inner = at.items if name == "*" else at.named[name]
            assert inner is not None
            at = inner
        assert at.whole


def test_a_channel_that_is_not_known_has_the_strictest_mode() -> None:
    """Such an event may be of any channel."""
    wanted = contents_of({"default": "keep", "email": "drop", "sms": "mask"})
    assert [wanted.mode(channel) for channel in ("email", "sms", "push", None, "")] == [
        "drop", "mask", "keep", "drop", "drop",
    ]  # fmt: skip
    assert contents_of(None) == Contents() and contents_of(None).mode(None) == "keep"
    assert contents_of({"sms": "mask"}, [{"default": "drop"}]).ever == {"keep", "drop"}
    assert strictest() == "keep" and strictest(*MODES) == "drop"


def test_a_configuration_names_channels_and_modes() -> None:
    """The schema has each channel, and nothing else."""
    routes = {"channels": [{"channel": "sms", "account": "twilio"}]}
    names = ["default", *CHANNELS]
    assert SCHEMAS["client"]["$defs"]["channelOrDefault"]["enum"] == names
    for mode in MODES:
        check("client", routes | {"content": dict.fromkeys(names, mode), "retention": dict.fromkeys(names, 7)})
    for wrong in ({"content": {"fax": "drop"}}, {"content": {"sms": "hide"}}, {"retention": {"sms": 6}}):
        with pytest.raises(ValueError, match="must be"):
            check("client", routes | wrong)
