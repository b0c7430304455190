"""The sending half on a real PostgreSQL against what goes wrong beside the message: its account, its neighbours, the clock."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, LiteralString

import psycopg
import pytest
import pytest_asyncio

from adapters.contract import Outgoing, Response
from agents.health import WorkerHealth as Counts
from agents.outbound import Intake, prepare
from agents.sender import settlements
from agents.transport import AddressRefused, NoAnswer, Transport
from app.clients.configured import Clients
from app.sending.events import cancelled
from app.settings import Settings
from sql import EventStore
from sql.messages import LaneReport
from sql.sending import TROUBLE
from tests.conftest import Dsns
from tests.integration.sender import OK, SOURCES, Sender
from tests.integration.test_sending_store import accept, asked, lane, settled
from tests.support.keys import SEAL
from tests.support.waiting import until


class Owned(Sender):
    """A sender, whose tables can be set through the owner's connection."""

    def __init__(self, store: EventStore, owner: str) -> None:
        super().__init__(store)
        self._owner = owner

    async def run(self, query: LiteralString) -> Any:
        """A statement as the owner; its first row."""
        async with await psycopg.AsyncConnection.connect(self._owner, autocommit=True) as connection:
            await connection.execute("SET search_path = threadline")
            cursor = await connection.execute(query)
            return await cursor.fetchone() if cursor.description else None

    def configured_by(self, **sources: dict[str, str]) -> None:
        """Other settings than those of `SOURCES`."""
        self.settings = Settings.model_validate({"sources": {**SOURCES, **sources}})
        self.clients = Clients(self.store, self.settings, ttl=0.0)


@pytest_asyncio.fixture
async def sender(postgres_dsn: Dsns) -> AsyncIterator[Owned]:
    """One on a database of the test's own."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=8) as store:
        made = Owned(store, postgres_dsn.owner)
        await made.configure()
        yield made


def without(name: str, setting: str) -> dict[str, str]:
    """A source's settings but one."""
    return {key: value for key, value in SOURCES[name].items() if key != setting}


# What fails together, and who tries whether it passes again.


async def test_one_call_of_all_workers_tries_an_account_in_trouble(sender: Owned) -> None:
    """The provider hangs: however many workers and messages there are, one call is under way until it is answered."""
    under_way, most, go = 0, 0, asyncio.Event()

    async def hanging(outgoing: Outgoing, values: Any, *, trusted: bool) -> Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await go.wait()
        under_way -= 1
        return OK["resend"]

    sender.provider.carry = hanging  # type: ignore[method-assign]
    for number in range(20):
        await sender.ask(f"m{number}", channel="email")
    await sender.run(f"UPDATE lanes SET failures = {TROUBLE}, trouble = '503' WHERE account = 'resend'")
    async with sender.at_work(), sender.at_work(), sender.at_work():
        await until(lambda: under_way > 0, 20)
        await asyncio.sleep(1.5)
        assert most == 1
        go.set()
        for number in range(20):
            await sender.until("sent", f"m{number}")


async def test_what_fails_together_is_one_failure(sender: Owned) -> None:
    """Thirty calls that were under way at the same time: the account is not even left alone."""
    arrived, go = 0, asyncio.Event()

    async def failing(outgoing: Outgoing, values: Any, *, trusted: bool) -> Response:
        nonlocal arrived
        arrived += 1
        number = arrived
        await go.wait()
        await asyncio.sleep(number % 5 / 20)  # their outcomes are written down in several transactions
        return Response(503, {}, b"{}")

    sender.provider.carry = failing  # type: ignore[method-assign]
    await sender.configure(retry={"attempts": 3, "first": 500, "longest": 600})
    for number in range(30):
        await sender.ask(f"m{number}", channel="email")
    async with AsyncExitStack() as workers:
        for _ in range(2):
            await workers.enter_async_context(sender.at_work(concurrency=15))
        await until(lambda: arrived == 30, 20)
        go.set()
        for number in range(30):
            await sender.until("retrying", f"m{number}")
    assert await sender.run("SELECT failures, open_until FROM lanes WHERE account = 'resend'") == (1, None)


