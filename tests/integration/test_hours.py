"""The keys of raw records on a real database: made once, ahead, destroyed in time, encrypted anew."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from agents.health import WorkerHealth
from agents.process.hour_keys import MARGIN, HourKeeping, ages_of
from app.kafka.topics import TOPICS
from app.kafka.unread import Retention
from app.settings import Retention as Kept
from app.settings import Settings
from app.settings.sections import Worker
from sql import DeadLetter, EventStore
from sql.hour_keys import AHEAD
from sql.letters import general_of
from sql.sealed_records import Destroyed, UnknownKey
from sql.sealing import KEY_BYTES, NoKey, Seal
from tests.conftest import Dsns
from tests.support.keys import SEAL

PLACE = b"webhooks.received"
WEEK = Retention(7 * 86400.0, None)
MARKER = b"a text that Ana wrote"


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """The store of a fresh database."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as opened:
        yield opened


async def rows(dsns: Dsns, query: str, *given: Any) -> list[Any]:
    """What a query of the owner gives."""
    async with await psycopg.AsyncConnection.connect(dsns.owner, autocommit=True) as connection:
        cursor = await connection.execute(query, given)
        return await cursor.fetchall() if cursor.description else []


async def age(dsns: Dsns, days: float) -> None:
    """Let all keys be so much older."""
    hours = timedelta(hours=round(24 * days))
    await rows(
        dsns, "UPDATE threadline.hour_keys SET hour = hour - %s WHERE sealed IS NOT NULL", 10000 * timedelta(days=1)
    )
    await rows(
        dsns,
        "UPDATE threadline.hour_keys SET hour = hour + %s WHERE sealed IS NOT NULL",
        10000 * timedelta(days=1) - hours,
    )


async def test_two_doors_that_make_the_same_hours_agree(postgres_dsn: Dsns) -> None:
    """Eight at once, on an empty table: each hour has one key, and each door reads what any other seals."""
    stores = [await EventStore.open(postgres_dsn.service, SEAL, pool=1) for _ in range(8)]
    try:
        await asyncio.gather(*(store.keys_ahead() for store in stores))
        found = await rows(
            postgres_dsn, "SELECT purpose, count(*), count(DISTINCT hour) FROM threadline.hour_keys GROUP BY 1"
        )
        assert {purpose: (keys, hours) for purpose, keys, hours in found} == {
            purpose: (hours, hours) for purpose, hours in AHEAD.items() if purpose != "events"
        }
        sealed = [store.hours.seal("records", PLACE, MARKER) for store in stores]
        assert len({each[6:22] for each in sealed}) == 1 and not any(store.hours.own for store in stores)
        assert all(store.hours.open(each, PLACE) == MARKER for store in stores for each in sealed)
    finally:
        for store in stores:
            await store.close()


async def test_no_key_is_in_the_table_readably(store: EventStore, postgres_dsn: Dsns) -> None:
    """What is in it is of no use without the keys of the settings; a reader's role sees nothing of it."""
    await store.keys_ahead()
    sealed = store.hours.seal("records", PLACE, MARKER)
    async with await EventStore.open(postgres_dsn.service, Seal([secrets.token_bytes(KEY_BYTES)]), pool=1) as other:
        with pytest.raises(NoKey):
            await other.keys_for([sealed])
        with pytest.raises(UnknownKey):
            other.hours.open(sealed, PLACE)
    granted = "SELECT has_table_privilege('threadline_reader', 'threadline.hour_keys', 'SELECT')"
    assert await rows(postgres_dsn, granted) == [(False,)]


