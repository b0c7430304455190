"""What is personal is nowhere in clear in the tables that the log is made of, and opens for readers; an erased handle's never again."""

import asyncio
import secrets
from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote
from uuid import UUID

import orjson
import psycopg
import pytest

from adapters import PROVIDERS, interpret
from adapters.contract import Request
from app.cli.support.http_file import read_request
from app.linking import linked
from schemas.events import Event, Handle
from schemas.numbering import spelled
from schemas.recorded import write_recorded
from sql import EventStore, NewMessage, Row, Settled
from sql.rebuild import rebuild
from sql.sealing import KEY_BYTES, NoKey, Seal, Tampered
from tests.conftest import Dsns
from tests.e2e.test_personal_data import TIME, personal, stands_in, unmarked
from tests.fixtures import accounts, fixtures
from tests.integration.test_customers import mail, message, phone
from tests.integration.test_rebuild import read
from tests.support.keys import SEAL
from tests.support.leaks import LONG, forms_of, found
from tests.support.opened import opened
from tests.support.waiting import until

START = datetime(2026, 11, 21, tzinfo=UTC)
TABLES = (
    "handles", "events", "interactions", "interaction_links", "assignments", "handle_links", "consents", "profiles", "messages",
    "attempts", "message_keys", "peppers",
)  # fmt: skip


async def dump(dsn: str) -> dict[str, str]:
    """All rows of the tables as texts."""
    found = {}
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as db:
        for table in TABLES:
            cursor = await db.execute(f"SELECT to_jsonb(t)::text FROM threadline.{table} AS t")
            found[table] = "\n".join(row[0] for row in await cursor.fetchall())
    return found


def left(texts: set[str], tables: dict[str, str]) -> dict[str, list[str]]:
    """The texts that are in a table, as they are or, the longer ones, in another form."""
    forms = forms_of(texts)
    return {
        table: there
        for table, whole in tables.items()
        if (there := sorted({*found(forms, whole.encode()), *(text for text in texts if stands_in(text, whole))}))
    }


def of_fixtures() -> tuple[list[Row], set[str]]:
    """The events of all providers' own examples, and the texts that are only in what is personal of them, with the ids that the
    providers gave. What is also in a property without a mark is not hidden by sealing the other one."""
    rows: list[Row] = []
    texts: set[str] = set()
    clear: list[str] = []
    for provider in PROVIDERS:
        for file in fixtures(provider):
            came = read_request(file.read_bytes())
            at = accounts(provider, file.stem).at
            request = Request(came.method, came.url(), came.headers, came.body, at, provider)
            for event in interpret(request, provider).events:
                rows += [(each, "shop", START, None) for each in (event, *linked(event))]
                texts |= personal(event) | ({event.error.text} if event.error and event.error.text else set())
                texts |= {
                    id
                    for id in (event.source_event_id, event.provider_message_id)
                    if id and len(id) >= LONG and not TIME.fullmatch(id)
                }
                clear.append(unmarked(event))
    whole = "\n".join(clear)
    hidden = {text for text in texts if len(text) >= 3 and not TIME.fullmatch(text)}
    return rows, hidden.difference(found(forms_of(hidden), whole.encode()), (one for one in hidden if one in whole))


async def test_nothing_personal_of_any_fixture_is_in_clear(postgres_dsn: Dsns) -> None:
    """Not an address, a name, a text, of any provider's example, in any coding; a second delivery of all of it changes nothing, and a
    rebuild gives the very rows that were there."""
    rows, texts = of_fixtures()
    assert len(texts) > 500
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        appended = [await store.append(rows[at : at + 100]) for at in range(0, len(rows), 100)]
        before = await dump(postgres_dsn.owner)
        again = [await store.append(rows[at : at + 100]) for at in range(0, len(rows), 100)]
        assert sum(each.appended for each in appended) > 1000
        assert sum(each.appended for each in again) == 0
    after = await dump(postgres_dsn.owner)
    assert after == before
    assert left(texts, after) == {}
    await rebuild(postgres_dsn.owner)
    rebuilt = await dump(postgres_dsn.owner)
    assert {name: sorted(text.split("\n")) for name, text in rebuilt.items()} == {
        name: sorted(text.split("\n")) for name, text in after.items()
    }


def test_a_text_is_found_in_any_coding() -> None:
    """Else the test above could not fail."""
    text, number = "Ana Lopez lives here", "+15551234567"
    for whole, plain in ((text, text.encode()), (number, number.encode()), (number, b"15551234567")):
        for n in range(4):
            coded = b64encode(b"x" * n + plain + b"\xffy")
            for form in (
                coded,
                coded.translate(bytes.maketrans(b"+/", b"-_")),
                plain.hex().encode(),
                quote(plain).encode(),
            ):
                assert left({whole}, {"events": f'{{"payload": "{form.decode()}"}}'}) == {"events": [whole]}
    for written in ("15551234567", "76543215551", "555-123-4567", "1 555 123 4567", "(555) 123-4567"):
        assert left({number}, {"events": written}) == {"events": [number]}
    assert left({text, number}, {"events": "Ana 1555123456"}) == {}


