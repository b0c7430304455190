"""Erasure on real PostgreSQL: what is gone, what stays, and that it goes on wherever it was killed."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest
import pytest_asyncio

from app.auditing.anchors import new_key, private_key
from app.erasing.receipt import digest_of, read_receipt
from app.erasing.steps import Eraser
from schemas.events import Error
from sql import EventStore
from sql.erasures import Held
from sql.rebuild import rebuild
from tests.conftest import Dsns
from tests.integration.erasures import (
    ANA,
    ANA_MAIL,
    BO,
    SIGNING,
    START,
    WORDS,
    asked_for,
    customer,
    erased,
    filled,
    places,
    read,
    said,
    settings,
)
from tests.integration.test_rebuild import tables
from tests.integration.test_sending_store import settled
from tests.support.keys import SEAL


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store as the service has it, so that its privileges are tested too."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as opened:
        yield opened


async def test_nothing_of_the_customer_is_left_and_all_of_others(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """Neither in any table nor for any reader; the receipt says what there was, and its signature is checked."""
    whose, other = await filled(store), await customer(store, ANA, "other")
    before = {name: await store.timeline("shop", await customer(store, BO)) for name in ("bo",)}
    assert await places(postgres_dsn, ANA.value, ANA_MAIL.value) == {}  # nothing is in clear before either
    assert await places(postgres_dsn, "MessageReceived")  # what is there is found
    done = await erased(store, tmp_path, whose)

    assert await places(postgres_dsn, ANA.value, ANA_MAIL.value) == {}
    assert await store.timeline("shop", whose) == []
    assert await store.customer_of("shop", ANA.kind, ANA.value) == []
    assert await store.timeline("shop", await customer(store, BO)) == before["bo"]
    assert len(await store.timeline("other", other)) == 2
    rows = done["receipt"]["rows"]
    assert {name: each["before"] for name, each in rows.items()} == {
        "handleKeys": 2, "handleDigests": 2, "interactions": 7, "events": 11, "eventsWithContent": 11, "eventsAlone": 1, "messages": 1,
        "attempts": 0, "messageKeys": 0, "idempotencyKeys": 0, "deliveries": 0, "consents": 1, "profiles": 0,
        "deadLetters": 1,
    }  # fmt: skip
    assert {name for name, each in rows.items() if each["after"]} == {"events"}
    receipt = read_receipt(orjson.dumps(done["receipt"]), [private_key(SIGNING).public_key()])
    (event,) = await read(postgres_dsn.owner, "SELECT payload FROM events WHERE type = 'CustomerErased'")
    assert event == {
        "customerId": str(whose),
        "erasureId": str(done["id"]),
        "handleIds": receipt["keysDestroyed"],
        "receiptSha256": digest_of(receipt),
    }


STATES = ("requested", "fenced", "searched", "asked", "destroyed", "purged", "rewritten")
#: A process that erases, and is killed as soon as a state is reached; of the last but one also amid the removals.
_CHILD = """
import asyncio, os, signal, sys
from pathlib import Path
from uuid import UUID
from app.erasing.steps import Eraser
from sql import EventStore
from tests.integration.erasures import settings
from tests.support.keys import SEAL

dsn, id, at, folder = sys.argv[1:]

def told(state):
    if state == at:
        os.kill(os.getpid(), signal.SIGKILL)

async def main():
    async with await EventStore.open(dsn, SEAL, pool=2) as store:
        if at == "amid":
            purge = store.purge_erasure
            async def amid(id, step=1):
                assert await purge(id, 1) == 1
                os.kill(os.getpid(), signal.SIGKILL)
            store.purge_erasure = amid
        await Eraser(store, settings(Path(folder))).run(UUID(id), told)

told("requested" if at == "requested" else "")
asyncio.run(main())
"""


async def killed(dsns: Dsns, id: UUID, at: str, folder: Path) -> None:
    """Have another process erase, which is killed at a state."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _CHILD, dsns.service, str(id), at, str(folder)),
        stderr=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.DEVNULL,
    )
    _, err = await child.communicate()
    assert child.returncode == -signal.SIGKILL, err.decode()