async def test_a_key_is_destroyed_when_its_purpose_has_ended(store: EventStore, postgres_dsn: Dsns) -> None:
    """And no sooner; its id and the date stay, and are the reason for whoever needs it."""
    await store.keys_ahead()
    sealed = {purpose: store.hours.seal(purpose, PLACE, MARKER) for purpose in ("records", "raw", "blobs")}
    settings, health = Settings(worker=Worker(retain_raw_days=30)), WorkerHealth()
    keeping = HourKeeping(store, settings, health)
    kafka = {topic.name: WEEK for topic in TOPICS}
    await age(postgres_dsn, 8 + (7 + MARGIN.days) - 0.5)  # the newest is 8 days ahead
    await keeping.once(kafka)
    left = await rows(
        postgres_dsn, "SELECT count(*) FROM threadline.hour_keys WHERE purpose = 'records' AND sealed IS NOT NULL"
    )
    assert 0 < left[0][0] <= 14 and keeping.destroyed["records"] >= 170 and keeping.destroyed["dead"] == 0
    assert keeping.destroyed["raw"] == keeping.destroyed["blobs"] == 0
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as later:
        await later.keys_for([sealed["records"]])
        with pytest.raises(Destroyed, match=f"destroyed on {datetime.now(UTC):%Y-%m-%d}"):
            later.hours.open(sealed["records"], PLACE)
    gone = "SELECT count(*) FROM threadline.hour_keys WHERE destroyed_at IS NOT NULL AND sealed IS NULL"
    assert (await rows(postgres_dsn, gone))[0][0] == sum(keeping.destroyed.values())


async def test_what_is_not_on_kafka_yet_keeps_its_key(store: EventStore, postgres_dsn: Dsns) -> None:
    """A door with a spool says so; its keys have their whole time from then on."""
    await store.keys_ahead()
    await age(postgres_dsn, 12)
    await store.need_hour_keys(datetime.now(UTC) - timedelta(days=11))
    destroyed = await store.destroy_hour_keys({"records": timedelta(days=7)}, limit=10_000)
    needed = await rows(
        postgres_dsn,
        "SELECT min(hour), count(*) FROM threadline.hour_keys WHERE purpose = 'records' AND sealed IS NOT NULL",
    )
    assert destroyed and needed[0][1] > 100
    assert needed[0][0] >= datetime.now(UTC) - timedelta(days=11, hours=3)


async def test_ages_follow_the_settings_and_kafka() -> None:
    """A topic without an end has keys without one; so has one that Kafka says nothing of."""
    settings = Settings(worker=Worker(retain_raw_days=3), retention=Kept(dead_letters=0))
    kafka = {topic.name: WEEK for topic in TOPICS}
    ages = ages_of(settings, kafka)
    assert ages.keys() == AHEAD.keys()
    assert (ages["records"], ages["dead"], ages["raw"]) == (timedelta(days=7) + MARGIN, None, timedelta(days=5))
    assert ages_of(settings, kafka | {"messages.requested": Retention(None, None)})["records"] is None
    assert ages_of(settings, {})["blobs"] is None
    longer = ages_of(settings, kafka | {"webhooks.received": Retention(14 * 86400.0, None)})
    assert longer["records"] == timedelta(days=14) + MARGIN


async def test_a_dead_letters_key_lives_as_long_as_it(store: EventStore, postgres_dsn: Dsns) -> None:
    """One that was replayed late keeps the key of its hour, whatever the days say."""
    letter = DeadLetter(
        "webhooks.received", 0, 7, f"{MARKER.decode()!r} is no number", detail=[MARKER.decode()], value=MARKER
    )
    await store.append([], [], [letter])
    await rows(postgres_dsn, "UPDATE threadline.dead_letters SET recorded_at = recorded_at - interval '200 days'")
    await age(postgres_dsn, 200)
    await store.destroy_hour_keys({"dead": timedelta(days=180)})
    (row,) = await store.dead_letters()
    whole = await store.dead_letter(row["id"])
    assert whole is not None and (whole["value"], whole["detail"]) == (MARKER, [MARKER.decode()])
    assert row["reason"] == letter.reason and row["unopenable"] is None
    await rows(postgres_dsn, "UPDATE threadline.dead_letters SET recorded_at = recorded_at - interval '2 days'")
    assert await store.destroy_hour_keys({"dead": timedelta(days=180)})
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as later:
        found = await later.dead_letter(row["id"])
    assert found is not None and found["value"] is None and "was destroyed on" in found["unopenable"]
    assert found["reason"] == "… is no number"


