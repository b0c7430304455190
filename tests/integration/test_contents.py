"""What clients do not want stored, in a real PostgreSQL: it is nowhere, in any order, and a change of mind counts from then on."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from agents.health import WorkerHealth
from agents.pipeline import Pipeline
from agents.records.large import LargeRecords
from agents.records.outcome import RecordOutcome, outcome_of
from schemas.events import Error, Event, Handle
from sql import Bad, EventStore, Row
from sql.personal.keys import HandleKey
from sql.rebuild import rebuild
from tests.conftest import Dsns
from tests.integration.erasures import places
from tests.integration.test_pipeline import Published, record, work
from tests.integration.test_rebuild import read, tables
from tests.integration.test_sending_store import accept, asked, lane, new, settled
from tests.support.keys import SEAL
from tests.support.letters import whole_letters
from webhooks.blobs import WITHHELD, Reference, name_of
from webhooks.blobs.folder import Folder
from webhooks.record import Webhook, decode, encode

WORDS, NAME, CAUSE = "my secret is Krautkopf", "Annegret Petunia", "no route to Krautkopf"
ANA, BO = Handle("phone", "+15551230001"), Handle("phone", "+15551230002")
START = datetime(2026, 11, 21, tzinfo=UTC)
ROUTES = {"channels": [{"channel": "sms", "account": "twilio"}]}


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store as the service has it, so that its privileges are tested too."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=3) as opened:
        yield opened


async def wants(store: EventStore, client: str, **content: str) -> None:
    """Set what a client wants stored."""
    await store.set_client(client, ROUTES | {"content": content}, "test")


def said(number: int, client: str, type: str = "MessageReceived", handle: Handle | None = ANA, **more: Any) -> Row:
    """An event with something personal in its payload, about the provider's message `pN`."""
    fields: dict[str, Any] = {
        "channel": "sms", "direction": "inbound", "provider_message_id": f"p{number}", "handle": handle,
        "occurred_at": START + timedelta(minutes=number),
        "payload": {"content": {"text": WORDS, "mine": NAME}, "displayName": NAME, "strange": {"a": NAME}, "from": "+15551230001"},
    }  # fmt: skip
    return (Event(type, "twilio", f"{type}-{number}", **(fields | more)), client, START + timedelta(days=1), None)


def story(client: str) -> list[Row]:
    """Messages, an edit, a failure that quotes, an opt-out, and what belongs to nobody and to no message."""
    error = Error("30003", CAUSE, "unreachable")
    return [
        *(said(number, client) for number in range(3)),
        said(1, client, "MessageEdited", occurred_at=START + timedelta(hours=1)),
        said(2, client, "MessageFailed", error=error),
        said(3, client, "RecipientUnsubscribed", payload={"basis": "link", "strange": NAME}),
        said(4, client, "ProviderEventReceived", None, provider_message_id=None, error=error),
        said(5, client, handle=BO, channel="email"),
    ]


