"""What is particular to Telnyx: the age of its signature, and which of its refusals may pass later."""

from datetime import timedelta

import orjson
import pytest

from adapters import telnyx
from adapters.contract import InvalidSignature, Request, Response
from adapters.telnyx.send import read_response
from app.cli.support.http_file import read_request
from app.implied import with_implied
from tests.fixtures import FOLDER, accounts

VALUES = accounts("telnyx").values


def fixture(name: str) -> Request:
    came = read_request((FOLDER / "telnyx" / f"{name}.http").read_bytes())
    return Request(came.method, came.url(), dict(came.headers), came.body, accounts("telnyx").at, "telnyx")


@pytest.mark.parametrize("apart", [timedelta(minutes=6), timedelta(minutes=-6)])
def test_a_signature_of_another_time_is_refused_unless_it_is_read_again(apart: timedelta) -> None:
    """Five minutes, before or after; what was kept is read again at any time."""
    request = fixture("received")
    request.received_at += apart
    with pytest.raises(InvalidSignature, match="seconds old"):
        telnyx.verify(request, VALUES)
    assert telnyx.verify(request, VALUES, fresh=False) is True


@pytest.mark.parametrize(
    ("status", "code", "state", "reason"),
    [
        (422, "10016", "rejected", "invalid_address"),
        (400, "40310", "rejected", "invalid_address"),
        (400, "40300", "rejected", "opted_out"),
        (400, "40333", "account", "account"),
        (400, "40318", "retryable", "rate"),
        (429, "10011", "retryable", "rate"),
        (500, "10007", "retryable", "unknown"),
    ],
)
def test_a_refusal_is_final_unless_it_passes_by_itself(status: int, code: str, state: str, reason: str) -> None:
    """A number in a wrong form never becomes right (10016), a full queue empties (40318)."""
    body = orjson.dumps({"errors": [{"code": code, "title": "Refused"}]})
    outcome = read_response(Response(status, {}, body))
    assert outcome.error is not None
    assert (outcome.state, outcome.error.code, outcome.error.reason) == (state, code, reason)


def test_an_error_of_several_failed_recipients_opts_out_nobody() -> None:
    """The message has one list of errors, of which no field says whose they are: one is a STOP."""
    events = with_implied(telnyx.normalize(fixture("group_both_failed")).events)
    assert [(event.type, event.error.reason if event.error else None) for event in events] == [
        ("MessageFailed", "unknown"),
        ("MessageFailed", "unknown"),
    ]
    assert all(
        [error["code"] for error in event.payload["native"]["errors"]] == ["40300", "40008"] for event in events[1:]
    )
