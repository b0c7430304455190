"""Handles that providers state of one person are one customer: any order, any worker, rebuilt alike, bounded."""

import asyncio
import random
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import orjson
import psycopg
import pytest

from adapters.contract import HttpCall, Outgoing, Response
from app.clients.configured import Clients
from app.linking import linked
from app.sending.consent import consent_event, learned
from app.settings import Settings
from schemas.events import Event, Handle
from sql import EventStore, Row
from sql.customers import MOST
from sql.rebuild import rebuild
from tests.conftest import Dsns
from tests.fixtures import accounts
from tests.integration.sender import SOURCES, Sender
from tests.integration.test_fold import EMPTY
from tests.integration.test_rebuild import TABLES, read
from tests.support.keys import SEAL
from tests.support.opened import opened

START = datetime(2026, 11, 21, tzinfo=UTC)
PEOPLE = TABLES | {
    "handle_links": "SELECT to_jsonb(l) FROM threadline.handle_links l ORDER BY handle_id, other_id",
    "changes": "SELECT to_jsonb(c) - 'position' FROM threadline.customer_changes c ORDER BY event_id",
}


def message(number: int, *handles: Handle, client: str = "default", source: str = "whatsapp_cloud") -> list[Row]:
    """The rows of a message whose sender has these handles, with the links that it states."""
    others = [{"kind": one.kind, "value": one.value} for one in handles[1:]]
    event = Event(
        "MessageReceived", source, f"in-{number}", channel="whatsapp", direction="inbound", provider_message_id=f"wamid.{number}",
        handle=handles[0], payload={"handles": others} if others else {},
    )  # fmt: skip
    at = START + timedelta(seconds=number)
    return [(each, client, at, None) for each in (event, *linked(event))]


def user(id: int) -> Handle:
    return Handle("whatsapp_user_id", f"US.{id}")


def mail(number: int) -> Handle:
    return Handle("email", f"p{number}@example.com")


def phone(number: int) -> Handle:
    return Handle("phone", f"+1555{number:07d}")


async def tables(dsn: str) -> dict[str, list[Any]]:
    """All that is folded from the log, but the places of the events in it."""
    return {name: [_placeless(row) for row in await read(dsn, query)] for name, query in PEOPLE.items()}


def _placeless(row: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key != "last_change"}


async def customers(dsn: str) -> dict[str, str]:
    """The customer of each handle, by its value."""
    rows = await opened(
        dsn, "SELECT h.sealed AS value, a.customer_id::text FROM assignments a JOIN handles h ON h.id = a.handle_id"
    )
    return {row["value"]: row["customer_id"] for row in rows}


async def clear(dsn: str) -> None:
    """Empty the log and all that is folded from it."""
    async with await psycopg.AsyncConnection.connect(dsn) as db:
        await db.execute(EMPTY)


async def appended(dsn: str, batches: Sequence[Sequence[Row]]) -> None:
    async with await EventStore.open(dsn, SEAL, pool=2) as store:
        for rows in batches:
            await store.append(rows)


