"""Erasure of one of two customers whose events are in one interaction, as a provider gave two messages one id: his part goes, and what
stays is as if he had never been in it."""

import asyncio
import random
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
import pytest_asyncio

from app.auditing.anchors import private_key
from app.erasing.receipt import read_receipt
from app.erasing.steps import Eraser, Waits
from schemas.events import Error, Handle
from sql import EventStore, Refused, Row
from sql.rebuild import RebuildError, rebuild
from sql.separating import SeparatingStore
from tests.conftest import Dsns
from tests.integration.erasures import (
    ANA,
    ANA_MAIL,
    BO,
    SIGNING,
    START,
    asked_for,
    customer,
    erased,
    read,
    said,
    settings,
)
from tests.integration.test_erasure import STATES, killed, rebuilt
from tests.integration.test_erasure_shared import BY, log
from tests.support.keys import SEAL
from tests.support.tenanted import recorded

#: What each said and was told, and what a report said that names nobody.
HIS, OTHERS, NOBODYS = "krautkopf", "rotkohl", "weisskraut"
WORDS = {ANA.value: HIS, BO.value: OTHERS, None: NOBODYS}
ID = "used-twice"
USER = Handle("user_id", "u-of-two")


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store as the service has it."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened_store:
        yield opened_store


def told(minute: int, handle: Handle | None, type: str, **more: Any) -> Row:
    """An event of the message that two people have, with words of whom it names."""
    text = WORDS.get(None if handle is None else handle.value, HIS)
    fields: dict[str, Any] = {"provider_message_id": ID, "occurred_at": START + timedelta(minutes=minute)}
    if type in ("MessageReceived", "UserMessageSent", "MessageRequested", "MessageEdited"):
        fields["payload"] = {"content": {"text": text, f"of {text}": text}}
    if type in ("MessageFailed", "MessageDelayed"):
        fields["error"] = Error(f"code {text}", text, "unreachable")
    id = more.pop("source_event_id", f"{type} {minute} {text}")
    event, client, at, webhook = said(minute, handle, type, **(fields | more))
    return (replace(event, source_event_id=id), client, at, webhook)


#: The words are of both, and nobody else's: each fact, channel, failure, direction and text is of one of them alone.
TWO = [
    told(1, ANA, "MessageReceived", channel="sms"),
    told(2, BO, "UserMessageSent", channel="whatsapp"),
    told(3, ANA, "MessageFailed", channel="email"),
    told(4, BO, "MessageDelayed", channel="whatsapp"),
    told(5, ANA, "MessageEdited", channel="sms", direction="inbound"),
    told(6, BO, "MessageDelivered", channel="whatsapp"),
    told(7, None, "MessageFailed", channel="sms"),
    told(8, None, "MessageRead"),
    told(9, ANA, "RecipientUnsubscribed", channel="sms"),
]
#: A service used an id of a provider for two of its messages; only events without a person tie one of them, and one event is told twice.
TIED = [
    told(1, ANA, "MessageRequested", provider_message_id=None, message_id="of-ana"),
    told(2, BO, "MessageRequested", provider_message_id=None, message_id="of-bo"),
    told(3, None, "MessageQueued", message_id="of-ana"),
    told(4, None, "MessageQueued", message_id="of-bo"),
    told(5, None, "MessageDelivered"),
    told(6, BO, "MessageRead"),
]
#: A version of an event names nobody, and another one does.
VERSIONS = [
    told(1, BO, "MessageDelivered"),
    told(2, None, "MessageFailed", source_event_id="twice", error=Error("1", HIS, "unreachable")),
    told(2, ANA, "MessageFailed", source_event_id="twice", error=Error("1", HIS, "unreachable"), message_id="of-ana", provider_message_id=None),
    told(3, ANA, "UserMessageSent", message_id="of-ana"),
]  # fmt: skip
HISTORIES = {"two": TWO, "tied": TIED, "versions": VERSIONS}


def others(history: list[Row], whose: Handle) -> list[Row]:
    """Return what is left of a history: without the events of one person, also of those by his message or by another version alone; what
    may be anybody's has no words any more."""
    known: dict[str | None, set[bool]] = {}
    for event, *_ in history:
        if event.handle is not None:
            for each in (event.message_id, event.source_event_id):
                known.setdefault(each, set()).add(event.handle == whose)
    left: list[Row] = []
    for event, client, at, webhook in history:
        said_of = known.get(event.source_event_id) or (event.message_id and known.get(event.message_id))
        is_his = {event.handle == whose} if event.handle is not None else said_of or set()
        if is_his == {True}:
            continue
        if not is_his:
            error = event.error and replace(event.error, code=None, text=None)
            event = replace(event, payload={}, error=error, message_id=None)
        left.append((replace(event), client, at, webhook))
    return left


