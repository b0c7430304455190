"""Each simulated provider and its adapter understand each other, and share no code: what one writes, the other reads."""

import ast
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import get_args

import pytest

import adapters
from adapters import ADAPTERS, Registry, interpret
from adapters.contract import HttpCall, Request, Response
from adapters.simulating import Incoming, Post, Refusal, Refused, Sent
from app.simulator import SIMULATED, _simulator, api_of, webhooks_of
from schemas.handles import handle_of
from tests.fixtures import accounts, events_of
from tests.unit.simulator.played import (
    AT,
    ID,
    URL,
    called,
    message,
    ours,
    response,
    sending_of,
    settings_of,
    status_post,
    theirs,
)
from webhooks.used import Used, once_of

POSTING = [name for name, simulator in SIMULATED.items() if simulator.webhooks is not None]
REPORTING = [name for name in POSTING if webhooks_of(name).statuses is not None]
WRITTEN_TO = [name for name in POSTING if webhooks_of(name).inbound is not None]
#: The simulators that repeat what the adapter attached to the message, with our message id in it.
ECHOING = frozenset("jasmin plivo sendgrid slack sparkpost telnyx twilio".split())
SENDING = [name for name, simulator in SIMULATED.items() if simulator.api is not None]


def came(provider: str, post: Post, at: datetime = AT) -> Request:
    """The post, signed at a time, as the door gets it."""
    signed = webhooks_of(provider).sign(post, settings_of(provider), at)
    headers = {name.lower(): value for name, value in signed.headers.items()}
    return Request(signed.method, signed.url, headers, signed.body, at + timedelta(seconds=2), provider)


def tried_again(provider: str, post: Post) -> None:
    """Tried again an hour later, and signed anew, it gives the same in all its parts: the signature's time is not that
    of what happened."""
    first, later = (interpret(came(provider, post, at), provider) for at in (AT, AT + timedelta(hours=1)))
    assert events_of(first) == events_of(later)


def sent(provider: str, channel: str, number: int = 1) -> Sent:
    return Sent(
        f"{ID[:-1]}{number}", channel, theirs(provider, channel), ours(provider, channel), "Hello!", f"order-{number}"
    )


@pytest.mark.parametrize("provider", SIMULATED)
def test_a_simulated_provider_does_what_the_adapter_reads(provider: str) -> None:
    """It takes sends where the adapter sends, and posts where the adapter reads; its states are in the adapter's events."""
    adapter, simulated = ADAPTERS[provider], SIMULATED[provider]
    assert bool(adapter.sends) == (simulated.api is not None)
    assert bool(adapter.events) == (simulated.webhooks is not None)
    if (webhooks := simulated.webhooks) is not None:
        assert set(webhooks.channels) <= adapter.channels
        assert all([set(webhooks.states(channel)) <= adapter.events for channel in webhooks.channels])


@pytest.mark.parametrize("provider", SIMULATED)
def test_they_share_no_code(provider: str) -> None:
    """The simulated provider is written after the documentation, and so each is held to it by the other."""
    tree = ast.parse((Path(adapters.__path__[0]) / provider / "simulator.py").read_text("utf-8"))
    imported = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    imported |= {name.name for node in ast.walk(tree) if isinstance(node, ast.Import) for name in node.names}
    ours = {
        name
        for name in imported
        if name.partition(".")[0] in ("adapters", "agents", "app", "schemas", "sql", "webhooks")
    }
    assert ours <= {"adapters.simulating", "adapters.simulating.shared_secrets"}


@pytest.mark.parametrize("provider", REPORTING)
def test_what_it_tells_of_a_message_is_read(provider: str) -> None:
    """Each state, signed, is recognised and authentic, and becomes its event about that message and that recipient."""
    webhooks, values = webhooks_of(provider), accounts(provider).values
    assert webhooks.statuses is not None
    for channel in webhooks.channels:
        seen = set()
        for state in webhooks.states(channel):
            one = sent(provider, channel)
            request = came(provider, status_post(provider, one, state))
            assert ADAPTERS[provider].recognise(request)
            assert ADAPTERS[provider].verify(request, values) is True
            found = interpret(request, provider)
            assert not found.unprocessable
            event = next(event for event in found.events if event.type == state)
            assert event.provider_message_id is not None and one.id in event.provider_message_id
            assert event.handle == (handle_of(one.to, channel) if webhooks.statuses.names_recipient else None)
            assert event.channel == channel
            assert event.occurred_at is None or abs(event.occurred_at - AT) < timedelta(seconds=1)
            tried_again(provider, status_post(provider, one, state))
            seen.add(event.source_event_id)
            # Posted again later with another signature, it is the same fact; of another message, another.
            again = interpret(came(provider, status_post(provider, one, state)), provider).events
            assert event.source_event_id in {event.source_event_id for event in again}
            other = interpret(came(provider, status_post(provider, sent(provider, channel, 2), state)), provider).events
            assert event.source_event_id not in {event.source_event_id for event in other}
        assert len(seen) >= len(webhooks.states(channel)) - 1