def plainly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave what is sealed unencrypted, so that a search of the database sees it."""

    def seal(key: HandleKey, plain: bytes, place: bytes) -> bytes:
        return b"\x01" + key.handle.bytes + bytes(16) + plain

    monkeypatch.setattr(HandleKey, "seal", seal)
    monkeypatch.setattr(HandleKey, "open", lambda _, sealed, __: sealed[33:])


@pytest.mark.parametrize("mode", ["mask", "drop"])
async def test_what_is_not_wanted_is_nowhere(
    store: EventStore, postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    """Neither what came in nor what is sent, whatever becomes of it, nor what a provider answers; the search does find what another
    client keeps."""
    plainly(monkeypatch)
    await wants(store, "shop", default=mode)
    await store.append(story("shop"))
    await accept(store, *(asked(number, body=WORDS, variables={"name": NAME}, template="t") for number in range(4)))
    sent, failed, held = await store.claim(3, 60, {})
    error = {"code": "1", "text": CAUSE, "reason": "unknown"}
    await store.settle(
        [
            settled(sent, "sent"),
            settled(failed, "failed", error=error, cause=CAUSE, outcome="rejected"),
            settled(held, "held", cause="outside its windows", outcome=None),
        ],
        [said(7, "shop", "MessageFailed", error=Error("1", CAUSE, "unknown"))],
    )
    # Two wait, one of them held: they need their contents.
    assert set(await places(postgres_dsn, WORDS)) == {"messages"}
    waiting = await read(postgres_dsn.owner, "SELECT message_id FROM threadline.messages WHERE withheld IS NOT NULL")
    for id in waiting:
        event = Event("MessageCancelled", "threadline", f"{id}:cancelled", message_id=id)
        assert await store.cancel("shop", id, (event, "shop", START, None))
    assert len(waiting) == 2
    assert await places(postgres_dsn, WORDS, NAME, CAUSE) == {}
    assert (
        await read(postgres_dsn.owner, "SELECT cause FROM threadline.messages WHERE starts_with(cause, 'sealed:')")
        == []
    )

    await store.append(story("other"))
    for text in (WORDS, NAME, CAUSE):
        assert set(await places(postgres_dsn, text)) >= {"events", "interactions"}


@pytest.mark.parametrize("mode", ["mask", "drop"])
async def test_an_ended_message_shows_what_is_left(store: EventStore, mode: str) -> None:
    """It is sent as it was asked for; afterwards it and its attempts have what the client wants, and a repeat is still known."""
    await wants(store, "shop", default="keep", sms=mode)
    await accept(store, asked(1, body=WORDS))
    (claimed,) = await store.claim(1, 60, {})
    assert claimed["request"]["content"] == {"text": WORDS}
    assert await store.begin([(str(claimed["id"]), claimed["claims"], "sms", "twilio")])
    error = {"code": "1", "text": CAUSE, "reason": "unknown"}
    await store.settle([settled(claimed, "failed", error=error, cause=CAUSE, outcome="rejected")], [])
    row = await store.message("shop", "m-1")
    assert row is not None
    left = {"text": "••• (22 characters)"} if mode == "mask" else {}
    text = "••• (21 characters)" if mode == "mask" else None
    assert row["request"]["content"] == left and row["request"]["to"] and row["cause"] is None
    assert row["error"] == row["attempts"][0]["error"] == error | {"text": text}
    ((again,),) = [await accept(store, asked(1, body=WORDS))]
    assert again.same and not again.fresh


async def test_a_message_that_may_leave_by_several_channels_has_the_strictest_mode(store: EventStore) -> None:
    """Any of them may become its channel; one that can never be sent ends at once."""
    await wants(store, "shop", sms="keep", email="drop")
    both = [("sms", ANA), ("email", Handle("email", "ana@example.com"))]
    ended: dict[str, Any] = {"state": "failed", "error": {"code": None, "text": CAUSE, "reason": "unknown"}}
    await store.accept(
        [
            new(asked(1, body=WORDS), lane=lane())._replace(**ended),
            new(asked(2, body=WORDS), lane=lane())._replace(handles=both, **ended),
        ]
    )
    first, second = [await store.message("shop", id) for id in ("m-1", "m-2")]
    assert first and first["request"]["content"] == {"text": WORDS} and first["error"]["text"] == CAUSE
    assert second and second["request"]["content"] == {} and second["error"]["text"] is None


@pytest.mark.parametrize("mode", ["mask", "drop"])
async def test_any_order_repeats_and_a_rebuild_give_the_same(store: EventStore, postgres_dsn: Dsns, mode: str) -> None:
    """Timelines of clients to whom the same happened in another order, some of it twice, are equal; other contents stay."""
    found = []
    for seed in range(4):
        client = f"shop{seed}"
        await wants(store, client, default=mode)
        rows = story(client) * 2
        random.Random(seed).shuffle(rows)
        for start in range(0, len(rows), 5):
            await store.append(rows[start : start + 5])
        found.append(await shown(store, client))
    assert all(each == found[0] for each in found) and len(found[0]) == 5
    text = "••• (22 characters)"
    assert {str(each["content"]) for each in found[0]} <= (
        {str({"text": text}), "{}", "None"} if mode == "mask" else {"{}", "None"}
    )
    await store.append(story("other"))
    assert [one["content"]["text"] for one in await shown(store, "other") if one["content"]] == [WORDS] * 4
    before = await tables(postgres_dsn.owner)
    await rebuild(postgres_dsn.owner)
    assert await tables(postgres_dsn.owner) == before


async def shown(store: EventStore, client: str) -> list[dict[str, Any]]:
    """A client's timelines, without what is random."""
    rows = []
    for handle in (ANA, BO):
        (known,) = await store.customer_of(client, handle.kind, handle.value)
        rows += await store.timeline(client, known["customer_id"])
    random_ = {"id", "client_id", "customer_id", "handle_id", "last_change", "xid", "position", "address_id"}
    return [{name: value for name, value in row.items() if name not in random_} for row in rows]


