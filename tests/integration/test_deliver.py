"""Deliveries on a real database to a real HTTP receiver: all delivered, signed, in order, and held back where they must
be."""

import asyncio
import random
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
import pytest
import pytest_asyncio
from prometheus_client import CollectorRegistry, generate_latest

from agents.telling.deliver import LEASE, TIMEOUT
from agents.transport.unanswered import REDACTED
from app.clients.callbacks import ClientCallbacks
from app.clients.configured import Clients
from schemas.events import Event
from sql import EventStore
from sql.deliveries import DeliveryOutcome
from sql.relay import Place
from sql.sealing import NoKey, Seal
from tests.conftest import Dsns
from tests.integration.callbacks import CLIENT, Office, Receiver, receiving, verified
from tests.integration.serving import NOON, event
from tests.integration.test_claim import explained, owner
from tests.support.keys import SEAL
from tests.support.relaying import relaying
from tests.support.waiting import eventually


@pytest_asyncio.fixture
async def office(postgres_dsn: Dsns, tmp_path: Path) -> AsyncIterator[Office]:
    """The parts that notify clients, on a fresh database."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=8) as store:
        yield Office.of(store, tmp_path)


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    """A receiver that answers 204."""
    async with receiving(Receiver()) as listening:
        yield listening


def message(n: int, *types: str) -> list[Event]:
    """Events of a message, in their order."""
    return [
        event(type, f"SM{n}", n + minute / 10, message_id=f"m{n}" if type == "UserMessageSent" else None)
        for minute, type in enumerate(types)
    ]


async def relayed(office: Office, *events: Event, client: str = CLIENT) -> list[dict[str, Any]]:
    """Append events, and enqueue the deliveries of all that was not relayed yet."""
    await office.store.append([(one, client, NOON + timedelta(days=1), None) for one in events])
    async with relaying(office.store) as relay:
        start: Place = await relay.begin(from_now=False)
        rows = await relay.page(start, 1000)
        clients = [name for name in sorted({row["client_id"] for row in rows}) if await office.callbacks.of(name)]
        if rows:
            await relay.advance(start, (rows[-1]["xid"], rows[-1]["position"]), clients)
    return rows


async def execute(dsn: str, query: str, *parameters: Any) -> list[Any]:
    """Run a statement as the owner."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as db:
        await db.execute("SET search_path = threadline")
        cursor = await db.execute(query, parameters)
        return await cursor.fetchall() if cursor.description else []


async def states(office: Office, *wanted: str) -> list[dict[str, Any]]:
    """The deliveries, the oldest first, once they are in these states."""

    async def look() -> list[dict[str, Any]]:
        rows = (await office.store.deliveries(CLIENT, None, 200))[::-1]
        return rows if [row["state"] for row in rows] == list(wanted) else []

    return await eventually(look)


#: All that waits for its next try, but not what is being tried.
HURRY = (
    "UPDATE deliveries SET due_at = now() WHERE state = 'waiting' AND due_at > now() "
    "AND due_at IS DISTINCT FROM attempted_at + %s"
)


@asynccontextmanager
async def quick(dsn: str) -> AsyncIterator[None]:
    """Make every delivery that waits for its next try due at once, again and again, as if days passed."""

    async def hurry() -> None:
        while True:
            await execute(dsn, HURRY, LEASE)
            await asyncio.sleep(0.1)

    task = asyncio.create_task(hurry())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_callbacks_of_a_message_are_in_order_once_and_signed(
    office: Office, receiver: Receiver, postgres_dsn: Dsns
) -> None:
    """Every event of a message is delivered in the log's order, once although the relay passes twice, with a signature
    that the client's secret verifies."""
    await office.configure(receiver.url)
    await relayed(office, *message(1, "UserMessageSent", "MessageDelivered", "MessageRead"))
    await execute(postgres_dsn.owner, "UPDATE relay_cursor SET xid = 0, position = 0")
    await relayed(office)
    async with office.delivering():
        posted = await receiver.until(3)
        rows = await states(office, "delivered", "delivered", "delivered")
    assert [one.json["type"] for one in posted] == ["message.sent", "message.delivered", "message.read"]
    assert {one.json["data"]["messageId"] for one in posted} == {"m1"}
    assert [one.headers["webhook-id"] for one in posted] == [str(row["event_id"]) for row in rows]
    secret = await office.secret()
    assert all(verified(secret, one.headers, one.body) for one in posted)
    assert not verified(secret, posted[0].headers, posted[1].body)
    assert {(row["attempts"], row["last_status"], row["secret_version"]) for row in rows} == {(1, 204, 1)}
    assert office.telling.outcomes == {"delivered": 3}


