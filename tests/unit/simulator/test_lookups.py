"""Look-ups: after a call without an answer, the adapter asks what the simulated provider took, and is sure of what it says."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import orjson
import pytest

from adapters import ADAPTERS, PROVIDERS
from adapters.contract import Found, HttpCall, LookUp, Message, Response, Unsendable
from adapters.simulating import Refused, Sent
from app.simulator import api_of
from tests.fixtures import accounts
from tests.unit.simulator.played import AT, called, message, response, sending_of, settings_of

#: The adapters that can look up, and the channels whose messages can be looked up.
LOOKING_UP = {
    name: sorted(send.channels - {"whatsapp"})
    for name in PROVIDERS
    if (send := ADAPTERS[name].send) is not None and send.look_up is not None
}
each_provider = pytest.mark.parametrize("provider", LOOKING_UP)


def looking_up(provider: str) -> LookUp:
    look_up = sending_of(provider).look_up
    assert look_up is not None
    return look_up


def one(provider: str, number: int = 1) -> Message:
    return replace(message(provider, LOOKING_UP[provider][0]), message_id=f"m-{number}", reference=None)


def taken(provider: str, messages: list[Message]) -> list[Sent]:
    """Send the messages; return those that the simulated provider accepted."""
    send, values = sending_of(provider), accounts(provider).values
    calls = [called(send.build_request(each, values, AT)) for each in messages]
    return [
        sent
        for number, call in enumerate(calls)
        for sent in api_of(provider).accept(call, settings_of(provider), f"{number + 1:032x}")
    ]


def asked(provider: str, about: Message, sent: list[Sent]) -> Response:
    """Return what the look-up of a message finds."""
    question = looking_up(provider).build(about, accounts(provider).values, AT)
    assert isinstance(question, HttpCall) and question.method == "GET"
    look_up = api_of(provider).look_up
    assert look_up is not None
    reply = look_up(called(question), settings_of(provider), sent)
    assert reply is not None
    return response(reply)


@each_provider
def test_what_was_taken_is_found_under_its_id(provider: str) -> None:
    """A message that was accepted is found; one that was not is reported as not accepted, although others were."""
    look_up, messages = looking_up(provider), [one(provider, number) for number in range(3)]
    sent = taken(provider, messages)
    for about, each in zip(messages, sent, strict=True):
        assert look_up.read(asked(provider, about, sent), about) == Found(True, each.id)
    other = one(provider, 9)
    assert look_up.read(asked(provider, other, sent), other) == Found(False)
    assert look_up.read(asked(provider, other, []), other) == Found(False)


@each_provider
def test_a_list_of_others_messages_says_nothing(provider: str) -> None:
    """An API that leaves out a filter that it does not know lists what was not asked for; our message may be on the
    next page."""
    messages = [one(provider, number) for number in range(2)]
    answer = asked(provider, messages[0], taken(provider, messages))
    assert looking_up(provider).read(answer, messages[1]) == Found(None)


@each_provider
def test_only_a_list_is_an_answer(provider: str) -> None:
    """A refusal, a gateway's page or another's JSON leaves the question open."""
    look_up, about = looking_up(provider), one(provider)
    well = asked(provider, about, taken(provider, [about]))
    for status in (302, 400, 401, 403, 404, 429, 500, 503):
        assert look_up.read(Response(status, {}, well.body), about) == Found(None)
    for body in (b"", b"<html>", b"null", b"[]", b"{}", b"7", b"\xff", well.body[:-2]):
        assert look_up.read(Response(200, {}, body), about) == Found(None)
    (name,) = [name for name, value in orjson.loads(well.body).items() if isinstance(value, list)]
    strange = {"Metadata": 7, "CustomID": [], "client_reference": {}}
    odd: list[Any] = [None, 7, "x", {}, [None], [7], [[]], [{}], [strange]]
    for value in odd:
        assert look_up.read(Response(200, {}, orjson.dumps({name: value})), about) == Found(None)


@each_provider
def test_an_id_in_another_form_is_none(provider: str) -> None:
    """An id that does not fit is left out, but the message counts as accepted."""
    look_up, about = looking_up(provider), one(provider)
    well = orjson.loads(asked(provider, about, taken(provider, [about])).body)
    (listed,) = next(value for value in well.values() if isinstance(value, list))
    odds: list[Any] = [None, [], {}, 1.5, "", "x" * 513]
    for odd in odds:
        listed |= {name: odd for name in ("MessageID", "ID", "id") if name in listed}
        assert look_up.read(Response(200, {}, orjson.dumps(well)), about) == Found(True)


@each_provider
def test_wrong_credentials_are_refused(provider: str) -> None:
    """A look-up with wrong credentials is refused as a send is, and any other call is no look-up."""
    look_up, values = api_of(provider).look_up, accounts(provider).values
    assert look_up is not None
    question = looking_up(provider).build(one(provider), values, AT)
    with pytest.raises(Refused):
        look_up(called(question), {name: f"{value}x" for name, value in settings_of(provider).items()}, [])
    send = sending_of(provider).build_request(one(provider), values, AT)
    assert look_up(called(send), settings_of(provider), []) is None


@each_provider
def test_a_look_up_waits_for_the_providers_records(provider: str) -> None:
    """`after` is at least a minute: a look-up that comes too early would cause a second send."""
    assert looking_up(provider).after >= 60


def question_of(provider: str, **changes: Any) -> str:
    about, values = replace(one(provider), **changes), accounts(provider).values
    return looking_up(provider).build(about, values | {"message_stream": ("broadcast",)}, AT).url


def test_the_question_is_about_the_place_where_the_message_went() -> None:
    """Postmark searches one stream; Sinch a day, unless the time to begin at is given."""
    assert "messagestream=broadcast" in question_of("postmark")
    assert (AT - timedelta(hours=1)).strftime("start_date=%Y-%m-%dT%H") in question_of("sinch")


@pytest.mark.parametrize(
    ("provider", "changes"),
    [
        ("postmark", {"message_id": "m" * 81}),
        ("mailjet", {"reference": "order-1"}),
        ("sinch", {"reference": "order-1"}),
        ("sinch", {"channel": "whatsapp"}),
    ],
)
def test_what_the_provider_does_not_know_by_our_id_is_not_asked_for(provider: str, changes: dict[str, Any]) -> None:
    """No look-up is built for an id that is too long for the provider, for a message with a `reference` (which two
    messages may share), or for an API without a search."""
    with pytest.raises(Unsendable):
        question_of(provider, **changes)


def test_postmark_is_asked_by_our_id_whatever_the_reference() -> None:
    """Postmark's Metadata has both our id and the reference."""
    assert "metadata_threadline_id=tl_cebadbb4_m-1&" in question_of("postmark", reference="order-1")
