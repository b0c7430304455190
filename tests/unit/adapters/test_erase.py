"""Requests to providers to erase what they keep: as their simulators take them, and what their answers mean."""

import orjson
import pytest

from adapters import ADAPTERS
from adapters.contract import Erase, Response, Unsendable
from adapters.sendgrid.simulator import SIMULATOR as SENDGRID
from adapters.simulating import Call, Refused
from adapters.twilio.simulator import SIMULATOR as TWILIO

VALUES = {"account_sid": ("AC1",), "auth_token": ("token",), "api_key": ("SG.key",)}
SETTINGS = {"account_sid": "AC1", "auth_token": "token", "api_key": "SG.key"}
TWILIOS = {name: values for name, values in VALUES.items() if name != "api_key"}


def erase_of(name: str) -> Erase:
    """The capability of an adapter."""
    erase = ADAPTERS[name].erase
    assert erase is not None
    return erase


def test_sendgrid_is_asked_by_addresses() -> None:
    """As many as fit, in one request, which the simulator takes; with another key it is refused."""
    erase = erase_of("sendgrid")
    longest = [f"{'a' * 64}@{'b' * 185}{n:04}" for n in range(erase.most)]
    call = erase.build(longest, VALUES)
    assert (call.method, call.url) == ("POST", "https://api.sendgrid.com/v3/recipients/erasejob")
    assert orjson.loads(call.body) == {"email_addresses": longest} and len(call.body) <= 256 << 10
    assert SENDGRID.api is not None and SENDGRID.api.erase is not None
    made = Call(call.method, "/v3/recipients/erasejob", call.headers, call.body)
    reply = SENDGRID.api.erase(made, SETTINGS)
    assert reply is not None and erase.read(Response(reply.status, {}, reply.body)).state == "accepted"
    with pytest.raises(Refused):
        SENDGRID.api.erase(made, SETTINGS | {"api_key": "another"})
    assert SENDGRID.api.erase(Call("POST", "/v3/mail/send", {}, b""), SETTINGS) is None


@pytest.mark.parametrize(
    ("status", "state"), [(400, "rejected"), (401, "account"), (403, "account"), (429, "retryable"), (503, "retryable")]
)
def test_what_sendgrid_answers(status: int, state: str) -> None:
    """403: the key lacks the permission, which people give it."""
    assert erase_of("sendgrid").read(Response(status, {}, b'{"errors": [{"message": "no"}]}')).state == state


@pytest.mark.parametrize(
    ("sid", "resource"), [("SM1", "Messages"), ("MM1", "Messages"), ("CA1", "Calls"), ("RE1", "Recordings")]
)
def test_twilio_is_asked_by_each_resource(sid: str, resource: str) -> None:
    """Its id says which it is."""
    call = erase_of("twilio").build([sid], TWILIOS)
    path = f"/2010-04-01/Accounts/AC1/{resource}/{sid}.json"
    assert (call.method, call.url, call.body) == ("DELETE", f"https://api.twilio.com{path}", b"")
    if resource != "Recordings":
        assert TWILIO.api is not None and TWILIO.api.erase is not None
        reply = TWILIO.api.erase(Call(call.method, path, call.headers, call.body), SETTINGS)
        assert reply is not None and reply.status == 204


def test_twilio_is_not_asked_for_what_is_none_of_these() -> None:
    """A user may have written an id; it cannot lead elsewhere."""
    erase = erase_of("twilio")
    with pytest.raises(Unsendable):
        erase.build(["IM1"], TWILIOS)
    assert "/Messages/SM..%2F..%2FCalls.json" in erase.build(["SM../../Calls"], TWILIOS).url


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [
        (204, None, "accepted"),
        (404, 20404, "accepted"),
        (409, 20009, "retryable"),
        (401, 20003, "account"),
        (400, 21211, "rejected"),
        (500, None, "retryable"),
    ],
)
def test_what_twilio_answers(status: int, code: int | None, state: str) -> None:
    """404: it is gone, as after an answer that was lost. 20009: it is still under way."""
    body = b"" if code is None else orjson.dumps({"code": code, "message": "no"})
    assert erase_of("twilio").read(Response(status, {}, body)).state == state