async def test_all_events_open_as_they_came(postgres_dsn: Dsns) -> None:
    """The relay's rows have the payloads, handles and errors of all providers' examples."""
    rows, _ = of_fixtures()
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        for at in range(0, len(rows), 100):
            await store.append(rows[at : at + 100])
    given = {spelled(row[0]).source_event_id: spelled(row[0]) for row in rows if row[0].type != "HandleLinked"}
    seen = 0
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store, store.relay() as relay:
        assert relay is not None
        place = (0, 0)
        while page := await relay.page(place, 1000):
            place = page[-1]["xid"], page[-1]["position"]
            for row in page:
                event = given.get(row["source_event_id"])
                if event is not None and event.source == row["source"]:
                    seen += 1
                    named = {"providerMessageId": event.provider_message_id} if event.provider_message_id else {}
                    assert row["payload"] == orjson.loads(orjson.dumps(event.payload | named))
                    assert row["provider_message_id"] == event.provider_message_id
                    assert row["handle_value"] == (event.handle and event.handle.value)
                    assert (row["error"] or {}).get("text") == (event.error and event.error.text)
                    assert "erased" not in row and "closed" not in row
    assert seen > 1000


def said(number: int, handle: Handle, text: str, **fields: Any) -> Row:
    """What a customer wrote."""
    event = Event(
        "MessageReceived", "twilio", f"in{number}", channel="sms", direction="inbound", provider_message_id=f"SM{number}",
        handle=handle, payload={"content": {"text": text}, "from": handle.value}, **fields,
    )  # fmt: skip
    return (event, "default", START, None)


ERASE = "UPDATE threadline.handles SET digest = NULL, salt = NULL, sealed = NULL, erased_at = now() WHERE id = ANY (%s)"