async def test_an_event_from_before_its_message_was_known_is_delivered(office: Office, receiver: Receiver) -> None:
    """A status that was relayed before the send that names its message, is delivered when that comes."""
    await office.configure(receiver.url)
    await relayed(office, event("MessageDelivered", "SM1", 2))
    assert await office.store.deliveries(CLIENT, None, 10) == []
    await relayed(office, event("UserMessageSent", "SM1", 1, message_id="m1"))
    async with office.delivering():
        posted = await receiver.until(2)
    assert {one.json["type"] for one in posted} == {"message.sent", "message.delivered"}
    assert {one.json["data"]["messageId"] for one in posted} == {"m1"}


async def test_only_messages_of_those_who_ask_and_only_the_types_asked_for(office: Office, receiver: Receiver) -> None:
    """Nothing is delivered for a client without a callback, for an event that belongs to no message, or of a type that
    was not asked for."""
    await office.configure(receiver.url, types=["message.delivered"])
    await office.configure(None, client="other")
    await relayed(office, *message(1, "UserMessageSent", "MessageDelivered"), event("MessageReceived", "SM2"))
    await relayed(office, *message(1, "UserMessageSent", "MessageDelivered"), client="other")
    await relayed(office, *message(1, "UserMessageSent", "MessageDelivered"), client="nobody knows")
    async with office.delivering():
        posted = await receiver.until(1)
        (row,) = await states(office, "delivered")
    assert (posted[0].json["type"], row["type"]) == ("message.delivered", "MessageDelivered")
    assert await office.store.deliveries("other", None, 10) == []


async def test_a_receiver_that_was_away_gets_everything(office: Office, postgres_dsn: Dsns) -> None:
    """What failed is tried until it is delivered: nothing is lost, and each message keeps its order."""
    async with receiving(Receiver()) as receiver:
        await office.configure(receiver.url)
    count = 12
    events = [one for n in range(count) for one in message(n, "UserMessageSent", "MessageDelivered")]
    await relayed(office, *events)
    async with office.delivering(), quick(postgres_dsn.owner):
        await office.failing()
        async with receiving(receiver):
            posted = await receiver.until(2 * count)
            await states(office, *["delivered"] * 2 * count)
    for n in range(count):
        mine = [one.json["type"] for one in posted if one.json["data"]["messageId"] == f"m{n}"]
        assert mine == ["message.sent", "message.delivered"]
    assert (await office.callback())["failing_since"] is None
    assert office.telling.outcomes["unanswered"] > 0


async def test_a_failure_waits_for_its_turn(office: Office, receiver: Receiver) -> None:
    """A failed delivery has its reason and is tried again in seconds, and the message's next event waits for it."""
    receiver.answer = "500 Internal Server Error"
    await office.configure(receiver.url)
    await relayed(office, *message(1, "UserMessageSent", "MessageDelivered"))
    async with office.delivering():
        await receiver.until(1)
        rows = await office.failed()
    second, first = rows
    assert (first["state"], first["last_status"], first["last_error"]) == ("waiting", 500, "answered 500")
    assert timedelta(seconds=3) < first["due_at"] - first["attempted_at"] < timedelta(seconds=10)
    assert (second["attempts"], len(receiver.posted)) == (0, 1)
    await relayed(office, *message(1, "MessageRead"))
    third = (await office.store.deliveries(CLIENT, None, 10))[0]
    assert first["due_at"] == second["due_at"] == third["due_at"]