async def shown(store: EventStore, client: str, handle: Handle) -> list[dict[str, Any]]:
    """Return a customer's timeline without what is random."""
    rows = await store.timeline(client, await customer(store, handle, client), limit=200)
    said_so = ({name: value for name, value in (row["error"] or {}).items() if value is not None} for row in rows)
    return [
        {name: value for name, value in row.items() if name not in RANDOM} | {"error": error}
        for row, error in zip(rows, said_so, strict=True)
    ]


RANDOM = ("id", "client_id", "customer_id", "handle_id", "address_id")


async def owner(dsns: Dsns) -> Handle:
    """Return who owns the interaction."""
    kinds = "SELECT h.id FROM interactions i JOIN handles h ON h.id = i.handle_id WHERE i.client_id = 'shop' AND NOT superseded"
    (id,) = await read(dsns.owner, kinds)
    async with await EventStore.open(dsns.service, SEAL, pool=1) as opened_store:
        (mine,) = [
            each for each in (ANA, BO) if (await opened_store.customer_of("shop", each.kind, each.value))[0]["id"] == id
        ]
    return mine


async def as_if(store: EventStore, history: list[Row], whose: Handle) -> None:
    """Append what is left of a history for another client."""
    for event, _, at, webhook in others(history, whose):
        await store.append([(event, "as-if", at, webhook)])


@pytest.mark.parametrize("which", ["owner", "other"])
@pytest.mark.parametrize("name", HISTORIES)
async def test_what_stays_is_as_if_he_had_never_been(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, name: str, which: str
) -> None:
    """Whoever of the two owns the interaction. Nothing of the erased one is left in any row, the other's timeline has what he said and was
    told and no more, and a rebuild gives the same."""
    history = HISTORIES[name]
    for row in history:
        await store.append([row])
    mine = await owner(postgres_dsn)
    who = mine if which == "owner" else BO if mine == ANA else ANA
    other = BO if who == ANA else ANA
    await as_if(store, history, who)
    whose = await customer(store, who)
    done = await erased(store, tmp_path, whose)

    text = await log(postgres_dsn, store)
    assert WORDS[who.value] not in text.replace("as-if", "")
    assert await shown(store, "shop", other) == await shown(store, "as-if", other)
    assert await store.timeline("shop", whose) == []
    assert await rebuilt(postgres_dsn)
    assert await shown(store, "shop", other) == await shown(store, "as-if", other)
    words = "SELECT count(*) FROM interactions i, erased_references r WHERE r.reference = i.id AND r.client_id = i.client_id"
    assert await read(postgres_dsn.owner, words) == [0]
    receipt = read_receipt(orjson.dumps(done["receipt"]), [private_key(SIGNING).public_key()])
    assert receipt["shared"]["interactions"] == 1
    assert {store for store, rows in receipt["rows"].items() if rows["after"]} <= {"events"}
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM erased_parts") == [0]