async def erase(dsn: str, handles: list[UUID]) -> None:
    """What an erasure does to handles."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as db:
        await db.execute(ERASE, [handles])


async def test_an_erased_handle_reads_as_erased_and_its_address_is_a_new_one(postgres_dsn: Dsns) -> None:
    """What others wrote still opens; a writer that had the handle in memory makes a new one, in the same call."""
    ana, ben = phone(1), phone(2)
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        await store.append([said(1, ana, "I am Ana"), said(2, ben, "I am Ben"), *message(3, ana, mail(1))])
        (row, *_) = [one for one in await store.customer_of("default", "phone", ana.value) if one["kind"] == "phone"]
        page = await store.timeline("default", row["customer_id"])
        (before,) = [one for one in page if one["provider_message_id"] == "SM1"]
        await erase(postgres_dsn.owner, [row["id"]])
        async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as other:
            page = await other.timeline("default", row["customer_id"])
            (mine,) = [one for one in page if one["id"] == before["id"]]
            assert (mine["content"], mine["address_value"], mine["erased"]) == ({}, None, True)
            assert mine["provider_message_id"] is None
            (event,) = await other.history("default", mine["id"])
            assert event["payload"] == {"content": {}} and event["handle_value"] is None and event["erased"]
            assert await other.customer_of("default", "phone", ana.value) == []
            (theirs,) = await other.customer_of("default", "phone", ben.value)
            (shown,) = await other.timeline("default", theirs["customer_id"])
            assert (shown["content"], shown["address_value"]) == ({"text": "I am Ben"}, ben.value)
            assert "erased" not in shown
        async with (
            await EventStore.open(postgres_dsn.service, SEAL, pool=2) as other,
            other.relay() as relay,
        ):
            assert relay is not None
            written = [write_recorded(one, 1 << 20) for one in await relay.page((0, 0), 100)]
        documents = [orjson.loads(one) for one in written]
        assert [one["type"] for one in documents if one.get("erased")] == [
            "message.received", "message.received", "handle.linked",
        ]  # fmt: skip
        assert ana.value.encode() not in b"".join(written)
        assert (await store.history("default", mine["id"]))[0]["payload"]["content"] == {"text": "I am Ana"}
        # Both the handle and its key are in this store's memory, for a minute at most.
        assert (await store.append([said(4, ana, "I am back")])).appended == 1
        store.forget_handles([row["id"]])
        assert (await store.history("default", mine["id"]))[0]["payload"]["content"] == {}
        (new,) = await store.customer_of("default", "phone", ana.value)
        assert new["id"] != row["id"] and new["customer_id"] != row["customer_id"]
        (back,) = await store.timeline("default", new["customer_id"])
        assert back["content"] == {"text": "I am back"}


async def test_a_writer_and_an_erasure_never_cross(postgres_dsn: Dsns) -> None:
    """Appends, while the handle they are of is erased again and again: each event's handle was there when its transaction ended, or
    its text could be read until a later erasure; none fails, none is lost."""
    async with (
        await EventStore.open(postgres_dsn.service, SEAL, pool=4) as store,
        await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as db,
    ):
        ended, moved = asyncio.Event(), asyncio.Event()
        erased = 0

        async def erasing() -> None:
            nonlocal erased
            while not ended.is_set():
                await (
                    moved.wait()
                )  # an append is tried a few times only: on a busy machine all of them could meet an erasure
                moved.clear()
                async with db.transaction():
                    await db.execute("SELECT pg_advisory_xact_lock(29796, 12)")
                    cursor = await db.execute(ERASE.replace("id = ANY (%s)", "erased_at IS NULL"))
                    erased += cursor.rowcount
                await asyncio.sleep(0.02)

        task = asyncio.create_task(erasing())
        for number in range(60):
            await store.append([said(number, phone(1), f"text {number}")])
            moved.set()
        ended.set()
        await task
        assert erased > 2
        assert await read(postgres_dsn.owner, "SELECT count(*) FROM threadline.events") == [60]
        dangling = "SELECT count(*) FROM threadline.events e WHERE NOT EXISTS (SELECT FROM threadline.handles h WHERE h.id = e.handle_id)"
        assert await read(postgres_dsn.owner, dangling) == [0]


def asked(to: Handle, mailbox: Handle) -> NewMessage:
    """A request that goes to a number, and else to a mailbox."""
    event = Event(
        "MessageRequested", "threadline", "m1:requested", direction="outbound", message_id="m1", handle=to,
        payload={"messageId": "m1", "to": to.value, "content": {"text": "Your code is 9375115"}},
    )  # fmt: skip
    request = {
        "messageId": "m1", "to": {"sms": to.value, "email": mailbox.value}, "channels": ["sms", "email"],
        "content": {"text": "Your code is 9375115"}, "userId": "u-471147114711", "reference": "ref-1",
    }  # fmt: skip
    return NewMessage(
        event, START, ("default", "twilio", None, 10, 10), "default", "m1", 1, None, None, None, "sms", "twilio", "queued", None,
        request, "00", [("sms", to), ("email", mailbox), ("user", Handle("user_id", "u-471147114711"))],
    )  # fmt: skip


async def test_a_message_is_sealed_and_opens_for_the_sender(postgres_dsn: Dsns) -> None:
    """Its request, addresses, causes and errors, in its row and its attempts; also that of an erased recipient stops nothing."""
    to, mailbox = phone(7), mail(7)
    words = f"No such number: {to.value}"
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        wanted = asked(to, mailbox)
        assert [each.fresh for each in await store.accept([wanted])] == [True]
        assert [each.fresh for each in await store.accept([wanted])] == [False]
        (row,) = await store.claim(9, 60, {})
        assert row["request"] == wanted.request
        assert [tuple(one[:2]) for one in row["handles"]] == [
            (channel, f"{handle.kind}\x1f{handle.value}") for channel, handle in wanted.handles
        ]
        await store.begin([(str(row["id"]), row["claims"], "sms", "twilio")])
        error = {"code": "21211", "text": words, "reason": "invalid_address"}
        outcome = Settled(
            id=str(row["id"]), claim=row["claims"], state="retrying", due_in=0.0, tries=1, channel="sms", account="twilio",
            tried=[], cause=words, error=error, outcome="rejected", status=400,
        )  # fmt: skip
        await store.settle([outcome], [])
        tables = await dump(postgres_dsn.owner)
        texts = {to.value, mailbox.value, words, "Your code is 9375115", "9375115", "u-471147114711"}
        assert left(texts, tables) == {}
        shown = await store.message("default", "m1")
        assert shown is not None
        assert (shown["request"], shown["error"], shown["cause"]) == (wanted.request, error, words)
        assert [one["error"] for one in shown["attempts"]] == [error]
        (mine, *_) = await store.customer_of("default", "phone", to.value)
        await erase(postgres_dsn.owner, [mine["id"]])
        async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as other:
            (again,) = await other.claim(9, 60, {})
            assert again["erased"] and not {"to", "reference"} & {*again["request"]}
            assert [one[0] for one in again["handles"]] == ["email", "user"]


async def test_a_row_that_cannot_be_opened_stops_no_other(postgres_dsn: Dsns) -> None:
    """One was changed by hand: the relay gives it without its payload; a reader who asks for it gets an error, and who asks for
    another does not."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        await store.append([said(1, phone(1), "I am Ana"), said(2, phone(2), "I am Ben")])
        async with await psycopg.AsyncConnection.connect(postgres_dsn.owner, autocommit=True) as db:
            await db.execute(
                "UPDATE threadline.events SET payload = jsonb_set(payload, '{from}', '\"+15550000009\"') WHERE position = (SELECT min(position) FROM threadline.events)"
            )
        async with store.relay() as relay:
            assert relay is not None
            one, two = await relay.page((0, 0), 10)
        assert (one["closed"], one["payload"], one["handle_value"]) == (True, None, None)
        assert orjson.loads(write_recorded(one, 1 << 20))["payloadomitted"] is True
        assert two["payload"]["content"] == {"text": "I am Ben"}
        (ana,) = await store.customer_of("default", "phone", phone(1).value)
        (interaction,) = await store.timeline("default", ana["customer_id"])
        with pytest.raises(Tampered, match=r"payload\.from"):
            await store.history("default", interaction["id"])