async def test_an_event_during_an_earlier_delivery_is_due_after_it(office: Office) -> None:
    """An event that comes during a try is due when the try is settled, not when its lease ends, although the outcome may
    be written without a look at events that came meanwhile."""
    await office.configure("https://shop.example.com/events")
    await relayed(office, *message(1, "UserMessageSent"))
    assert len(await office.store.claim_deliveries(CLIENT, 8, LEASE)) == 1
    await relayed(office, *message(1, "MessageDelivered"))
    later, _ = await office.store.deliveries(CLIENT, None, 10)
    assert later["due_at"] <= datetime.now(UTC)
    assert await office.store.claim_deliveries(CLIENT, 8, LEASE) == []


async def test_redirects_are_not_followed(office: Office, receiver: Receiver) -> None:
    """A 3xx is a failure, wherever it points to."""
    receiver.answer = f"307 Temporary Redirect\r\nlocation: {receiver.url}/elsewhere"
    await office.configure(receiver.url)
    await relayed(office, *message(1, "UserMessageSent"))
    async with office.delivering():
        await receiver.until(1)
        (row,) = await office.failed()
    assert (row["last_status"], len(receiver.posted)) == (307, 1)


async def test_tries_end(office: Office, receiver: Receiver, postgres_dsn: Dsns) -> None:
    """After ten tries a delivery has failed, and the message's next event is delivered."""
    receiver.answer = "500 Internal Server Error"
    await office.configure(receiver.url)
    await relayed(office, *message(1, "UserMessageSent"))
    async with office.delivering(), quick(postgres_dsn.owner):
        (row,) = await states(office, "failed")
        receiver.answer = "204 No Content"
        await relayed(office, *message(1, "MessageDelivered"))
        await states(office, "failed", "delivered")
    assert row["attempts"] == 10


async def test_gone_disables_at_once(office: Office, receiver: Receiver) -> None:
    """After a 410 nothing more is posted, and waiting deliveries stay; once the callback is enabled again, all are
    delivered."""
    receiver.answer = "410 Gone"
    await office.configure(receiver.url)
    await relayed(office, *message(1, "UserMessageSent", "MessageDelivered"))
    async with office.delivering():
        assert (await office.disabled())["disabled_reason"] == "gone"
        posted = len(receiver.posted)
        await relayed(office, *message(2, "UserMessageSent"))
        await asyncio.sleep(0.6)
        assert len(receiver.posted) == posted == 1
        receiver.answer = "204 No Content"
        assert await office.store.enable_callback(CLIENT, "test") == 3
        await states(office, "delivered", "delivered", "delivered")
    actions = {row["action"]: row["detail"] for row in await office.store.audit(CLIENT)}
    assert actions["callback.disabled"]["reason"] == "gone"
    assert actions["callback.enabled"] == {"waiting": 3}


async def test_days_of_failures_disable(office: Office, receiver: Receiver, postgres_dsn: Dsns) -> None:
    """A callback that has only failed for five days is disabled; a success in between begins the count anew."""
    receiver.answer = "503 Service Unavailable"
    await office.configure(receiver.url)
    await relayed(office, *message(1, "UserMessageSent"), *message(2, "UserMessageSent"))
    age = "UPDATE callbacks SET failing_since = now() - %s::interval"
    async with office.delivering(), quick(postgres_dsn.owner):
        await office.failing()
        await execute(postgres_dsn.owner, age, "4 days 23 hours")
        seen = len(receiver.posted)
        await receiver.until(seen + 2)
        assert (await office.callback())["disabled_at"] is None
        await execute(postgres_dsn.owner, age, "5 days 1 minute")
        assert (await office.disabled())["disabled_reason"] == "failing"
    assert (await office.store.relay_lag())["disabled"] == 1