async def test_a_call_ages_while_its_report_waits(sender: Owned, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a key to seal its error with, or for a connection: it failed together with the calls reported meanwhile all the same."""
    await accept(sender.store, asked(1), asked(2))
    (row,) = await sender.store.claim(1, 60, {})
    failed = LaneReport(str(row["lane"]), failed=True, trouble="503", age=0.1)
    at_once, sealed = asyncio.Event(), sender.store._sealed_reports

    async def waiting(reports: Sequence[LaneReport]) -> list[LaneReport]:
        await at_once.wait()
        return await sealed(reports)

    with monkeypatch.context() as patch:
        patch.setattr(sender.store, "_sealed_reports", waiting)
        late = asyncio.create_task(sender.store.note_lanes([failed]))
        await asyncio.sleep(0.3)
    await sender.store.note_lanes([failed])
    await asyncio.sleep(0.3)
    at_once.set()
    await late
    assert await sender.run("SELECT max(failures) FROM lanes") == (1,)


async def test_failures_one_after_another_rest_an_account_ever_longer(sender: Owned) -> None:
    """And what passed meanwhile, but had begun before, ends no rest that was asked for."""
    await accept(sender.store, asked(1), asked(2))
    (row,) = await sender.store.claim(1, 60, {})
    name = str(row["lane"])
    rests = []
    for _ in range(TROUBLE + 2):
        await sender.store.note_lanes([LaneReport(name, failed=True, trouble="503")])
        await sender.store.note_lanes(
            [LaneReport(name, failed=True, trouble="503", age=30.0)]
        )  # in flight all the time
        (rest,) = await sender.run("SELECT extract(epoch FROM open_until - now())::float FROM lanes")
        rests.append(rest and round(rest + 0.3))
    assert rests == [None] * (TROUBLE - 1) + [1, 2, 4]
    await sender.run("UPDATE lanes SET failures = 0, open_until = NULL, failed_at = NULL")
    await sender.store.note_lanes([LaneReport(name, pause=60.0, trouble="429")])
    await sender.store.note_lanes([LaneReport(name, passed=True, age=5.0)])
    assert await sender.store.claim(1, 60, {}) == []


async def test_a_probe_that_calls_nobody_leaves_the_next_one_its_turn(sender: Owned) -> None:
    """It expired, say: the account is tried by another message, not only when the lease is over."""
    await sender.ask("late", sendBefore=(datetime.now(UTC).replace(year=2099)).isoformat())
    await sender.ask("next")
    await sender.run("UPDATE messages SET expires_at = now() - interval '1 s' WHERE message_id = 'late'")
    await sender.run(f"UPDATE lanes SET failures = {TROUBLE}, trouble = '503'")
    async with sender.at_work():
        await sender.until("expired", "late")
        await sender.until("sent", "next")


# Whose fault it is.


@pytest.mark.parametrize("fault", ["setting", "401", "403", "address", "token", "certificate"])
async def test_a_fault_of_the_account_fails_no_message(
    sender: Owned, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They wait, with a reason that is not their content; one tries it now and then; mended, all go."""
    monkeypatch.setattr(settlements, "FAULT_PAUSE", 0.4)
    await sender.configure(retry={"attempts": 1, "first": 0.1, "longest": 1})
    if fault in ("setting", "token"):
        sender.configured_by(twilio=without("twilio", "account_sid" if fault == "setting" else "auth_token"))

    def refuse(name: str, number: int) -> Response:
        if fault == "address":
            raise AddressRefused("no public address")
        if fault == "certificate":
            raise NoAnswer("certificate has expired", kind="tls")
        return Response(int(fault), {}, b'{"code": 20003, "message": "Authenticate"}')

    if fault not in ("setting", "token"):
        sender.provider.answer = refuse
    for number in range(5):
        await sender.ask(f"m{number}", channel="sms")
    async with sender.at_work():
        row = await sender.until("retrying", "m0")
        assert (row["error"]["reason"], row["tries"]) == ("account", 0)
        await asyncio.sleep(1.0)
        states = [await sender.run(f"SELECT state FROM messages WHERE message_id = 'm{number}'") for number in range(5)]
        assert {state for (state,) in states} <= {"queued", "retrying", "sending"}
        (account,) = await sender.store.resting_accounts()
        assert (account["client_id"], account["account"], account["probed"]) == ("default", "twilio", True)
        assert len(sender.provider.calls) <= 5 + 4  # those that were claimed together, then one at a time
        if fault in ("setting", "token"):
            sender.settings.sources["twilio"] = Settings.model_validate({"sources": SOURCES}).sources["twilio"]
        sender.provider.answer = lambda name, number: OK[name]
        for number in range(5):
            await sender.until("sent", f"m{number}")
        assert await sender.store.resting_accounts() == []


async def test_an_expired_message_of_a_faulty_account_still_expires(
    sender: Owned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once its turn comes."""
    monkeypatch.setattr(settlements, "FAULT_PAUSE", 0.3)
    sender.provider.answer = lambda name, number: Response(401, {}, b"{}")
    await sender.ask(channel="sms", sendBefore=datetime.fromtimestamp(datetime.now().timestamp() + 2, UTC).isoformat())
    async with sender.at_work():
        await sender.until("expired")


async def test_an_untrusted_private_address_is_the_accounts_fault(sender: Owned) -> None:
    """By the transport itself."""
    transport = Transport()

    async def carry(outgoing: Outgoing, values: Any, *, trusted: bool) -> Response:
        return await transport.carry(outgoing, values, trusted=False)

    sender.provider.carry = carry  # type: ignore[method-assign]
    sender.configured_by(twilio={**SOURCES["twilio"], "api_url": "http://127.0.0.1:9"})
    await sender.ask(channel="sms")
    async with sender.at_work():
        row = await sender.until("retrying")
    await transport.close()
    assert row["error"]["reason"] == "account" and "public" in row["cause"]


# Two that have the same message.


async def test_an_acceptance_ends_what_another_worker_is_about_to_do(sender: Owned) -> None:
    """It was taken for dead, and had sent all the same: the second one may not begin, and what it says counts no more."""
    await accept(sender.store, asked(1))
    (first,) = await sender.store.claim(1, 0, {})
    (second,) = await sender.store.claim(1, 60, {})
    await sender.store.settle([settled(first, "sent", provider_message_id="SM1")], [])
    kept = await sender.store.message("shop", "m-1")
    assert kept is not None and (kept["state"], kept["provider_message_id"]) == ("sent", "SM1")
    assert await sender.store.begin([(str(second["id"]), second["claims"], "sms", "twilio")]) == {}
    await sender.store.settle([settled(second, "retrying", due_in=0, outcome="retryable")], [])
    kept = await sender.store.message("shop", "m-1")
    assert kept is not None and kept["state"] == "sent"


async def test_cancelled_between_claim_and_attempt_is_cancelled_at_once(sender: Owned) -> None:
    """Not only when the lease is over, and without a call."""
    begin = sender.store.begin

    async def slow(attempts: Any) -> Any:
        row = (cancelled("m"), "default", datetime.now(UTC), None)
        assert await sender.store.cancel("default", "m", row) == "sending"
        return await begin(attempts)

    sender.store.begin = slow  # type: ignore[method-assign]
    await sender.ask()
    async with sender.at_work():
        await sender.until("cancelled")
    assert sender.provider.calls == [] and "MessageCancelled" in await sender.types()


# The database's clock is set back by an hour.


async def test_a_clock_that_is_set_back_stalls_no_lane(sender: Owned) -> None:
    """Its bucket fills from now on; a rest or a probe of the future counts no more."""
    await accept(sender.store, *(asked(number) for number in range(3)), lanes=[lane(rate=20, burst=1)])
    await sender.run("UPDATE lanes SET tokens = 0, filled_at = now() + interval '1 h'")
    assert await sender.store.claim(1, 60, {}) == []  # which heals it
    await asyncio.sleep(0.2)
    assert len(await sender.store.claim(1, 60, {})) == 1
    await sender.run(
        "UPDATE lanes SET tokens = 1, failures = 5, trouble = '503', open_until = now() + interval '61 min',"
        " failed_at = now() + interval '1 h', probing_until = now() + interval '61 min'"
    )
    await asyncio.sleep(0.2)  # until its bucket's next token, as was noted before
    (probe,) = await sender.store.claim(1, 60, {})
    await sender.store.note_lanes([LaneReport(str(probe["lane"]), passed=True, probe=True)])
    await asyncio.sleep(0.2)
    assert len(await sender.store.claim(1, 60, {})) == 1


async def test_a_clock_that_is_set_back_leaves_no_message_waiting_for_it(sender: Owned) -> None:
    """One that a dead worker had, or that waited for its next try, is due as long after now as it was to be after then."""
    await accept(sender.store, asked(1), asked(2))
    assert len(await sender.store.claim(9, 60, {})) == 2
    assert await sender.store.after_setback() == 0
    await sender.run("UPDATE messages SET changed_at = now() + interval '1 h', due_at = now() + interval '1 h 0.1 s'")
    assert await sender.store.after_setback() == 2
    await asyncio.sleep(0.2)
    assert len(await sender.store.claim(9, 60, {})) == 2


# Kafka, beside HTTP (`test_messages_api.py`).


async def test_what_cannot_be_sent_in_time_any_more_is_refused(sender: Owned) -> None:
    """A dead letter names the path; the client gets an event."""

    async def publish(letter: Any) -> None:
        raise AssertionError("letters are published once they are stored")

    record = SimpleNamespace(
        topic="messages.requested", partition=0, offset=1, key=None, headers=(), timestamp=datetime.now(UTC).timestamp() * 1000,
        value=b'{"clientId":"default","messageId":"m","to":"+15551234567","channel":"sms","body":"x","sendBefore":"2020-01-01T00:00:00Z"}',
    )  # fmt: skip
    outcome = prepare(record, 1 << 20)
    await Intake(sender.store, publish, Counts(), 100, clients=sender.clients)._store([outcome])
    row = await sender.store.message("default", "m")
    assert row is not None and row["state"] == "failed" and "in the past" in row["error"]["text"]
    assert outcome.letter is not None and outcome.letter.detail == {"path": "$.sendBefore"}