async def test_handles_of_one_webhook_are_one_customer(postgres_dsn: Dsns) -> None:
    """A message that names number and user id, then one that names the user id only: one timeline, by either handle and by
    every customer id that was ever given out."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append(message(1, phone(1)))
        await store.append(message(2, user(9)))
        (first,) = await store.customer_of("default", "phone", phone(1).value)
        (second,) = await store.customer_of("default", "whatsapp_user_id", user(9).value)
        assert first["customer_id"] != second["customer_id"]
        await store.append(message(3, phone(1), user(9)))
        for handle in (phone(1), user(9)):
            found = await store.customer_of("default", handle.kind, handle.value)
            assert [row["value"] for row in found] == [phone(1).value, user(9).value]
        least = min(first["customer_id"], second["customer_id"])
        for id in (first["customer_id"], second["customer_id"]):
            page = await store.timeline("default", id)
            assert [one["provider_message_id"] for one in page] == ["wamid.3", "wamid.2", "wamid.1"]
            assert {one["customer_id"] for one in page} == {least}
            assert {row["customer_id"] for row in await store.handles("default", id)} == {least}
            changes = await store.customer_changes(client_id="default", customer_id=id, xid=0, position=0, limit=9)
            assert len(changes) == 3
        horizon = await store.horizon()
        ids = [first["customer_id"], second["customer_id"]]
        changed = await store.changes_since(xid=0, position=0, horizon=horizon, customers=ids, limit=9)
        assert [sorted(one["asked_for"]) for one in changed] == [sorted(ids)] * 3
        assert await store.timeline("other", least) == []


async def test_any_order_and_repetition_gives_the_same_customers(postgres_dsn: Dsns) -> None:
    """A chain of three links and a message beside it, in all orders, one by one and repeated: the same rows."""
    rows = [
        message(1, phone(1), mail(1)), message(2, phone(2), mail(1)), message(3, phone(2), mail(3)), message(4, phone(4)),
    ]  # fmt: skip
    results = []
    for order in permutations(rows):
        await clear(postgres_dsn.owner)
        await appended(postgres_dsn.service, [*order, order[0], order[2]])
        results.append(await tables(postgres_dsn.owner))
    assert all(one == results[0] for one in results)
    assert len(set((await customers(postgres_dsn.owner)).values())) == 2
    await clear(postgres_dsn.owner)
    await appended(postgres_dsn.service, [[row for each in rows for row in each]])
    assert await tables(postgres_dsn.owner) == results[0]
    await rebuild(postgres_dsn.owner)
    assert await tables(postgres_dsn.owner) == results[0]


def stated(seed: int) -> list[list[Row]]:
    """Messages of many people, some of whom share handles, and of a crowd behind one device."""
    chance = random.Random(seed)
    rows = []
    for number in range(120):
        make = chance.choice((user, mail))
        rows.append(message(number, phone(chance.randrange(60)), make(chance.randrange(60))))
    for number in range(20):  # users whose id changed, some of them with the number of another
        rows.append(message(1000 + number, phone(number), user(number), user(number + chance.choice((20, 40)))))
    for number in range(120, 160):
        rows.append(
            message(number, Handle("user_id", f"u{number % 40}"), Handle("device_token", f"d{chance.randrange(12)}"))
        )
    for number in range(160, 240):  # a chain that is too long for one person
        rows.append(
            message(number, Handle("email", f"a{number}@example.com"), Handle("email", f"a{number + 1}@example.com"))
        )
    for number in range(240, 290):  # one address that fifty people share
        rows.append(message(number, Handle("email", "front-desk@example.com"), Handle("chat_id", f"telegram:{number}")))
    return rows


async def test_shared_handles_and_crowds_whatever_the_order(
    postgres_dsn: Dsns, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random links, shuffled, in batches of any size, by two workers at once: the same rows as a rebuild makes, none lost."""
    expected = None
    monkeypatch.setattr("sql.rebuild.CHUNK", 97)
    await fewer(postgres_dsn.owner)
    for seed in range(4):
        await clear(postgres_dsn.owner)
        rows = stated(1)
        chance = random.Random(seed)
        chance.shuffle(rows)
        half = len(rows) // 2

        async def work(some: Sequence[Sequence[Row]], size: int) -> None:
            async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
                for start in range(0, len(some), size):
                    await store.append([row for each in some[start : start + size] for row in each])

        await asyncio.gather(work(rows[:half], 1 + seed * 7), work(rows[half // 2 :], 3 + seed * 5))
        live = await tables(postgres_dsn.owner)
        expected = expected or live
        assert live["assignments"] == expected["assignments"]
        assert live["handle_links"] == expected["handle_links"]
        before = await tables(postgres_dsn.owner)
        await rebuild(postgres_dsn.owner)
        assert await tables(postgres_dsn.owner) == before
    found = await customers(postgres_dsn.owner)
    chain = [found[f"a{number}@example.com"] for number in range(160, 241)]
    assert len(set(chain)) == len(chain)  # 81 handles are no person
    people = [found[f"telegram:{number}"] for number in range(240, 290)]
    assert len(set(people)) == 50 and found["front-desk@example.com"] not in people


async def test_two_workers_link_one_person_at_once(postgres_dsn: Dsns) -> None:
    """Two workers append halves of one person's links at the same time, many times: one customer each time."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as store:
        for round in range(12):
            base = 100 * round
            ways = [message(base + n, phone(base + n), mail(base + (n + 1) % 6)) for n in range(6)]
            ways += [message(base + 50 + n, phone(base + n), mail(base + n)) for n in range(6)]
            await asyncio.gather(*(store.append(rows) for rows in ways))
            (row, *rest) = await store.customer_of("default", "phone", phone(base).value)
            assert len(rest) == 11, row


async def test_a_customer_has_a_limit_of_handles(postgres_dsn: Dsns) -> None:
    """As many handles as it may have in a chain are one customer; the next link is kept, and none of them applies any more."""
    assert await read(postgres_dsn.owner, "SELECT threadline.most_handles()") == [MOST] == [1000]
    await fewer(postgres_dsn.owner)
    mails = [Handle("email", f"a{number}@example.com") for number in range(65)]
    links = [message(number, mails[number], mails[number + 1]) for number in range(64)]
    await appended(postgres_dsn.service, links[:63])
    assert len(set((await customers(postgres_dsn.owner)).values())) == 1
    await appended(postgres_dsn.service, links[63:])
    found = await customers(postgres_dsn.owner)
    assert len(found) == len(set(found.values())) == 65
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        (alone,) = await store.customer_of("default", "email", mails[5].value)
        shown = await store.unapplied_links("default", alone["customer_id"])
        assert [row["value"] for row in shown] == [mails[4].value, mails[6].value]


async def fewer(dsn: str) -> None:
    """Let a customer have 64 handles, so that a test of the limit is quick."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as db:
        await db.execute("SET ROLE threadline_owner")
        await db.execute(
            "CREATE OR REPLACE FUNCTION threadline.most_handles() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 64"
        )


async def test_a_device_that_passed_on_links_nobody(postgres_dsn: Dsns) -> None:
    """A device's token is its user's, until a second user signs in on it: then it is nobody's, and they stay two."""
    ana, bob, device = Handle("user_id", "ana"), Handle("user_id", "bob"), Handle("device_token", "t1")
    await appended(postgres_dsn.service, [message(1, ana, device), message(2, ana, Handle("email", "ana@example.com"))])
    found = await customers(postgres_dsn.owner)
    assert len(set(found.values())) == 1
    await appended(postgres_dsn.service, [message(3, bob, device)])
    found = await customers(postgres_dsn.owner)
    assert found["ana"] == found["ana@example.com"]
    assert len({found["ana"], found["bob"], found["t1"]}) == 3


async def test_a_number_that_passed_on_joins_nobody(postgres_dsn: Dsns) -> None:
    """A number is its WhatsApp user's, also with the user's changed id, until another user writes from it. In any order."""
    rows = [
        message(1, phone(1), user(1)), message(2, phone(2), user(2), user(1)), message(3, phone(1), user(7)),
        message(4, user(7), mail(7)),
    ]  # fmt: skip
    await appended(postgres_dsn.service, rows[:2])
    found = await customers(postgres_dsn.owner)
    assert len(found) == 4 and len(set(found.values())) == 1
    await appended(postgres_dsn.service, rows[2:])
    expected = await tables(postgres_dsn.owner)
    for order in permutations(rows):
        await clear(postgres_dsn.owner)
        await appended(postgres_dsn.service, order)
        found = await customers(postgres_dsn.owner)
        assert found["US.1"] == found["US.2"] == found[phone(2).value]
        assert found["US.7"] == found[mail(7).value]
        assert len({found["US.1"], found["US.7"], found[phone(1).value]}) == 3
        assert (await tables(postgres_dsn.owner))["assignments"] == expected["assignments"]


async def test_an_id_that_changed_at_one_number_is_one_user(postgres_dsn: Dsns) -> None:
    """Two ids at one number, and only later the notice that the one became the other: two customers, then one."""
    await appended(postgres_dsn.service, [message(1, phone(1), user(1)), message(2, phone(1), user(2))])
    found = await customers(postgres_dsn.owner)
    assert len(set(found.values())) == 3
    await appended(postgres_dsn.service, [message(3, phone(1), user(2), user(1))])
    found = await customers(postgres_dsn.owner)
    assert len(found) == 3 and len(set(found.values())) == 1


@pytest.mark.parametrize(
    "make", [user, lambda n: Handle("chat_id", f"intercom:c{n}"), lambda n: Handle("user_id", f"u{n}")]
)
async def test_an_address_of_more_than_five_people_joins_nobody(
    postgres_dsn: Dsns, make: Callable[[int], Handle]
) -> None:
    """Five ids of any kind of which a person has one may be a person's at one address; with the sixth it is a desk's."""
    desk = Handle("email", "reception-2@example.com")
    await appended(postgres_dsn.service, [message(n, make(n), desk) for n in range(1, 6)])
    found = await customers(postgres_dsn.owner)
    assert len(set(found.values())) == 1
    await appended(postgres_dsn.service, [message(6, make(6), desk)])
    found = await customers(postgres_dsn.owner)
    assert len(found) == len(set(found.values())) == 7


async def test_chats_of_several_platforms_are_one_persons(postgres_dsn: Dsns) -> None:
    """The limit is for each platform."""
    chats = [
        Handle("chat_id", f"{name}:c1") for name in ("telegram", "line", "viber", "intercom", "freshchat", "messenger")
    ]
    await appended(postgres_dsn.service, [message(n, chat, mail(1)) for n, chat in enumerate(chats)])
    assert len(set((await customers(postgres_dsn.owner)).values())) == 1


async def test_a_direct_conversation_of_two_users_joins_nobody(postgres_dsn: Dsns) -> None:
    """Slack's conversation is its user's, until a second user writes in it; a user may have several."""
    one, two, talk, other = (Handle("chat_id", f"slack:T1/{id}") for id in ("U1", "U2", "D1", "D2"))
    await appended(postgres_dsn.service, [message(1, one, talk), message(2, one, other)])
    found = await customers(postgres_dsn.owner)
    assert len(found) == 3 and len(set(found.values())) == 1
    await appended(postgres_dsn.service, [message(3, two, talk)])
    found = await customers(postgres_dsn.owner)
    assert found[one.value] == found[other.value]
    assert len({found[one.value], found[two.value], found[talk.value]}) == 3


async def test_links_that_come_apart_lose_no_opt_out(postgres_dsn: Dsns) -> None:
    """STOP by the user id, and then the number is found to be shared: a message to the number is still stopped, and START
    there lifts it."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append(message(1, phone(1), user(1)))
        await store.append(wrote("STOP", user(1)))
        for n in range(2, 9):
            await store.append(message(n, phone(1), Handle("user_id", f"u{n}")))
        found = await customers(postgres_dsn.owner)
        assert found[phone(1).value] != found["US.1"]
        assert [row["opted_out"] for row in await store.consents("default", phone(1))] == [True]
        await store.append(wrote("START", phone(1), 2))
        assert [row["opted_out"] for row in await store.consents("default", phone(1))] == [False]


async def test_clients_do_not_share_customers(postgres_dsn: Dsns) -> None:
    """The same handles of two clients are two customers, and a link of one client is not the other's."""
    await appended(
        postgres_dsn.service,
        [message(1, phone(1), user(1)), message(2, phone(1), client="b"), message(3, user(1), client="b")],
    )
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        assert len(await store.customer_of("default", "phone", phone(1).value)) == 2
        assert len(await store.customer_of("b", "phone", phone(1).value)) == 1


async def test_spellings_of_one_phone_are_one_customer(postgres_dsn: Dsns) -> None:
    """A number without Brazil's ninth digit and the number with it: one handle, found by both; the event keeps the rule and
    what was given."""
    old, new = Handle("phone", "+551187654321"), Handle("phone", "+5511987654321")
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.append([*message(1, old), *message(2, new)])
        for handle in (old, new):
            (row,) = await store.customer_of("default", handle.kind, handle.value)
            assert row["value"] == new.value
        page = await store.timeline("default", row["customer_id"])
        assert [one["address_value"] for one in page] == [new.value, new.value]
        (event,) = await store.history("default", page[1]["id"])
    assert event["payload"] == {
        "handleRule": "br_ninth_digit", "handleGiven": old.value, "providerMessageId": "wamid.1",
    }  # fmt: skip


class Meta(Sender):
    """A sender whose client sends by WhatsApp, and Meta, which knows numbers by another spelling."""

    def __init__(self, store: EventStore, wa_id: str) -> None:
        super().__init__(store)
        account = {**accounts("whatsapp_cloud").settings, "access_token": "t", "sender": "1066"}
        self.settings = Settings.model_validate({"sources": {**SOURCES, "whatsapp_cloud": account}})
        self.clients = Clients(store, self.settings, ttl=0.0)
        self.sent: list[str] = []

        async def carry(outgoing: Outgoing, values: Any, *, trusted: bool) -> Response:
            assert isinstance(outgoing, HttpCall)
            self.sent.append(orjson.loads(outgoing.body)["to"])
            answer = {
                "contacts": [{"input": self.sent[-1], "wa_id": wa_id}],
                "messages": [{"id": f"wamid.{len(self.sent)}"}],
            }
            return Response(200, {}, orjson.dumps(answer))

        self.provider.carry = carry  # type: ignore[method-assign]

    async def send(self, id: str, to: str, state: str = "sent", **more: Any) -> None:
        """Ask for a message, until it is in that state."""
        channels = [{"channel": "whatsapp", "account": "whatsapp_cloud"}, {"channel": "sms", "account": "twilio"}]
        await self.store.set_client("default", {"channels": channels}, "test")
        async with self.at_work():
            await self.ask(id, to=to, channel="whatsapp", **{"content": {"text": "Hello"}} | more)
            await self.until(state, id)


def wrote(text: str, handle: Handle, number: int = 1, channel: str = "whatsapp") -> list[Row]:
    """The rows of a message of somebody, with the consent that it means."""
    event = Event(
        "MessageReceived", "whatsapp_cloud", f"text-{number}", channel=channel, direction="inbound", handle=handle,
        provider_message_id=f"wamid.in.{number}", payload={"content": {"text": text}},
    )  # fmt: skip
    return [(each, "default", datetime.now(UTC), None) for each in (event, *learned(event))]


async def test_stop_in_one_spelling_stops_a_send_in_the_other(postgres_dsn: Dsns) -> None:
    """What is dialled is what the client gave; the answer's spelling is the same customer; a stop word from it stops the next
    message to the number as the client writes it, and one to the user's other handle; START lets it through again."""
    given = "+5511987654321"
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as store:
        meta = Meta(store, "551187654321")
        await meta.send("m1", given)
        assert meta.sent == [given]
        await store.append(wrote("PARAR", Handle("phone", "+551187654321")))
        for number, to in enumerate((given, "+551187654321")):
            await meta.send(f"n{number}", to, "failed")
            assert (await store.consents("default", Handle("phone", to)))[0]["opted_out"]
        assert meta.sent == [given]
        (row,) = await store.customer_of("default", "phone", "+551187654321")
        assert row["value"] == given
        await store.append(wrote("START", Handle("phone", given), 2))
        await meta.send("m2", "+551187654321")
        assert meta.sent == [given, "+551187654321"]


async def test_the_answers_id_links_what_no_rule_folds(postgres_dsn: Dsns) -> None:
    """A wa_id that is no other spelling by a rule is the same person all the same: its stop word stops the number."""
    given, known = "+551178123456", "+5511978123456"  # trunking has no ninth digit
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as store:
        meta = Meta(store, known.removeprefix("+"))
        await meta.send("m1", given)
        found = await store.customer_of("default", "phone", given)
        assert sorted(row["value"] for row in found) == sorted([given, known])
        await store.append(wrote("STOP", Handle("phone", known)))
        await meta.send("m2", given, "failed")
        assert meta.sent == [given]


async def test_an_opt_out_at_one_handle_is_about_its_channel(postgres_dsn: Dsns) -> None:
    """STOP from the user id stops WhatsApp to the number, and not the SMS to it; START at the user id lifts nothing that was
    stopped at the number."""
    number = phone(1)
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as store:
        await store.append(message(1, number, user(1)))
        await store.append(wrote("STOP", user(1)))
        assert [(row["channel"], row["opted_out"]) for row in await store.consents("default", number)] == [
            ("whatsapp", True)
        ]
        meta = Meta(store, number.value)
        await meta.send("m1", number.value, "failed")
        await store.append(wrote("STOP", number, 2))
        await store.append(wrote("START", user(1), 3))
        assert [row["opted_out"] for row in await store.consents("default", number)] == [True]
        assert [row["opted_out"] for row in await store.consents("default", user(1))] == [False]
        await meta.send("m2", number.value, "failed")
        await store.append(wrote("START", number, 4))
        await meta.send("m3", number.value)
        assert meta.sent == [number.value]


async def test_an_opt_out_of_the_user_stops_every_address(postgres_dsn: Dsns) -> None:
    """A consent that is recorded for the service's own id of the recipient holds for a request that names this id."""
    ana = Handle("user_id", "42")
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as store:
        meta = Meta(store, "15550000001")
        await store.append(
            [(consent_event(ana, "*", "out", "key k", datetime.now(UTC), "c1"), "default", datetime.now(UTC), None)]
        )
        await meta.send("m1", phone(1).value, "failed", userId="42")
        await meta.send("m2", phone(1).value)
        assert meta.sent == [phone(1).value]