@pytest.mark.parametrize(("before", "after"), [("keep", "drop"), ("drop", "keep"), ("mask", "drop"), ("keep", "mask")])
async def test_a_repeat_changes_nothing_though_the_client_changed(
    store: EventStore, postgres_dsn: Dsns, before: str, after: str
) -> None:
    """Neither does one that was received earlier; what says something new is stored once, as the client wants it now."""
    await wants(store, "shop", default=before)
    await store.append(story("shop"))
    events = "SELECT count(*) FROM threadline.events"
    count, was = await read(postgres_dsn.owner, events), await tables(postgres_dsn.owner)
    await wants(store, "shop", default=after)
    for _ in range(2):
        assert (await store.append(story("shop"))).appended == 0
    earlier = [(event, client, at - timedelta(hours=1), None) for event, client, at, _ in story("shop")]
    assert (await store.append(earlier)).appended == 0
    assert (await read(postgres_dsn.owner, events), await tables(postgres_dsn.owner)) == (count, was)

    new_words = [said(0, "shop", payload={"content": {"text": "Sauerkraut"}})]
    assert [(await store.append(new_words)).appended for _ in range(2)] == [1, 0]
    await store.append([said(9, "shop")])
    latest = next(one for one in await shown(store, "shop") if one["provider_message_id"] == "p9")
    assert (
        latest["content"]
        == {"keep": {"text": WORDS, "mine": NAME}, "mask": {"text": "••• (22 characters)"}, "drop": {}}[after]
    )


async def test_a_change_is_seen_by_another_process_within_seconds(store: EventStore, postgres_dsn: Dsns) -> None:
    """And a client's content is another's no business, nor that of one without a configuration."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as worker:
        await worker.append([said(0, "shop"), said(0, "unset")])
        await wants(store, "shop", default="drop")
        await asyncio.sleep(2.1)
        await worker.append([said(1, "shop"), said(1, "unset")])
    texts = {
        client: [(one["content"] or {}).get("text") for one in await shown_of(store, client, ANA)]
        for client in ("shop", "unset")
    }
    assert texts == {"shop": [None, WORDS], "unset": [WORDS, WORDS]}


async def shown_of(store: EventStore, client: str, handle: Handle) -> list[dict[str, Any]]:
    """The timeline of one handle's customer."""
    (known,) = await store.customer_of(client, handle.kind, handle.value)
    return await store.timeline(client, known["customer_id"])


async def test_raw_webhooks_are_kept_where_everything_is(store: EventStore, postgres_dsn: Dsns) -> None:
    """Not those of which an event is withheld, nor those that made none; a dead letter has its record until it is replayed."""
    await wants(store, "shop", default="keep", email="drop")

    def prepare(one: Any) -> RecordOutcome:
        return outcome_of(one, lambda outcome: become(outcome, one.value.decode()), 1 << 20)

    def become(outcome: RecordOutcome, name: str) -> None:
        client, *channels = name.split()
        outcome.raw, outcome.client = outcome.record.value, client
        outcome.rows = [
            said(place, client, channel=channel) for place, channel in enumerate(channels) if channel != "bad"
        ]
        outcome.bad = [Bad(0, "cannot be read", WORDS)] if "bad" in channels else []

    names = ["shop sms", "shop email", "shop sms email", "shop", "shop sms bad", "other email", "other bad"]
    await work(
        Pipeline(store, Published(), WorkerHealth(), 100), prepare, [record(name, at) for at, name in enumerate(names)]
    )
    blocks = await read(postgres_dsn.owner, "SELECT block FROM threadline.raw_webhooks")
    kept = {raw.decode() for block in blocks for raw in await store.read_raw(block)}
    assert kept == {"shop sms", "other email", "other bad"}
    assert {letter["value"] for letter in await whole_letters(store)} == {b"shop sms bad", b"other bad"}


