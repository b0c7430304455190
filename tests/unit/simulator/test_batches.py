"""Batches: what an adapter joins its simulated provider takes as one call, and the one answer has each message's
outcome."""

from dataclasses import replace
from itertools import product
from typing import Any

import pytest

from adapters import ADAPTERS, PROVIDERS
from adapters.contract import Batch, HttpCall, Response
from adapters.simulating import Refusal, Refused, Sent
from app.simulator import api_of
from schemas.handles import handle_of
from tests.fixtures import accounts
from tests.unit.simulator.played import AT, ID, called, message, response, sending_of, settings_of

BATCHING = [name for name in PROVIDERS if (send := ADAPTERS[name].send) is not None and send.batch is not None]
each_provider = pytest.mark.parametrize("provider", BATCHING)


def batching(provider: str) -> Batch:
    batch = sending_of(provider).batch
    assert batch is not None
    return batch


def call_of(provider: str, number: int, **changes: Any) -> HttpCall:
    one = replace(message(provider, "email"), message_id=f"m-{number}", text=f"number {number}", **changes)
    call = sending_of(provider).build_request(one, accounts(provider).values, AT)
    assert isinstance(call, HttpCall)
    return call


def taken(provider: str, calls: list[HttpCall]) -> tuple[list[Sent], Response]:
    """What the simulated provider makes of the calls as a batch, and its answer."""
    simulated = api_of(provider)
    sent = simulated.accept(called(batching(provider).build(calls)), settings_of(provider), ID)
    return sent, response(simulated.reply(sent))


@each_provider
def test_a_batch_is_taken_and_each_message_has_its_id(provider: str) -> None:
    """Of one, of two and of as many as there may be, in the order of the messages; one more is refused."""
    batch = batching(provider)
    for count in (1, 2, batch.size):
        calls = [call_of(provider, number) for number in range(count)]
        assert len({(call.method, call.url, *call.headers.values()) for call in calls}) == 1
        sent, answer = taken(provider, calls)
        assert [one.text for one in sent] == [f"number {number}" for number in range(count)]
        outcomes = batch.read(answer, count)
        assert [outcome.state for outcome in outcomes] == ["accepted"] * count
        assert [outcome.provider_message_id for outcome in outcomes] == [one.id for one in sent]
        assert len({one.id for one in sent}) == count
    with pytest.raises(Refused):
        taken(provider, [call_of(provider, number) for number in range(batch.size + 1)])


@each_provider
def test_one_that_is_at_fault_holds_up_no_other(provider: str) -> None:
    """It is refused with its own reason; its neighbours are accepted under their ids."""
    bad = call_of(provider, 1, to=handle_of("ana", "email"))
    sent, answer = taken(provider, [call_of(provider, 0), bad, call_of(provider, 2)])
    first, second, third = batching(provider).read(answer, 3)
    assert (first.provider_message_id, third.provider_message_id) == (sent[0].id, sent[2].id)
    assert (first.state, third.state) == ("accepted", "accepted")
    assert second.state == "rejected" and second.error is not None and second.error.reason == "invalid_address"


@each_provider
def test_a_refusal_of_the_whole_call_is_each_messages_or_none(provider: str) -> None:
    """Of the account or the provider: the same for each. Of what one message may be the reason for: none was taken, and
    each can be tried by itself."""
    batch, simulated = batching(provider), api_of(provider)
    states: dict[Refusal, str] = {"unauthorized": "account", "rate": "retryable", "unavailable": "retryable"}
    for why, state in states.items():
        outcomes = batch.read(response(simulated.refuse(why)), 3)
        assert [outcome.state for outcome in outcomes] == [state] * 3
        assert all([outcome.error is not None for outcome in outcomes])
    assert batch.read(response(simulated.refuse("invalid")), 3) == []
    for status in (400, 413, 422):
        assert batch.read(Response(status, {}, b"<html>no</html>"), 3) == []


#: Bodies of another form: text, JSON of no list, lists of another length or with other items.
ODD = (
    *(
        "",
        "<html>",
        "null",
        "7",
        '"x"',
        "[]",
        "{}",
        "[{}]",
        "[null,7]",
        "[[],{},[]]",
        '[{"MessageID": 7}',
        "[null,null,null]",
    ),
    *('[7,"x",[]]', '[{"ErrorCode":[]},{"MessageID":{}},{"Message":7}]', "[{},{},{},{}]", '{"Messages":null}'),
    *(
        '{"Messages":{}}',
        '{"Messages":[null,7,"x"]}',
        '{"Messages":[{}]}',
        '{"Messages":[{"Status":7,"Errors":7,"To":7},{},{}]}',
    ),
    '{"Messages":[{"Status":"error","Errors":[{"StatusCode":"x","ErrorRelatedTo":7}]},{"To":[{"MessageID":[]}]},{}]}',
)


@each_provider
@pytest.mark.parametrize("body", ODD)
def test_whatever_is_answered_is_borne(provider: str, body: str) -> None:
    """An outcome a message or none at all, never an exception; and what a 2xx reports in an unreadable form was
    accepted: nothing of it is sent once more."""
    batch = batching(provider)
    for status, count in product((200, 202, 207, 302, 400, 401, 403, 422, 429, 500, 503), (1, 2, 3)):
        outcomes = batch.read(Response(status, {}, body.encode()), count)
        assert len(outcomes) in (0, count)
        assert outcomes or 300 <= status < 500
        for outcome in outcomes:
            assert (outcome.error is None) == (outcome.state == "accepted")
            assert status < 300 or outcome.state != "accepted"
            assert status < 500 or outcome.state == "retryable"