async def test_another_url_begins_anew_and_none_ends_it(office: Office, receiver: Receiver) -> None:
    """A disabled callback that is given another URL gets there what waits; one that is removed gets nothing until it is
    back."""
    receiver.answer = "410 Gone"
    await office.configure(receiver.url)
    await relayed(office, *message(1, "UserMessageSent"))
    async with receiving(Receiver()) as other, office.delivering():
        await office.disabled()
        await office.configure(other.url)
        await relayed(office, *message(2, "UserMessageSent"))
        await other.until(1)
        await states(office, "waiting", "delivered")
        assert await office.store.enable_callback(CLIENT, "test") == 1
        await states(office, "delivered", "delivered")
        await relayed(office, *message(3, "UserMessageSent"))
        await states(office, *["delivered"] * 3)
        await office.configure(None)
        await relayed(office, *message(4, "UserMessageSent"))
        assert len(await office.store.deliveries(CLIENT, None, 10)) == 3
        assert await office.callbacks.rotate(CLIENT, "test") is None


async def test_a_waiting_delivery_of_a_removed_callback_is_not_posted(office: Office, receiver: Receiver) -> None:
    """The configuration is what counts when it is posted, not only when it was enqueued."""
    await office.configure(receiver.url)
    await relayed(office, *message(1, "UserMessageSent"))
    await office.configure(None)
    async with office.delivering():
        assert (await office.disabled())["disabled_reason"] == "removed"
        assert await office.store.enable_callback(CLIENT, "test") is None
        await office.configure(receiver.url)
        await relayed(office, *message(2, "UserMessageSent"))
        await states(office, "delivered", "delivered")


async def test_replay_tells_again(office: Office, receiver: Receiver) -> None:
    """Events are replayed by their ids, or by when they were recorded. They keep their `webhook-id`, so that a receiver
    recognises a repeat. Another client's ids count as unknown."""
    await office.configure(receiver.url)
    began = datetime.now(UTC) - timedelta(minutes=5)
    await relayed(office, *message(1, "UserMessageSent", "MessageDelivered"))
    async with office.delivering():
        rows = await states(office, "delivered", "delivered")
        assert await office.store.replay_ids("other", [rows[0]["event_id"]]) == 0
        assert await office.store.replay_ids(CLIENT, [rows[0]["event_id"]]) == 1
        posted = await receiver.until(3)
        assert posted[2].headers["webhook-id"] == posted[0].headers["webhook-id"]
        await states(office, "delivered", "delivered")
        assert await office.store.replay_span(CLIENT, began, datetime.now(UTC)) == (2, None)
        await receiver.until(5)
        assert await office.store.replay_span(CLIENT, began - timedelta(days=1), began) == (0, None)
        await states(office, "delivered", "delivered")