async def test_a_provider_is_not_asked_to_erase_what_another_has_too(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """Its id is of both; the provider is named in the receipt, whoever owns the interaction. An id of his alone is asked for."""
    await store.append([TWO[0], TWO[1], said(3, ANA, source="own", provider_message_id="of-ana")])
    id = await store.request_erasure("shop", await customer(store, ANA), "asked for it")
    assert id is not None
    eraser = Eraser(store, settings(tmp_path))
    while (await eraser.advance(id))["state"] != "searched":
        pass
    assert {(row["source"], row["target"] is None) for row in await store.reached(id)} - {("twilio", True)} == {
        ("own", False)
    }
    done = await eraser.run(id)
    assert [each["source"] for each in done["receipt"]["providers"]] == ["own", "twilio"]


async def test_a_rebuild_that_was_killed_before(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """It had folded what leaves the interaction, and the next one does not go on with that; nothing is taken apart while one runs."""
    await store.append(TWO)

    def killed_then(what: str, _: int, __: int) -> None:
        if what == "folded":
            raise InterruptedError

    with pytest.raises(InterruptedError):
        await rebuild(postgres_dsn.owner, killed_then)
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM threadline_rebuild.progress") == [2]
    id = await store.request_erasure("shop", await customer(store, ANA), "asked for it")
    assert id is not None
    async with store.archive_alone() as mine:
        assert mine
        async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as other:
            with pytest.raises(Waits, match="rebuild"):
                await Eraser(other, settings(tmp_path)).run(id)
    await Eraser(store, settings(tmp_path)).run(id)
    assert await rebuilt(postgres_dsn)
    assert HIS not in await log(postgres_dsn, store)


@pytest.mark.parametrize("who", [ANA, BO], ids=["ana", "bo"])
async def test_only_his_waiting_message_is_cancelled(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, who: Handle
) -> None:
    """The provider gave both messages one id; each waits to be tried again. The other one's is sent, whoever owns the interaction."""
    await store.accept([asked_for("m-ana", ANA), asked_for("m-bo", BO)])
    await store.append(
        [told(1, handle, "MessageQueued", message_id=id) for handle, id in ((ANA, "m-ana"), (BO, "m-bo"))]
    )
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM interactions WHERE NOT superseded") == [1]
    await erased(store, tmp_path, await customer(store, who))
    left = "m-bo" if who == ANA else "m-ana"
    assert await read(postgres_dsn.owner, "SELECT message_id || ' ' || state FROM messages") == [f"{left} queued"]
    assert [row["message_id"] for row in await store.claim(9, 60.0, {})] == [left]
    assert await rebuilt(postgres_dsn)


async def test_a_rebuild_makes_no_links_of_what_is_erased(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """Versions of one event know the message by different ids, which are gone with it."""
    for row in VERSIONS[1:]:
        await store.append([row])
    assert await read(postgres_dsn.owner, "SELECT count(*) > 1 FROM interaction_links") == [True]
    await erased(store, tmp_path, await customer(store, ANA))
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM interaction_links") == [0]
    assert await rebuilt(postgres_dsn)


async def test_one_of_many(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """A job of more recipients than an interaction names, under one id: each of them can be erased, also those whom it does not name."""
    people = [Handle("phone", f"+1555444{number:04}") for number in range(70)]
    rows = [
        told(1, each, "MessageFailed", source_event_id=each.value, error=Error("1", f"of {each.value}", "unreachable"))
        for each in people
    ]
    for some in (rows[:30], rows[30:31], rows[31:]):
        await store.append(some)
    named = (
        "SELECT array_agg(id ORDER BY id) FROM (SELECT id FROM handles WHERE kind = 'phone' ORDER BY id LIMIT 64) AS h"
    )
    assert await read(postgres_dsn.owner, "SELECT named FROM interactions") == await read(postgres_dsn.owner, named)
    assert await rebuilt(postgres_dsn)
    (least,) = await read(postgres_dsn.owner, "SELECT handle_id FROM interactions")
    ids = {each.value: (await store.customer_of("shop", each.kind, each.value))[0]["id"] for each in people}
    first, last = (each(people, key=lambda one: ids[one.value]) for each in (min, max))
    assert ids[first.value] == least
    for gone in (last, first):
        done = await erased(store, tmp_path, await customer(store, gone))
        assert done["shared"] == 1 and f"of {gone.value}" not in await log(postgres_dsn, store)
        assert await rebuilt(postgres_dsn)
    text = await log(postgres_dsn, store)
    assert all(f"of {each.value}" in text for each in people if each not in (first, last))


@pytest.mark.parametrize("time", range(3))
async def test_both_are_erased_at_once(store: EventStore, postgres_dsn: Dsns, tmp_path: Path, time: int) -> None:
    """By two processes, and whichever is first: nothing of either is left."""
    await store.append([*TWO, *(_of_another_message(row) for row in TWO)])
    ids = [await store.request_erasure("shop", await customer(store, who), "asked for it") for who in (ANA, BO)]

    async def run(id: UUID | None) -> dict[str, Any]:
        assert id is not None
        async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as mine:
            for _ in range(200):
                try:
                    return await Eraser(mine, settings(tmp_path)).run(id)
                except Waits:
                    await asyncio.sleep(0.05)
        raise AssertionError("it never ended")

    for done in await asyncio.gather(*map(run, ids)):
        assert {store for store, rows in done["receipt"]["rows"].items() if rows["after"]} <= {"events"}
    text = await log(postgres_dsn, store)
    assert HIS not in text and OTHERS not in text
    full = "SELECT type FROM events WHERE type NOT IN ('ErasureRequested', 'CustomerErased') AND source_event_id <> 'erased ' || id"
    assert await read(postgres_dsn.owner, full) == []
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM interactions") == [0]
    assert await rebuilt(postgres_dsn)


async def test_retention_keeps_what_a_held_customer_has_a_part_in(store: EventStore, postgres_dsn: Dsns) -> None:
    """Whoever owns the interaction."""
    configured = {"channels": [{"channel": "sms", "account": "twilio"}], "retention": {"default": 1}}
    await store.append([replace_row(row, f"{row[0].source_event_id} {n}", n) for n in range(4) for row in TWO[:2]])
    await read(
        postgres_dsn.owner, 'UPDATE interactions SET "timestamp" = "timestamp" - interval \'99 days\' RETURNING 1'
    )
    await store.set_client("shop", configured, "test")
    await store.set_hold("shop", await customer(store, BO), "lawsuit", datetime.now(UTC) + timedelta(days=9))
    await store.remove_expired({}, lambda *_: None, pause=0)
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM interactions") == [4]
    await store.end_hold("shop", await customer(store, BO))
    await store.remove_expired({}, lambda *_: None, pause=0)
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM interactions") == [0]


async def test_who_is_under_a_legal_hold_keeps_his_part(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """The other's erasure takes nothing that is held, whoever owns the interaction."""
    await store.append(TWO)
    await as_if(store, TWO, ANA)
    await store.set_hold("shop", await customer(store, BO), "lawsuit", datetime.now(UTC) + timedelta(days=9))
    await erased(store, tmp_path, await customer(store, ANA))
    assert await shown(store, "shop", BO) == await shown(store, "as-if", BO)
    # Then the last one goes too, with what names nobody.
    await store.end_hold("shop", await customer(store, BO))
    await erased(store, tmp_path, await customer(store, BO))
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM interactions WHERE client_id = 'shop'") == [0]
    assert await rebuilt(postgres_dsn)


@pytest.mark.parametrize("order", list(permutations(range(4))), ids=str)
async def test_in_any_order(store: EventStore, postgres_dsn: Dsns, tmp_path: Path, order: tuple[int, ...]) -> None:
    """Whichever came first, and whoever owns it."""
    history = [TIED[2], TIED[3], TWO[1], TWO[2]]
    for at in order:
        await store.append([history[at]])
    await as_if(store, history, ANA)
    await erased(store, tmp_path, await customer(store, ANA))
    assert HIS not in await log(postgres_dsn, store)
    assert await shown(store, "shop", BO) == await shown(store, "as-if", BO)
    assert await rebuilt(postgres_dsn)


#: Statements of taking apart, and at which time of each the process is killed: in the first of two interactions or in the second.
APART = [
    *(("separate_events", n) for n in (1, 2, 3, 5)),
    *((name, n) for name in ("erase_note_parts", "erase_folded", "erase_separate", "erase_refold", "erase_parted") for n in (1, 2)),
]  # fmt: skip


@pytest.mark.parametrize("at", [*STATES, *APART, "completed"], ids=str)
async def test_it_goes_on_wherever_it_was_killed(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, at: str | tuple[str, int]
) -> None:
    """kill -9 after each step, and before each statement that takes interactions apart, after which others append; another process does
    the rest. Meanwhile no rebuild begins: it would link anew what is half apart."""
    history = [*TWO, *(_of_another_message(row) for row in TWO)]
    await store.append(history)
    late = replace_row(told(90, BO, "MessageRead"), "late", 0)
    late = (replace(late[0], provider_message_id="used-again"), *late[1:])
    await as_if(store, [*history, late], ANA)
    id = await store.request_erasure("shop", await customer(store, ANA), "asked for it")
    assert id is not None
    if isinstance(at, str):
        await killed(postgres_dsn, id, at, tmp_path)
    else:
        await killed_apart(postgres_dsn, id, at, tmp_path)
        begun = await read(postgres_dsn.owner, "SELECT count(*) FROM erased_parts WHERE interaction_id IS NOT NULL")
        if begun != [0]:
            with pytest.raises(RebuildError, match="taking interactions apart"):
                await rebuild(postgres_dsn.owner)
    await store.append([late])
    done = await Eraser(store, settings(tmp_path)).run(id)
    assert HIS not in await log(postgres_dsn, store)
    assert await shown(store, "shop", BO) == await shown(store, "as-if", BO)
    assert done["receipt"]["shared"] == {"interactions": 2, "eventsOfNobody": 4}
    assert done["receipt"]["rows"]["eventsWithContent"]["after"] == 0
    assert await rebuilt(postgres_dsn)


def _of_another_message(row: Row) -> Row:
    event, client, at, webhook = row
    again = replace(event, provider_message_id="used-again", source_event_id=f"again {event.source_event_id}")
    return (replace(again, occurred_at=START + timedelta(hours=1)), client, at, webhook)


_CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from uuid import UUID
import sql.separating
from app.erasing.steps import Eraser
from sql import EventStore
from sql.pool import StatementCursor
from sql.statements import statement
from tests.integration.erasures import settings
from tests.support.keys import SEAL

dsn, id, folder, name, times = sys.argv[1:]
real, done = StatementCursor.execute, []

async def execute(self, query, *given, **more):
    if query == statement(name):
        done.append(1)
        if len(done) == int(times):
            os.kill(os.getpid(), signal.SIGKILL)
    return await real(self, query, *given, **more)

async def main():
    StatementCursor.execute, sql.separating.EVENTS = execute, 2
    async with await EventStore.open(dsn, SEAL, pool=2) as store:
        whole = store.separate_erasure
        store.separate_erasure = lambda *given: whole(*given, step=1)
        await Eraser(store, settings(Path(folder))).run(UUID(id))

asyncio.run(main())
"""


async def killed_apart(dsns: Dsns, id: UUID, at: tuple[str, int], folder: Path) -> None:
    """Have another process erase, which is killed before a statement is run for the given time."""
    given = (sys.executable, "-c", _CHILD, dsns.service, str(id), str(folder), at[0], str(at[1]))
    child = await asyncio.create_subprocess_exec(*given, stderr=asyncio.subprocess.PIPE)
    err = (await child.communicate())[1]
    assert child.returncode == -signal.SIGKILL, err.decode()


async def test_two_workers_append_late_webhooks_of_both(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """While one is erased, two workers go on with reports on messages of both, with and without their addresses. No batch fails; what
    stays of these interactions is what a rebuild makes of the log, and nothing that the erased one said before is in it."""
    rows = [row for n in range(40) for row in (_numbered(TWO[0], n), _numbered(TWO[1], n), _numbered(TWO[2], n))]
    await store.append(rows)
    whose = await customer(store, ANA)
    ended = asyncio.Event()

    async def write(lane: int) -> int:
        number = 0
        async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as mine:
            while not ended.is_set():
                late = [replace_row(TWO[which], f"late {lane} {number} {which}", number % 40) for which in (5, 6, 7)]
                late.append(replace_row(told(30, ANA, "MessageRead"), f"late {lane} {number} ana", number % 40))
                await mine.append([*late, _numbered(TWO[0], number % 40)])
                number += 1
        return number

    writing = [asyncio.create_task(write(lane)) for lane in range(2)]
    await asyncio.sleep(0.5)
    done = await erased(store, tmp_path, whose)
    await asyncio.sleep(0.5)
    ended.set()
    assert all(await asyncio.gather(*writing))
    assert done["receipt"]["shared"]["interactions"] == 40
    assert HIS not in await log(postgres_dsn, store)
    assert len(await store.timeline("shop", await customer(store, BO), limit=200)) <= 40
    assert await store.timeline("shop", whose) == []
    assert await rebuilt(postgres_dsn)


async def test_what_takes_long_is_done_while_others_append(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of an interaction of many events nothing is read, moved or folded while nobody can append but what came meanwhile, though others
    append to that same interaction."""
    history = [_numbered(replace_row(TWO[which], str(which), 0), 0) for which in (0, 1, 2)]
    history += [replace_row(told(n, (ANA, BO)[n % 2], "MessageRead"), f"many {n}", 0) for n in range(200)]
    late = [replace_row(told(500 + n, BO, "MessageDelivered"), f"late {n}", 0) for n in range(20)]
    await store.append(history)
    await as_if(store, [*history, *late], ANA)
    real = SeparatingStore._take_apart

    async def take_apart(self: SeparatingStore, *given: Any) -> int:
        taking = asyncio.create_task(real(self, *given))
        for row in late:
            await store.append([row])
        return await taking

    monkeypatch.setattr(SeparatingStore, "_take_apart", take_apart)
    with recorded(monkeypatch) as ran:
        await erased(store, tmp_path, await customer(store, ANA))
    names = [one.name for one in ran]
    place = max(place for place, name in enumerate(names[: names.index("erase_refold")]) if name == "erase_lock")
    locked = [
        one for one in ran[place + 1 : names.index("erase_refold") + 1] if one.name.startswith(("erase_", "separate_"))
    ]
    assert [one.name for one in locked] == [
        "erase_told",
        "erase_folded",
        "erase_separate",
        "erase_relink",
        "erase_refold",
    ]
    assert locked[0].rows <= len(late) + 1 and locked[1].rows <= 1
    assert await shown(store, "shop", BO) == await shown(store, "as-if", BO)
    assert await rebuilt(postgres_dsn)


def _numbered(row: Row, number: int) -> Row:
    return replace_row(row, f"{row[0].source_event_id} {number}", number)


def replace_row(row: Row, id: str, number: int) -> Row:
    """Return an event under another id, of one of several messages."""
    return (replace(row[0], source_event_id=id, provider_message_id=f"shared {number}"), *row[1:])


@pytest.mark.parametrize("seed", range(4))
async def test_any_history_of_several_people_and_messages(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, seed: int
) -> None:
    """Events of four addresses and of nobody, of ids that are used again and again and tie messages of ours; merges, splits, changes of
    owner and undoings before. After each erasure a rebuild gives the same, nothing of the erased ones is in the log, and others have what they said."""
    chance = random.Random(seed)
    people = [ANA, BO, ANA_MAIL, USER]
    words = {each.value: f"word-{number}-of" for number, each in enumerate(people)}
    for number in range(60):
        who = chance.choice([*people, None, None])
        ours, theirs = (
            chance.choice([None, f"m{chance.randrange(5)}"]),
            chance.choice([None, f"p{chance.randrange(4)}"]),
        )
        if ours is None and theirs is None:
            continue
        type = chance.choice(
            ["MessageReceived", "UserMessageSent", "MessageDelivered", "MessageFailed", "MessageEdited"]
        )
        row = told(
            number, who, type, message_id=ours, provider_message_id=theirs, source_event_id=f"e{chance.randrange(50)}"
        )
        text = f"{words[who.value]} {number}" if who is not None else None
        payload = {"content": {"text": text, f"n{number}": text}} if text is not None else {}
        error = Error("1", text, "unreachable") if type == "MessageFailed" else None
        await store.append([(replace(row[0], payload=payload, error=error), *row[1:])])
    assert await _decided(store, chance, people)
    for _ in range(2):
        had: dict[str, list[str]] = {}
        for pair in await read(
            postgres_dsn.owner, "SELECT customer_id || ' ' || handle_id FROM assignments ORDER BY id"
        ):
            had.setdefault(pair.split()[0], []).append(pair.split()[1])
        gone = chance.choice(sorted(had))
        ids = {each.value: await _id(store, each) for each in people}
        holders = {value: [one for one, handles in had.items() if str(id) in handles] for value, id in ids.items()}
        before = await log(postgres_dsn, store)
        id = await store.request_erasure("shop", UUID(gone), "asked for it")
        if id is None:  # he has nothing any more
            continue
        await Eraser(store, settings(tmp_path)).run(id)
        after = await log(postgres_dsn, store)
        for value, word in words.items():
            # Of a number of several owners it depends on the time.
            if holders[value] == [gone]:
                assert word not in after
            elif gone not in holders[value]:
                assert after.count(word) == before.count(word)
        assert await store.timeline("shop", UUID(gone)) == []
        assert await rebuilt(postgres_dsn)


async def _id(store: EventStore, handle: Handle) -> UUID | None:
    """Return the id of a handle; None for one that was erased."""
    rows = await store.customer_of("shop", handle.kind, handle.value)
    return next((row["id"] for row in rows if row["value"] == handle.value), None)


async def _decided(store: EventStore, chance: random.Random, people: list[Handle]) -> int:
    """Decide a few times on who is one; return how often."""
    made, events = 0, []
    for _ in range(6):
        known = [each for each in people if await store.customer_of("shop", each.kind, each.value)]
        one, other = chance.sample(known, 2)
        try:
            mine = await _id(store, one)
            assert mine is not None
            match chance.choice(("merge", "split", "unlink", "undo")):
                case "merge":
                    done = await store.merge_customers(
                        "shop", await customer(store, one), await customer(store, other), BY
                    )
                    events.append(done.event_id)
                case "unlink":
                    since = START + timedelta(minutes=chance.randrange(60))
                    await store.unlink_handle("shop", await customer(store, one), mine, since, BY)
                case "split":
                    await store.split_customer("shop", await customer(store, one), [mine], BY)
                case "undo" if events:
                    await store.undo_customer_change("shop", events.pop(), BY)  # type: ignore[arg-type]
        except Refused:
            continue
        made += 1
    return made