@pytest.mark.parametrize("at", [*STATES, "amid", "completed"])
async def test_it_goes_on_wherever_it_was_killed(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path, at: str
) -> None:
    """kill -9 after each step and amid the removals; another process does the rest, and the end is the same."""
    whose = await filled(store)
    id = await store.request_erasure("shop", whose, "asked for it")
    assert id is not None
    await killed(postgres_dsn, id, at, tmp_path)
    stood = await store.erasure(id)
    assert stood is not None and stood["state"] == {"amid": "destroyed"}.get(at, at)

    done = await Eraser(store, settings(tmp_path)).run(id)
    assert await places(postgres_dsn, ANA.value, ANA_MAIL.value) == {}
    assert done["receipt"]["rows"]["interactions"] == {"before": 7, "after": 0}
    assert done["receipt"]["rows"]["deadLetters"] == {"before": 1, "after": 0}
    types = "SELECT type FROM events WHERE type IN ('ErasureRequested', 'CustomerErased') ORDER BY position"
    assert await read(postgres_dsn.owner, types) == ["ErasureRequested", "CustomerErased"]
    assert await rebuilt(postgres_dsn)
    assert len(await store.timeline("shop", await customer(store, BO))) == 4


async def rebuilt(dsns: Dsns) -> bool:
    """Return whether a rebuild gives the same rows as there are."""
    live = await tables(dsns.owner)
    await rebuild(dsns.owner)
    return await tables(dsns.owner) == live


async def test_writers_of_the_same_address_during_the_erasure(
    store: EventStore, postgres_dsn: Dsns, tmp_path: Path
) -> None:
    """Four writers go on with the address: no batch fails, all that was before is gone, and what comes after is a new customer's who
    has none of it."""
    whose = await filled(store)
    (old,) = await read(postgres_dsn.owner, "SELECT min(id::text) FROM handles WHERE kind = 'email'")
    ended = asyncio.Event()

    async def write(lane: int) -> int:
        number = 1000 * lane
        async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as mine:
            while not ended.is_set():
                await mine.append(
                    [said(number + n, ANA, payload={"content": {"text": f"{WORDS} {lane}"}}) for n in range(5)]
                )
                # Status reports of what was said before, with and without the address.
                await mine.append(
                    [said(1 + number % 5, ANA, "MessageDelivered"), said(1 + number % 5, None, "MessageRead")]
                )
                number += 5
        return number

    writing = [asyncio.create_task(write(lane)) for lane in range(2, 6)]
    await asyncio.sleep(1.0)
    done = await erased(store, tmp_path, whose)
    await asyncio.sleep(0.5)
    ended.set()
    await asyncio.gather(*writing)

    new = await customer(store, ANA)
    fence = done["fence_xid"]
    assert new != whose and str(done["id"]) != old
    rows = await store.timeline("shop", new, limit=200)
    first = await read(
        postgres_dsn.owner, f"SELECT min(xid) FROM events e JOIN handles h ON h.id = e.handle_id WHERE h.salt IS NOT NULL AND h.kind = 'phone' AND e.client_id = 'shop' AND xid > {fence}"
    )  # fmt: skip
    assert rows and first[0] > fence
    assert await store.timeline("shop", whose) == []
    # No interaction has both an old and a new handle, and no message of old is anybody's now.
    ours = "SELECT count(*) FROM events e JOIN handles h ON h.id = e.handle_id WHERE h.erased_at IS NULL AND e.client_id = 'shop' AND e.reference IN (SELECT reference FROM erased_references)"
    assert await read(postgres_dsn.owner, ours) == [0]
    theirs = "SELECT count(*) FROM (SELECT provider_message_id FROM events WHERE client_id = 'shop' AND handle_id IS NOT NULL AND provider_message_id IS NOT NULL GROUP BY 1 HAVING count(DISTINCT handle_id) > 1) AS tied"
    assert await read(postgres_dsn.owner, theirs) == [0]
    assert await rebuilt(postgres_dsn)