async def test_without_its_key_a_clients_data_stays_closed_and_stops_no_other_client(postgres_dsn: Dsns) -> None:
    """A retired key that is still needed is a clear error; the relay gives the events of that client without their payloads."""
    old, new = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES)
    event, _, at, _ = said(1, phone(1), "I am Ana")
    async with await EventStore.open(postgres_dsn.service, Seal([old]), pool=1) as store:
        await store.append([(event, "old", at, None)])
        customer = (await store.customer_of("old", "phone", phone(1).value))[0]["customer_id"]
    async with await EventStore.open(postgres_dsn.service, Seal([new]), pool=2) as store:
        await store.append([(event, "new", at, None)])
        with pytest.raises(NoKey, match=r"put it back into secrets\.keys"):
            await store.timeline("old", customer)
        async with store.relay() as relay:
            assert relay is not None
            one, two = await relay.page((0, 0), 10)
        assert one["closed"] and one["payload"] is None
        assert two["payload"]["content"] == {"text": "I am Ana"}


async def test_root_keys_move_to_another_key(postgres_dsn: Dsns) -> None:
    """After `reseal_peppers` the old key is not needed, and what was sealed before opens and is recognised."""
    old, new = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES)
    row = said(1, phone(1), "I am Ana")
    async with await EventStore.open(postgres_dsn.service, Seal([old]), pool=1) as store:
        await store.append([row])
    async with await EventStore.open(postgres_dsn.service, Seal([new, old]), pool=1) as store:
        assert [await store.reseal_peppers(), await store.reseal_peppers()] == [1, 0]
    async with await EventStore.open(postgres_dsn.service, Seal([new]), pool=1) as store:
        assert (await store.append([row])).appended == 0
        (ana,) = await store.customer_of("default", "phone", phone(1).value)
        (shown,) = await store.timeline("default", ana["customer_id"])
        assert shown["content"] == {"text": "I am Ana"}


async def test_what_says_nothing_of_anybody_needs_no_handle(postgres_dsn: Dsns) -> None:
    """An event without a handle is sealed under nobody's of its month, who is no customer; one without personal data under none."""
    plain = Event("MessageDelivered", "threadline", "d1", channel="sms", message_id="m1", payload={"segments": 1})
    worded = [
        replace(plain, source_event_id=f"d{at}", occurred_at=time, payload={"to": "+15550001234"})
        for at, time in enumerate([START, START, datetime(2026, 12, 1, tzinfo=UTC), None], start=2)
    ]
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append([(plain, "default", START, None)])
        assert await read(postgres_dsn.owner, "SELECT count(*) FROM threadline.handles") == [0]
        await store.append([(each, "default", START, None) for each in worded])
        kinds = await opened(postgres_dsn.service, "SELECT kind, sealed AS value FROM handles")
        assert sorted((one["kind"], one["value"]) for one in kinds) == [
            ("nobody", "2026-11"), ("nobody", "2026-12"), ("nobody", "undated"),
        ]  # fmt: skip
        assert await read(postgres_dsn.owner, "SELECT count(*) FROM threadline.assignments") == [0]
        assert await read(postgres_dsn.owner, "SELECT count(*) FROM threadline.events WHERE handle_id IS NOT NULL") == [
            0
        ]
        later = [(each, "default", START + timedelta(days=60), None) for each in worded]
        assert (await store.append(later)).appended == 0  # a repeat, months later
    await rebuild(postgres_dsn.owner)
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM threadline.assignments") == [0]


async def test_salts_and_keys_are_forgotten_in_time(postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where nothing more is asked for: an erased handle's are gone from every process within a minute."""
    monkeypatch.setattr("sql.naming.LIFETIME", 2.0)
    monkeypatch.setattr("sql.known.LIFETIME", 2.0)
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append([said(1, phone(1), "I am Ana")])
        assert len(store._known) and len(store._keys)
        await until(lambda: not len(store._known) and not len(store._keys), within=30)