@pytest.mark.parametrize("provider", [name for name in REPORTING if ADAPTERS[name].job_ids])
def test_one_id_of_several_recipients_is_a_message_each(provider: str) -> None:
    """The same id, of two recipients: each event is of its own recipient's message, and no address is in an id."""
    webhooks = webhooks_of(provider)
    assert webhooks.statuses is not None
    for channel in sorted(ADAPTERS[provider].job_ids & set(webhooks.channels)):
        one = sent(provider, channel)
        other = replace(one, to=one.to[:-1] + ("x" if channel in ("email", "chat", "push") else "9"))
        for state in webhooks.states(channel):
            events = [
                interpret(came(provider, status_post(provider, to, state)), provider).events[0] for to in (one, other)
            ]
            assert {event.per_recipient for event in events} == {True}
            assert len({event.provider_message_id for event in events}) == 1
            assert [event.handle for event in events] == [handle_of(to.to, channel) for to in (one, other)]
            for event in events:
                assert event.handle is not None
                assert event.handle.value not in f"{event.provider_message_id} {event.source_event_id}"


@pytest.mark.parametrize("provider", WRITTEN_TO)
def test_what_a_customer_writes_is_read(provider: str) -> None:
    """A message that comes in is its sender's, with its text."""
    webhooks = webhooks_of(provider)
    assert webhooks.inbound is not None
    for channel in webhooks.channels:
        incoming = Incoming(ID, channel, theirs(provider, channel), ours(provider, channel), "Grüße & <b>€</b>")
        request = came(provider, webhooks.inbound(incoming, AT, URL))
        tried_again(provider, webhooks.inbound(incoming, AT, URL))
        assert ADAPTERS[provider].verify(request, accounts(provider).values) is True
        (event,) = interpret(request, provider).events
        assert (event.type, event.channel, event.direction) == ("MessageReceived", channel, "inbound")
        assert event.handle == handle_of(incoming.sender, channel)
        assert event.payload["content"]["text"].strip() == incoming.text
        # A mail's Message-ID is its sender's, and no id of the provider's.
        assert event.provider_message_id is not None
        assert ID in f"{event.provider_message_id} {event.payload.get('internetMessageId')}"


@pytest.mark.parametrize("provider", [name for name in REPORTING if ADAPTERS[name].once is not None])
def test_a_token_is_one_webhooks_alone(provider: str) -> None:
    """Where a token is signed apart from the body, no two webhooks share it, though they are as long and of one second;
    each repeated within the second is the same with it, so that the door takes all of them."""
    webhooks, used = webhooks_of(provider), Used()
    for channel in webhooks.channels:
        about = [sent(provider, channel, number) for number in range(1, 10)]
        posts = [status_post(provider, one, state) for one in about for state in webhooks.states(channel)]
        posts += [
            webhooks.inbound(Incoming(one.id, channel, one.to, one.sender, "Hello!"), AT, URL)
            for one in about
            if webhooks.inbound is not None
        ]
        for post in [*posts, *posts]:
            request = came(provider, post)
            # Plivo signs in two ways, of which V3 covers the body.
            headers = {name: value for name, value in request.headers.items() if "-v3" not in name}
            once = once_of(ADAPTERS[provider], replace(request, headers=headers))
            assert once is not None and used.first(provider, once, request.received_at)