async def test_what_is_sealed_for_a_client_stays_with_it(store: EventStore, postgres_dsn: Dsns) -> None:
    """As what is withheld is stored sealed too, its length is not in clear."""
    await wants(store, "shop", default="mask")
    await store.append(story("shop"))
    async with await psycopg.AsyncConnection.connect(postgres_dsn.owner) as db:
        (found,) = await (
            await db.execute("SELECT string_agg(payload::text, '') FROM threadline.events")
        ).fetchone() or ("",)
    assert "characters" not in found and "sealed:" in found


async def test_a_large_body_that_is_not_to_be_kept_goes_once_its_events_are_stored(
    store: EventStore, tmp_path: Path
) -> None:
    """A redelivery of it, which refers to the same blob, is then known, not dead; one that comes with the body again is a repeat. A
    body that made a dead letter stays for its replay, and another client's stays."""
    folder = Folder(tmp_path / "blobs", 1 << 20)
    folder.start()
    await wants(store, "shop", default="drop")
    health, published, seen = WorkerHealth(), Published(), []
    large = LargeRecords(folder, health, 1 << 20, store)

    def prepare(one: Any) -> Any:
        def read_body(outcome: RecordOutcome, body: bytes) -> None:
            webhook = decode(outcome.record.value)
            seen.append(body)
            outcome.raw, outcome.client = outcome.record.value, webhook.client
            outcome.blob = webhook.blob.name if webhook.blob else None
            if body.startswith(b"bad"):
                raise ValueError("cannot be read")
            outcome.rows = [said(0, webhook.client, payload={"content": {"text": body.decode()}})]

        return large.outcome(one, read_body)

    async def taken(*records: Any) -> None:
        await work(Pipeline(store, published, health, 1, large.withhold), prepare, *([one] for one in records))

    good, bad, others = [
        webhook_of(folder, client, body)
        for client, body in (("shop", WORDS.encode()), ("shop", b"bad " + WORDS.encode()), ("other", WORDS.encode()))
    ]
    await taken(good(1))
    await taken(good(2), bad(3), others(4))
    assert seen == [WORDS.encode(), b"bad " + WORDS.encode(), WORDS.encode()]
    left = sorted(path.read_bytes() for path in folder.root.glob("??/*"))
    assert left == sorted([WITHHELD, b"bad " + WORDS.encode(), WORDS.encode()])
    assert [letter.offset for letter in published.letters] == [3]

    await taken(webhook_of(folder, "shop", WORDS.encode())(5))
    assert len(seen) == 4 and [letter.offset for letter in published.letters] == [3]
    assert health.counts["events"] == 2 and health.counts["duplicates"] == 1
    assert sorted(path.read_bytes() for path in folder.root.glob("??/*")) == left
    assert [one["content"] for one in await shown_of(store, "shop", ANA)] == [{}]


def webhook_of(folder: Folder, client: str, body: bytes) -> Callable[[int], Any]:
    """Store a body as the door does; return what makes a record that refers to it."""
    name = name_of(client, sha256(body).digest())
    file = folder.incoming / name
    file.write_bytes(body)
    folder.put(name, file, len(body))
    webhook = Webhook(
        "0193a5c2-1111-7aaa-8bbb-0123456789ab",
        "open",
        "postmark",
        client,
        "POST",
        "https://h.test/",
        {},
        START,
        True,
        b"",
    )
    webhook.blob = Reference(name, len(body))

    def at(offset: int) -> Any:
        one = record("", offset, "webhooks.received")
        one.value = encode(webhook)
        return one

    return at