async def test_the_table_of_dead_letters_and_raw_webhooks_quotes_nothing(store: EventStore, postgres_dsn: Dsns) -> None:
    """Neither the value nor the reason, the detail or an item; rows from before are read as they are."""
    hidden = DeadLetter("t", 0, 1, f"$.to: {MARKER.decode()!r} is bad", detail={"a": MARKER.decode()}, value=MARKER)
    await store.append([], [MARKER], [hidden])
    dump = await rows(
        postgres_dsn,
        "SELECT d::text, encode(d.value, 'escape'), (SELECT string_agg(encode(body, 'escape'), '') FROM threadline.raw_webhooks)"
        " FROM threadline.dead_letters AS d",
    )
    assert dump[0][1] and dump[0][2] and MARKER.decode() not in str(dump) and MARKER.hex() not in str(dump)
    ((block,),) = await rows(postgres_dsn, "SELECT block FROM threadline.raw_webhooks")
    assert await store.read_raw(block) == [MARKER]
    before = "INSERT INTO threadline.dead_letters (id, topic, partition, \"offset\", reason, value) VALUES (gen_random_uuid(), 't', 0, 2, 'r', %s)"
    await rows(postgres_dsn, before, b"\x93tlr\x01 as it came")
    found = {row["offset"]: await store.dead_letter(row["id"]) for row in await store.dead_letters()}
    first, second = found[1], found[2]
    assert first is not None and second is not None
    assert (first["value"], first["reason"], first["general"]) == (MARKER, hidden.reason, "$.to: … is bad")
    assert (second["value"], second["reason"]) == (b"\x93tlr\x01 as it came", "r")


@pytest.mark.parametrize(
    "reason",
    ["$.to: 'x y' is bad", "to=\"a\" 'b…", "Ana <ana@example.org> +1555-123.4 0199d6b2-6f0a-7c3e-9d41-5b7f3c2a1e90", "it's 5 o'clock",
     "`a` [\"b\"] ('c') =`d`", "x 'a 'b' c'", "", "…", "KeyError: 'Ünï'\n'z'"],
)  # fmt: skip
async def test_the_general_form_is_the_databases(store: EventStore, postgres_dsn: Dsns, reason: str) -> None:
    """Of a reason, and of its general form, which the database makes once more."""
    ((theirs, again),) = await rows(
        postgres_dsn,
        "SELECT threadline.general_reason(%s::text), threadline.general_reason(%s::text)",
        reason,
        general_of(reason),
    )
    assert general_of(reason) == theirs == again


async def test_keys_are_encrypted_anew_in_steps_while_all_runs(
    postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ended halfway, the next run goes on; with the first key alone everything is read after it."""
    monkeypatch.setattr("sql.hours.STEP", 50)
    old, new = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES)
    async with await EventStore.open(postgres_dsn.service, Seal([old]), pool=1) as store:
        await store.keys_ahead()
        sealed = store.hours.seal("records", PLACE, MARKER)
    seen: list[int] = []

    def halfway(looked: int) -> None:
        seen.append(looked)
        if looked >= 200:
            raise KeyboardInterrupt

    async with await EventStore.open(postgres_dsn.service, Seal([new, old]), pool=1) as both:
        with pytest.raises(KeyboardInterrupt):
            await both.reseal_hour_keys(halfway)
        assert seen == [50, 100, 150, 200]
        total = sum(hours for purpose, hours in AHEAD.items() if purpose != "events")
        assert await both.reseal_hour_keys() == total - 200 and await both.reseal_hour_keys() == 0
        assert await both.hour_keys_by_key() == [{"key_id": Seal([new]).key_id, "keys": total}]
    async with await EventStore.open(postgres_dsn.service, Seal([new]), pool=1) as store:
        await store.keys_for([sealed])
        assert store.hours.open(sealed, PLACE) == MARKER