@pytest.mark.parametrize("provider", SENDING)
def test_what_is_sent_is_taken(provider: str) -> None:
    """The request that the adapter builds is one that the provider takes, for that recipient, with that text; and the
    adapter reads the id in its answer, by which the webhooks that follow are this message's."""
    send, api = sending_of(provider), api_of(provider)
    for channel in sorted(ADAPTERS[provider].sends):
        call = send.build_request(message(provider, channel), accounts(provider).values, AT)
        (one,) = api.accept(called(call), settings_of(provider), ID)
        assert handle_of(one.to, channel) == handle_of(theirs(provider, channel), channel)
        assert one.channel == channel or channel == "voice"
        assert one.text is None or "Hello <&> €!" in one.text
        outcome = send.read_response(response(api.reply([one])))
        assert (outcome.state, outcome.error) == ("accepted", None)
        webhooks = SIMULATED[provider].webhooks
        if webhooks is not None and channel in webhooks.channels and webhooks.statuses is not None:
            assert outcome.provider_message_id
            request = came(provider, status_post(provider, one, webhooks.statuses.states[0]))
            event = interpret(request, provider).events[0]
            assert event.provider_message_id == outcome.provider_message_id
            assert event.per_recipient == (channel in ADAPTERS[provider].job_ids)
            assert event.echoed_message_id == ("m-0123456789" if provider in ECHOING else None)
            assert event.message_id is None


@pytest.mark.parametrize("provider", SENDING)
@pytest.mark.parametrize("why", get_args(Refusal))
def test_why_it_is_not_taken_is_read(provider: str, why: Refusal) -> None:
    """Too many and the provider's own faults may pass later; bad credentials are the account's fault; a bad recipient is
    never taken. A push service is the recipient's, so that whatever it says is about the recipient."""
    send = sending_of(provider)
    outcome = send.read_response(response(api_of(provider).refuse(why)))
    expected = {"rate": "retryable", "unavailable": "retryable"}
    if not send.calls_recipient:
        expected["unauthorized"] = "account"
    assert outcome.state == expected.get(why, "rejected")
    assert outcome.error is not None and outcome.provider_message_id is None
    if why == "rate":
        assert outcome.error.reason == "rate"


@pytest.mark.parametrize("provider", SENDING)
def test_whatever_is_answered_is_borne(provider: str) -> None:
    """A gateway's page, nothing, or another's JSON in place of the answer: an outcome, never an exception."""
    send = sending_of(provider)
    for status in (200, 202, 204, 302, 400, 404, 429, 500, 502):
        for body in (b"", b"<html>Bad gateway</html>", b"[]", b"{}", b"null", b'"x"', b'{"messages":[null]}', b"\xff"):
            outcome = send.read_response(Response(status, {}, body))
            assert outcome.state in ("accepted", "retryable", "rejected")
            assert (outcome.error is None) == (outcome.state == "accepted")
            assert status < 300 or outcome.state != "accepted"
            assert status < 500 or outcome.state == "retryable"


@pytest.mark.parametrize("provider", SENDING)
def test_wrong_credentials_are_refused(provider: str) -> None:
    """The simulated provider looks at them as the real one does, so that a mistake shows before production."""
    send, api = sending_of(provider), api_of(provider)
    channel = min(ADAPTERS[provider].sends)
    call = send.build_request(message(provider, channel), accounts(provider).values, AT)
    if not isinstance(call, HttpCall):  # the sender is named when it connects, not with each message
        return
    secrets = [setting.name for setting in ADAPTERS[provider].settings if setting.secret]
    changed = {name: f"{value}x" if name in secrets else value for name, value in settings_of(provider).items()}
    with pytest.raises(Refused):
        api.accept(called(call), changed | {"private_key": settings_of(provider)["private_key"]}, ID)


def test_names_are_known_without_an_import() -> None:
    """A simulator is imported when it is first read."""
    simulators = Registry(SIMULATED, _simulator)
    assert "twilio" in simulators and "smtp" not in simulators and len(list(simulators)) == len(simulators)
    assert not any(simulators._known.values())
    assert simulators["twilio"] is SIMULATED["twilio"]
    assert [name for name, simulator in simulators._known.items() if simulator is not None] == ["twilio"]
    with pytest.raises(KeyError):
        simulators["smtp"]


@pytest.mark.parametrize("provider", [name for name in REPORTING if "sms" in webhooks_of(name).channels])
def test_no_provider_reports_that_an_sms_was_read(provider: str) -> None:
    """There are no read receipts of SMS."""
    assert "MessageRead" not in webhooks_of(provider).states("sms")
