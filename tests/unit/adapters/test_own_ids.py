"""Our message ids in what senders attach to messages: only those that we made are ours."""

import re
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import interpret
from adapters.contract import Request
from adapters.reading.own_ids import NAME, callback_url, marked, own_id
from app.cli.support.http_file import read_request
from schemas.events import Event
from tests.fixtures import accounts, fixtures


@given(st.text(min_size=1))
def test_a_marked_id_is_read_again(message_id: str) -> None:
    """Whatever characters it has."""
    assert own_id(marked(message_id)) == message_id


@given(st.text(alphabet="tl_0123456789abcdef-", max_size=40))
def test_what_others_attach_is_not_ours(value: str) -> None:
    """Nor what only looks like it."""
    found = own_id(value)
    assert found is None or marked(found) == value


@pytest.mark.parametrize(
    "value",
    [
        None,
        7,
        [],
        {},
        "",
        "order-1",
        "tl_",
        "tl_00000000_order-1",
        "m-1",
        "TL_CEBADBB4_m-1",
        "tl_cebadbb4_m-2",
        "tl_cebadbb4_",
    ],
)
def test_an_id_without_our_mark_is_none(value: object) -> None:
    """A value of another type, another sender's id, a wrong checksum."""
    assert own_id(value) is None


def test_an_id_in_a_callbacks_url() -> None:
    """It comes after the query that is there, and before a fragment."""
    assert own_id("tl_cebadbb4_m-1") == "m-1"
    assert callback_url("https://a.example/x", "m-1") == f"https://a.example/x?{NAME}=tl_cebadbb4_m-1"
    assert callback_url("https://a.example/x?y=1#f", "m-1") == f"https://a.example/x?y=1&{NAME}=tl_cebadbb4_m-1#f"


#: A field `messageId` of what a sender attached, in JSON (within JSON) or a form, and its value.
ATTACHED = re.compile(rb'(messageId)(\\*"\s*:\s*\[?\s*\\*"|=)([A-Za-z0-9-]+)')
#: Providers that repeat it, each with the name that our id has there.
REPEATING = dict.fromkeys(
    "amazon_ses brevo jasmin mailgun mailjet messagebird plivo resend sendgrid sparkpost twilio".split(),
    NAME.encode(),
) | {"postmark": b"threadline_id"}


@pytest.mark.parametrize("provider", REPEATING)
def test_only_our_own_mark_names_our_message(provider: str) -> None:
    """What another sender attached as `messageId` is not our id; under our name and with our mark it is."""
    seen = 0
    for file in fixtures(provider):
        raw = file.read_bytes()
        theirs = {found[3].decode() for found in ATTACHED.finditer(raw)}
        assert not {event.echoed_message_id for event in events_of(provider, raw)} - {None}
        ours = ATTACHED.sub(partial(named_as, REPEATING[provider], amazon=provider == "amazon_ses"), raw)
        if ours == raw:
            continue
        named = {event.echoed_message_id for event in events_of(provider, ours)} - {None}
        assert named <= theirs
        seen += len(named)
    assert seen


def named_as(name: bytes, found: re.Match[bytes], amazon: bool) -> bytes:
    """Return an attached field under our name with our mark. A tag of Amazon's is a list; its own `messageId` is none."""
    if amazon and b"[" not in found[2]:
        return found[0]
    return name + found[2] + marked(found[3].decode()).encode()


def events_of(provider: str, raw: bytes) -> list[Event]:
    """Return the events of a fixture's request, which is not verified."""
    came = read_request(raw)
    request = Request(came.method, came.url(), came.headers, came.body, accounts(provider).at, provider)
    return interpret(request, provider).events