async def test_a_span_of_too_many_is_cut(office: Office, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest are replayed, and it says from when on to ask for the rest."""
    monkeypatch.setattr("sql.deliveries.REPLAYED", 2)
    await office.configure(receiver.url)
    for n in range(3):
        await relayed(office, *message(n, "UserMessageSent"))
    newest = (await office.store.deliveries(CLIENT, None, 10))[0]
    since, until = datetime.now(UTC) - timedelta(minutes=5), datetime.now(UTC) + timedelta(minutes=5)
    count, following = await office.store.replay_span(CLIENT, since, until)
    assert (count, following) == (2, newest["recorded_at"])
    assert await office.store.replay_span(CLIENT, newest["recorded_at"], until) == (1, None)


async def test_rotation_has_a_day_of_grace(office: Office, receiver: Receiver, postgres_dsn: Dsns) -> None:
    """Old and new secret both sign; when the day is over only the new one does. Two workers make one first secret."""
    await office.configure(receiver.url)
    await relayed(office, *message(1, "UserMessageSent"))
    await asyncio.gather(*(office.callbacks.secrets(CLIENT) for _ in range(5)))
    old = await office.secret()
    assert [version for version, _ in await office.callbacks.secrets(CLIENT)] == [1]
    new = await office.callbacks.rotate(CLIENT, "test")
    assert new is not None and new != old and new == await office.secret()
    async with office.delivering():
        (first,) = await receiver.until(1)
        await execute(postgres_dsn.owner, "UPDATE callback_secrets SET expires_at = now() WHERE version = 1")
        await relayed(office, *message(2, "UserMessageSent"))
        second = (await receiver.until(2))[1]
    assert verified(old, first.headers, first.body) and verified(new, first.headers, first.body)
    assert not verified(old, second.headers, second.body) and verified(new, second.headers, second.body)
    kept = await execute(postgres_dsn.owner, "SELECT sealed FROM callback_secrets")
    assert all(new.encode() not in row[0] for row in kept)


async def test_a_private_address_is_refused(office: Office, receiver: Receiver) -> None:
    """No connection is made, the client sees why, and it counts as a failure."""
    await office.configure(receiver.url)
    await relayed(office, *message(1, "UserMessageSent"))
    async with office.delivering(allowed=()):
        rows = await office.failed()
    assert rows[0]["last_error"] == REDACTED
    assert (rows[0]["last_status"], rows[0]["state"], receiver.posted) == (None, "waiting", [])
    assert office.telling.outcomes == {"refused": 1}
    assert (await office.callback())["failing_since"] is not None


async def test_one_that_hangs_holds_up_nobody_else(office: Office, receiver: Receiver) -> None:
    """A client whose callback does not answer has at most eight requests open, while others are served."""
    await office.configure(receiver.url)
    receiver.hold.clear()
    async with receiving(Receiver()) as other, office.delivering():
        await office.configure(other.url, client="other")
        await relayed(office, *(one for n in range(20) for one in message(n, "UserMessageSent")))
        await receiver.until(8)
        await relayed(office, *message(1, "UserMessageSent"), client="other")
        await other.until(1)
        assert receiver.most == 8
        receiver.hold.set()
        await states(office, *["delivered"] * 20)
    assert receiver.most == 8


async def test_a_dead_worker_s_deliveries_are_taken_over(
    office: Office, receiver: Receiver, postgres_dsn: Dsns
) -> None:
    """A delivery that was claimed and never settled is claimed again when its lease ends; a late outcome of the first
    try changes nothing."""
    await office.configure(receiver.url)
    await relayed(office, *message(1, "UserMessageSent", "MessageDelivered"))
    (taken,) = await office.store.claim_deliveries(CLIENT, 8, timedelta(minutes=1))
    assert await office.store.claim_deliveries(CLIENT, 8, timedelta(minutes=1)) == []
    await execute(postgres_dsn.owner, "UPDATE deliveries SET due_at = now()")
    async with office.delivering():
        rows = await states(office, "delivered", "delivered")
    assert (rows[0]["event_id"], rows[0]["attempts"]) == (taken["event_id"], 2)


async def test_a_secret_that_does_not_open_stops_its_client_alone(
    office: Office, receiver: Receiver, postgres_dsn: Dsns
) -> None:
    """Nothing is posted unsigned; the worker reports whose fault it is, is ready, and serves others meanwhile; and the
    client once it is mended."""
    await office.configure(receiver.url)
    await relayed(office, *message(1, "UserMessageSent"))
    await office.secret()
    await execute(postgres_dsn.owner, "UPDATE callback_secrets SET sealed = sealed || '\\x00'")
    async with receiving(Receiver()) as other, office.delivering():
        await office.configure(other.url, client="other")
        await eventually(lambda: _tenants(office))
        await relayed(office, *message(1, "UserMessageSent"), client="other")
        await other.until(1)
        assert receiver.posted == []
        assert "Tampered" in office.health.tenants[CLIENT, "callback"]
        assert not office.health.failures
        await office.callbacks.rotate(CLIENT, "test")
        await execute(postgres_dsn.owner, "DELETE FROM callback_secrets WHERE client_id = 'shop' AND version = 1")
        await states(office, "delivered")
        await eventually(lambda: _tenants(office), lambda found: not found)


async def _tenants(office: Office) -> dict[tuple[str, str], str]:
    return office.health.tenants


async def test_without_a_key_the_error_names_what_to_set(office: Office, receiver: Receiver) -> None:
    """Without a key to encrypt it, no secret can be made, and nothing is posted unsigned."""
    await office.configure(receiver.url)
    await relayed(office, *message(1, "UserMessageSent"))
    office.callbacks = ClientCallbacks(office.store, Clients(office.store, office.settings, ttl=0), Seal([]))
    async with office.delivering():
        found = await eventually(lambda: _tenants(office))
    assert "NoKey" in found[CLIENT, "callback"] and receiver.posted == []
    with pytest.raises(NoKey, match="openssl rand"):
        await office.callbacks.rotate(CLIENT, "test")


async def test_old_deliveries_are_forgotten(office: Office, receiver: Receiver, postgres_dsn: Dsns) -> None:
    """Deliveries of events that were recorded longer ago than `retain_days` are removed, and no others."""
    await office.configure(receiver.url)
    await relayed(office, *message(1, "UserMessageSent"), *message(2, "UserMessageSent"))
    await execute(
        postgres_dsn.owner, "UPDATE deliveries SET recorded_at = now() - interval '31 days' WHERE message_id = 'm1'"
    )
    assert await office.store.forget_deliveries(timedelta(days=30)) == 1
    assert await office.store.forget_deliveries(timedelta(days=30)) == 0
    assert [row["message_id"] for row in await office.store.deliveries(CLIENT, None, 10)] == ["m2"]


async def _lag(office: Office) -> dict[str, float]:
    return office.telling.lag


async def test_metrics_tell_of_it(office: Office, receiver: Receiver) -> None:
    """The worker's page has the outcomes of tries, the lag, and the age of overdue deliveries."""
    await office.configure(receiver.url)
    await relayed(office, *message(1, "UserMessageSent"))
    assert (await office.store.relay_lag())["overdue"] > 0
    measuring = asyncio.create_task(office.telling.measure(office.store))
    async with office.delivering():
        await states(office, "delivered")
        await eventually(lambda: _lag(office))
    measuring.cancel()
    await asyncio.gather(measuring, return_exceptions=True)
    registry = CollectorRegistry()
    registry.register(office.health)
    page = generate_latest(registry).decode()
    assert 'threadline_deliveries_total{outcome="delivered"} 1.0' in page
    for name in ("relay_lag_events", "relay_lag_seconds", "callbacks_disabled", "deliveries_overdue_seconds"):
        assert f"threadline_{name} " in page


def test_a_lease_outlives_a_try() -> None:
    """A lease is longer than a try can take, as another worker would otherwise claim a delivery that is still being
    posted."""
    assert timedelta(seconds=2 * TIMEOUT) < LEASE


async def test_an_endpoint_gets_as_many_at_once_as_it_allows(office: Office, receiver: Receiver) -> None:
    """An endpoint gets as many concurrent posts as the callback's setting allows, also while one of them does not
    end."""
    await office.configure(receiver.url, concurrency=20)
    receiver.hold.clear()
    async with office.delivering():
        await relayed(office, *(one for n in range(15) for one in message(n, "UserMessageSent")))
        await receiver.until(15)
        await relayed(office, *(one for n in range(15, 40) for one in message(n, "UserMessageSent")))
        await receiver.until(20)
        await asyncio.sleep(0.6)
        assert len(receiver.posted) == receiver.most == 20
        receiver.hold.set()
        await states(office, *["delivered"] * 40)
    assert receiver.most == 20


async def test_a_success_wakes_what_waits_since_an_outage(
    office: Office, receiver: Receiver, postgres_dsn: Dsns
) -> None:
    """After an outage no delivery waits for its own pause of many hours; they become due step by step, and each message
    keeps its order."""
    receiver.answer = "503 Service Unavailable"
    await office.configure(receiver.url)
    count = 30
    await relayed(office, *(one for n in range(count) for one in message(n, "UserMessageSent", "MessageDelivered")))
    async with office.delivering():
        await receiver.until(count)
        await eventually(lambda: office.store.deliveries(CLIENT, None, 200), _all_paused)
    await execute(
        postgres_dsn.owner,
        "UPDATE deliveries SET attempts = 7 * least(attempts, 1), due_at = now() + interval '14 hours'",
    )
    receiver.answer, receiver.posted, receiver.most = "204 No Content", [], 0
    async with office.delivering():
        await asyncio.sleep(0.5)
        assert receiver.posted == []
        await relayed(office, *message(count, "UserMessageSent"))
        posted = await receiver.until(2 * count + 1)
        await states(office, *["delivered"] * (2 * count + 1))
    assert receiver.most <= 8
    for n in range(count):
        mine = [one.json["type"] for one in posted if one.json["data"]["messageId"] == f"m{n}"]
        assert mine == ["message.sent", "message.delivered"]


def _all_paused(rows: list[dict[str, Any]]) -> bool:
    return all(row["due_at"] > datetime.now(UTC) and row["last_error"] for row in rows if row["attempts"])


async def test_an_event_that_alone_is_refused_keeps_its_pauses(office: Office, receiver: Receiver) -> None:
    """The successes of other events do not use up its tries, as the endpoint was not away."""
    receiver.refuses = b'"messageId":"m0"'
    await office.configure(receiver.url)
    await relayed(office, *message(0, "UserMessageSent"))
    async with office.delivering():
        await office.failed()
        for n in range(1, 6):
            await relayed(office, *message(n, "UserMessageSent"))
            await receiver.until(n + 1)
        rows = await states(office, "waiting", *["delivered"] * 5)
    assert rows[0]["attempts"] == 1 and rows[0]["due_at"] - rows[0]["attempted_at"] > timedelta(seconds=3)


async def test_those_that_hang_leave_places_for_others(office: Office, receiver: Receiver) -> None:
    """A dozen clients with endpoints that never answer, and fewer places than these would take: others are served at
    once."""
    receiver.hold.clear()
    hanging = [f"hanging-{number}" for number in range(12)]
    for client in hanging:
        await office.configure(receiver.url, client=client, concurrency=64)
        await relayed(office, *(one for n in range(3) for one in message(n, "UserMessageSent")), client=client)
    async with receiving(Receiver()) as other, office.delivering() as deliverer:
        deliverer._slots._most = 4
        await receiver.until(4)
        await office.configure(other.url)
        await relayed(office, *(one for n in range(20) for one in message(n, "UserMessageSent")))
        await other.until(20)
        await states(office, *["delivered"] * 20)
        assert receiver.most <= 16


#: Clients with a callback and a delivery that waits till tomorrow.
MANY = """
WITH made AS (
    INSERT INTO callbacks (client_id, url) SELECT 'c' || n, 'https://example.com' FROM generate_series(1, 3000) AS n
    RETURNING client_id
)
INSERT INTO deliveries (event_id, xid, position, client_id, message_id, recorded_at, due_at)
SELECT md5(client_id)::uuid, 1, 1, client_id, 'm', now(), now() + interval '1 day' FROM made
"""


async def test_a_look_costs_the_same_however_many_clients_there_are(office: Office, postgres_dsn: Dsns) -> None:
    """A query for due deliveries reads nothing of callbacks or deliveries that are not due."""
    async with owner(postgres_dsn) as connection:
        few = await explained(connection, "due_clients", {"limit": 256, "but": []})
        await connection.execute(MANY)
        while found := await office.store.due_clients(256):  # what a new callback leaves to be looked at
            for client in found:
                assert await office.store.claim_deliveries(client, 8, LEASE) == []
        await connection.execute("VACUUM ANALYZE clients_due")
        assert await explained(connection, "due_clients", {"limit": 256, "but": []}) <= few + 10
        (left,) = await (await connection.execute("SELECT count(*) AS n FROM clients_due")).fetchall()
        assert left["n"] == 3000


#: Deliveries that nobody would look for: of each message the first, of a callback that is enabled.
PASSED_OVER = """
SELECT d.client_id, d.message_id, d.due_at FROM deliveries AS d
JOIN callbacks AS c ON c.client_id = d.client_id AND c.disabled_at IS NULL
WHERE d.state = 'waiting'
    AND NOT EXISTS (
        SELECT FROM deliveries AS e
        WHERE e.client_id = d.client_id AND e.message_id = d.message_id AND e.state = 'waiting'
            AND (e.xid, e.position) < (d.xid, d.position)
    )
    AND NOT EXISTS (SELECT FROM clients_due AS h WHERE h.client_id = d.client_id AND h.due_at <= greatest(d.due_at, now()))
"""


@pytest.mark.parametrize("seed", range(4))
async def test_no_delivery_is_passed_over(office: Office, postgres_dsn: Dsns, seed: int) -> None:
    """Whatever several workers and clients do at once, there is a hint for each message's first delivery that waits."""
    chance, clients, taken, store = (
        random.Random(seed),
        ["a", "b", "c"],
        list[tuple[str, dict[str, Any]]](),
        office.store,
    )
    for client in clients:
        await office.configure("https://shop.example.com/events", client=client)

    async def claim() -> None:
        client = chance.choice(clients)
        lease = timedelta(seconds=chance.choice([0.01, 60]))
        taken.extend((client, row) for row in await store.claim_deliveries(client, chance.randint(1, 6), lease))

    async def settle() -> None:
        client = chance.choice(clients)
        mine = [each for each in taken if each[0] == client][:4]
        taken[:] = [each for each in taken if each not in mine]
        pause = chance.choice([None, timedelta(), timedelta(seconds=0.05), timedelta(hours=1)])
        good = chance.random() < 0.5
        outcomes = [
            DeliveryOutcome(row["event_id"], row["due_at"], good, 200, None, None if good else pause, 1)
            for _, row in mine
        ]
        url, gone = "https://shop.example.com/events", chance.random() < 0.1
        await store.settle_deliveries(client, url, outcomes, gone=gone, patience=timedelta(days=1))

    async def enable() -> None:
        await store.enable_callback(chance.choice(clients), "test")

    async def quiet() -> None:
        await store.quiet_callback(chance.choice(clients))

    async def replay() -> None:
        if taken:
            client, row = chance.choice(taken)
            await store.replay_ids(client, [row["event_id"]])

    for round in range(12):
        for client in clients:
            n = chance.randint(0, 30)
            await relayed(office, *message(n, "UserMessageSent", "MessageDelivered", "MessageRead"), client=client)
        acts = [claim, claim, claim, settle, settle, enable, quiet, replay]
        await asyncio.gather(*(chance.choice(acts)() for _ in range(8)))
        assert await execute(postgres_dsn.owner, PASSED_OVER) == [], round


async def test_changes_of_the_same_deliveries_at_once_do_not_deadlock(office: Office) -> None:
    """Outcomes, replays and the enabling of a callback change many rows each, which they find in different orders."""
    await office.configure("https://shop.example.com/events")
    for n in range(40):
        await relayed(office, *message(n, "UserMessageSent", "MessageDelivered", "MessageRead"))
    rows = await office.store.deliveries(CLIENT, None, 200)
    ids = [row["event_id"] for row in rows]

    async def settle(order: list[UUID]) -> None:
        due = {row["event_id"]: row["due_at"] for row in await office.store.deliveries(CLIENT, None, 200)}
        outcomes = [DeliveryOutcome(id, due[id], False, 500, None, timedelta(), 1) for id in order]
        url = "https://shop.example.com/events"
        await office.store.settle_deliveries(CLIENT, url, outcomes, gone=False, patience=timedelta(days=1))

    async def span() -> None:
        await office.store.replay_span(CLIENT, datetime.now(UTC) - timedelta(hours=1), datetime.now(UTC))

    for seed in range(8):
        mixed = random.Random(seed).sample(ids, len(ids))
        await asyncio.gather(
            settle(ids),
            settle(ids[::-1]),
            settle(mixed),
            span(),
            office.store.enable_callback(CLIENT, "test"),
            office.store.replay_ids(CLIENT, mixed),
            office.store.replay_ids(CLIENT, ids[::-1]),
            office.store.forget_deliveries(timedelta(days=30)),
        )
    assert len(await office.store.deliveries(CLIENT, "waiting", 200)) == len(ids) == 120