async def test_what_comes_later_about_erased_messages(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """A late report is a bare fact, an opt-out is the new handle's, a webhook that is read again is known, a request is refused."""
    whose = await filled(store)
    await erased(store, tmp_path, whose)
    late = [
        said(3, ANA, "MessageDelivered"),
        said(4, None, "MessageFailed", error=Error("1", f"no {ANA.value}", "unreachable")),
        said(5, ANA, "RecipientUnsubscribed", payload={"basis": "keyword"}),
    ]
    for _ in range(2):
        await store.append(late)
        again = await store.append([said(n, ANA) for n in range(1, 6)])
        assert again.appended == 0
    names = "SELECT to_jsonb(e) - 'xid' FROM events e WHERE source_event_id LIKE 'late %%' ORDER BY type"
    delivered, failed, unsubscribed = await read(postgres_dsn.owner, names)
    for each in (delivered, failed, unsubscribed):
        assert each["provider_message_id"] is each["message_id"] is each["reference"] is each["webhook_id"] is None
    assert (delivered["handle_id"], delivered["payload"]) == (None, {})
    assert failed["error"] == {"reason": "unreachable"}
    (new,) = await store.customer_of("shop", ANA.kind, ANA.value)
    assert unsubscribed["handle_id"] == str(new["id"]) and new["customer_id"] != whose
    assert [(row["channel"], row["opted_out_basis"]) for row in await store.consents("shop", ANA)] == [
        ("email", "suppression"),
        ("sms", "keyword"),
    ]
    assert await store.timeline("shop", new["customer_id"]) == await store.timeline("shop", whose) == []

    (accepted,) = await store.accept([asked_for("m1", ANA)])
    assert (accepted.fresh, accepted.same) == (False, False)
    assert await read(postgres_dsn.owner, "SELECT message_id FROM messages ORDER BY 1") == ["m2"]
    assert await rebuilt(postgres_dsn)


async def test_an_opt_out_outlives_the_erasure(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Of each address of the customer, at sending and for readers, until it opts in again; nobody else's."""
    whose = await filled(store)
    await store.append([said(30, ANA, "RecipientUnsubscribed", provider_message_id=None, channel="sms")])
    done = await erased(store, tmp_path, whose)
    assert done["suppressed"] == 4  # two addresses, each opted out of sms and email by the other
    digests = await read(
        postgres_dsn.owner,
        "SELECT digest FROM suppressions UNION ALL SELECT digest FROM handles WHERE digest IS NOT NULL",
    )
    assert len({bytes(digest) for digest in digests}) == len(digests) - 2

    await store.accept([asked_for("m3", ANA), asked_for("m4", BO)])
    claimed = {row["message_id"]: row["opted_out"] for row in await store.claim(9, 60.0, {})}
    assert claimed == {"m2": None, "m3": ["sms"], "m4": None}
    waits = await store.waits("shop", "m3")
    assert waits is not None and waits["opted_out"] == ["sms"]
    assert [
        (row["channel"], row["opted_out"], row["opted_out_basis"]) for row in await store.consents("shop", ANA)
    ] == [
        ("email", True, "suppression"),
        ("sms", True, "suppression"),
    ]
    assert await store.consents("shop", BO) == await store.consents("other", ANA) == []
    later: dict[str, Any] = {"provider_message_id": None, "channel": "sms", "occurred_at": START + timedelta(days=1)}
    await store.append([said(31, ANA, "RecipientSubscribed", **later)])
    await store.accept([asked_for("m5", ANA)])
    assert [row["opted_out"] for row in await store.claim(9, 60.0, {})] == [None]
    assert await rebuilt(postgres_dsn)


async def test_a_held_customer_is_not_erased(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Neither by a new request nor by one that was made before the hold, which goes on when the hold ends."""
    whose = await filled(store)
    until = datetime.now(UTC) + timedelta(days=30)
    id = await store.request_erasure("shop", whose, "asked for it")
    assert id is not None and await store.set_hold("shop", whose, "lawsuit 7", until)
    with pytest.raises(Held, match="lawsuit 7"):
        await Eraser(store, settings(tmp_path)).run(id)
    with pytest.raises(Held):
        await store.request_erasure("shop", whose, "again")
    assert len(await store.timeline("shop", whose)) == 7
    assert await store.set_hold("other", whose, "not theirs", until) is None
    assert await store.end_hold("other", whose) is False
    assert await store.end_hold("shop", whose) is True
    assert (await Eraser(store, settings(tmp_path)).run(id))["state"] == "completed"
    assert await store.set_hold("shop", whose, "too late", until) is None


async def test_retention_keeps_the_messages_of_a_held_customer(store: EventStore, postgres_dsn: Dsns) -> None:
    """At any age, until the hold is over; those of others go."""
    whose = await filled(store)
    await read(
        postgres_dsn.owner,
        "UPDATE messages SET state = 'sent', changed_at = now() - interval '99 days' RETURNING message_id",
    )
    assert await store.set_hold("shop", whose, "lawsuit 7", datetime.now(UTC) + timedelta(days=30))
    ages = {"messages": timedelta(days=90)}
    await store.remove_expired(ages, lambda *_: None, pause=0)
    assert await read(postgres_dsn.owner, "SELECT message_id FROM messages") == ["m1"]
    await read(postgres_dsn.owner, "UPDATE customer_holds SET until = now() RETURNING until")
    await store.remove_expired(ages, lambda *_: None, pause=0)
    assert await read(postgres_dsn.owner, "SELECT message_id FROM messages") == []


async def test_another_clients_customer_is_not_known(store: EventStore) -> None:
    """Neither to be erased nor held, and nothing of it is told."""
    whose = await filled(store)
    assert await store.request_erasure("other", whose, "mine?") is None
    id = await store.request_erasure("shop", whose, "asked for it")
    assert id is not None and await store.erasure(id, "other") is None
    assert await store.request_erasure("shop", whose, "twice") == id


async def test_a_receipt_that_was_changed_is_refused(store: EventStore, tmp_path: Path) -> None:
    """Any member of it; and one that another key signed, or none."""
    done = await erased(store, tmp_path, await filled(store))
    keys = [private_key(SIGNING).public_key()]
    receipt = done["receipt"]
    assert read_receipt(orjson.dumps(receipt), keys) == receipt
    for name in receipt.keys() - {"publicKey"}:
        changed = receipt | {name: "9" * 8}
        with pytest.raises(ValueError, match=r"changed|damaged|no receipt"):
            read_receipt(orjson.dumps(changed), keys)
    with pytest.raises(ValueError, match="another key"):
        read_receipt(orjson.dumps(receipt), [private_key(new_key()).public_key()])
    with pytest.raises(ValueError, match="not signed"):
        read_receipt(orjson.dumps(receipt | {"signature": None}), keys)


async def test_a_message_that_is_leaving_is_waited_for(store: EventStore, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Its outcome is written before the fence, so that nothing makes a handle of the address afterwards; one that waits is cancelled."""
    whose = await filled(store)
    (leaving,) = [row for row in await store.claim(9, 60.0, {}) if row["message_id"] == "m1"]
    await store.accept([asked_for("m6", ANA)])
    id = await store.request_erasure("shop", whose, "asked for it")
    assert id is not None
    erasing = asyncio.create_task(Eraser(store, settings(tmp_path)).run(id))
    await asyncio.sleep(1.5)
    stood = await store.erasure(id)
    assert stood is not None and stood["state"] == "requested"
    states = "SELECT message_id || ' ' || state FROM messages WHERE message_id IN ('m1', 'm6') ORDER BY 1"
    assert await read(postgres_dsn.owner, states) == ["m1 sending", "m6 cancelled"]
    sent = said(50, ANA, "UserMessageSent", message_id="m1", source="threadline")
    await store.settle([settled(leaving, "sent", provider_message_id="p50")], [sent])
    done = await asyncio.wait_for(erasing, 30)
    assert done["receipt"]["rows"]["messages"] == {"before": 2, "after": 0}
    assert await store.customer_of("shop", ANA.kind, ANA.value) == []
    assert await places(postgres_dsn, ANA.value, ANA_MAIL.value) == {}
    assert await rebuilt(postgres_dsn)
