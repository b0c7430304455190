"""Messages in a real PostgreSQL: taken once, claimed by one, settled once, turn by turn from all lanes."""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import pytest_asyncio

from app.sending.events import ended, sent
from app.sending.requests import Request, read_request
from schemas.events import Error, Event, Handle
from sql import Accepted, EventStore, InFlight, KeptAnswer, NewMessage, Recalled, Reference, Settled
from sql.messages import LaneReport
from sql.sending import TROUBLE
from tests.conftest import Dsns
from tests.support.keys import SEAL

TO = "+15551234567"
Lane = tuple[str, str, float | None, int, int]


@pytest_asyncio.fixture
async def store(postgres_dsn: Dsns) -> AsyncIterator[EventStore]:
    """A store on a database of the test's own."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=8) as opened:
        yield opened


def asked(number: int = 0, client: str = "shop", **more: Any) -> Request:
    """A request for an SMS."""
    return read_request(
        {"messageId": f"m-{number}", "channel": "sms", "to": TO, "body": "Hello"} | more, client_id=client
    )


def lane(client: str = "shop", account: str = "twilio", rate: float | None = None, burst: int = 10) -> Lane:
    """The lane of an account."""
    return (client, account, rate, burst, 1000)


def event_of(request: Request) -> tuple[Event, str, datetime, None]:
    """The event of the request."""
    event = Event(
        "MessageRequested", "threadline", f"{request.message_id}:requested", channel="sms", direction="outbound",
        message_id=request.message_id, handle=Handle("phone", TO), payload={"messageId": request.message_id},
    )  # fmt: skip
    return (event, request.client_id, datetime.now(UTC), None)


def new(
    request: Request, account: str = "twilio", due_at: datetime | None = None, lane: Lane | None = None
) -> NewMessage:
    """The request as the store takes it, with its event."""
    event, _, at, _ = event_of(request)
    return NewMessage(
        event, at, lane, request.client_id, request.message_id, request.priority, due_at, None, None, "sms",
        account, "queued", None, request.document, request.fingerprint.hex(), [("sms", Handle("phone", TO))],
    )  # fmt: skip


async def accept(store: EventStore, *requests: Request, lanes: list[Lane] | None = None, **more: Any) -> list[Accepted]:
    """Accept requests by one account; the messages bring the lanes."""
    known = lanes or [lane(requests[0].client_id)]
    by_account = {(each[0], each[1]): each for each in known}
    account = more.get("account", "twilio")
    return await store.accept(
        [new(each, lane=by_account.get((each.client_id, account), known[0]), **more) for each in requests]
    )


def settled(row: dict[str, Any], state: str, **more: Any) -> Settled:
    """What came of a claim."""
    known: dict[str, Any] = {
        "id": str(row["id"]), "claim": row["claims"], "state": state, "due_in": None, "tries": 0, "channel": "sms",
        "account": "twilio", "tried": [], "cause": None, "error": None, "provider_message_id": None,
        "outcome": "accepted", "status": 200,
    }  # fmt: skip
    return Settled(**known | more)


async def test_a_request_is_taken_once_and_tells_whether_it_is_the_same(store: EventStore) -> None:
    """The same again changes nothing, also within a batch; another body under the same id is recognised."""
    first, same, other = asked(1), asked(1), asked(1, body="Another")
    assert await accept(store, first, same, other) == [
        Accepted(True, True),
        Accepted(False, True),
        Accepted(False, False),
    ]
    assert await accept(store, asked(1), asked(2)) == [Accepted(False, True), Accepted(True, True)]
    kept = await store.message("shop", "m-1")
    assert kept is not None and kept["request"]["content"] == {"text": "Hello"} and kept["state"] == "queued"
    assert kept["delivery"] == "requested"
    assert await store.message("another", "m-1") is None


async def test_two_at_once_under_one_id_are_distinguished(store: EventStore) -> None:
    """Also who had to wait for the other learns whether the other asked for the same."""
    for number in range(10):
        requests = [asked(number), asked(number), asked(number, body="Another"), asked(number, body="Another")]
        taken = [found for (found,) in await asyncio.gather(*(accept(store, each) for each in requests))]
        assert sum(each.fresh for each in taken) == 1
        before = [
            await store.taken_before("shop", f"m-{number}", None, bytes.fromhex(new(each, lane=lane()).fingerprint))
            for each in requests
        ]
        assert [each.same for each in taken] == [row is not None for row in before]


async def test_an_idempotency_key_is_kept_with_its_messages_or_not_at_all(store: EventStore) -> None:
    """Two under one key at once: one has to wait; afterwards the answer is there."""
    key = KeptAnswer("shop", "key", b"f" * 32, 202, b"{}")
    request = asked(1)
    tries = [store.accept([new(request, lane=lane())], lambda _: [key]) for _ in range(8)]
    found = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(each, list) for each in found) == 1
    assert all(isinstance(each, list | InFlight) or "idempotency_keys_pkey" in str(each) for each in found)
    assert await store.recall("shop", "key", b"f" * 32) == Recalled(True, 202, b"{}")
    assert await store.recall("shop", "key", b"g" * 32) == Recalled(False, 202, b"{}")
    assert await store.recall("another", "key", b"f" * 32) is None


async def test_a_message_is_claimed_by_one_of_many_workers(store: EventStore) -> None:
    """However many claim at once, each message goes to one."""
    await accept(store, *(asked(number) for number in range(300)))
    claims = await asyncio.gather(*(store.claim(50, 60, {}) for _ in range(12)))
    taken = Counter(str(row["id"]) for rows in claims for row in rows)
    while rows := await store.claim(50, 60, {}):
        taken.update(str(row["id"]) for row in rows)
    assert len(taken) == 300 and set(taken.values()) == {1}


async def test_lanes_take_turns(store: EventStore) -> None:
    """A flood of one client takes no place of the others."""
    await accept(store, *(asked(number, "flood") for number in range(500)))
    for client in ("a", "b", "c"):
        await accept(store, *(asked(number, client) for number in range(10)))
    taken = Counter(row["client_id"] for row in await store.claim(40, 60, {}))
    assert taken == {"flood": 10, "a": 10, "b": 10, "c": 10}


async def test_priority_comes_first_within_a_lane(store: EventStore) -> None:
    """A high one passes all others, a low one waits for them."""
    await accept(store, *(asked(number, priority="low") for number in range(5)))
    await accept(store, *(asked(number) for number in range(5, 10)))
    await accept(store, *(asked(number, priority="high") for number in range(10, 12)))
    rows = await store.claim(6, 60, {})
    assert [row["request"].get("priority", "normal") for row in rows] == ["high"] * 2 + ["normal"] * 4


async def test_a_lane_leaves_at_its_rate_whoever_claims(store: EventStore) -> None:
    """The bucket is the account's, not a worker's; what is in flight here counts against its concurrency."""
    lanes = [lane(rate=0.001, burst=7)]
    await accept(store, *(asked(number) for number in range(50)), lanes=lanes)
    rows = [row for _ in range(5) for row in await store.claim(50, 60, {})]
    assert len(rows) == 7
    await accept(store, asked(99), lanes=[("shop", "twilio", None, 1, 20)])
    assert len(await store.claim(50, 60, {str(rows[0]["lane"]): 15})) == 5


async def test_a_claim_that_is_not_settled_comes_back_with_its_doubt(store: EventStore) -> None:
    """A worker that dies before its attempt leaves no doubt; one that dies after leaves one."""
    await accept(store, asked(1), asked(2))
    rows = await store.claim(10, 0, {})
    ids = {row["message_id"]: row for row in rows}
    assert (
        await store.begin([(str(ids["m-1"]["id"]), ids["m-1"]["claims"], "sms", "twilio")]) == {}
    )  # its lease is over
    rows = await store.claim(10, 0.3, {})
    ids = {row["message_id"]: row for row in rows}
    attempt = (str(ids["m-1"]["id"]), ids["m-1"]["claims"], "sms", "twilio")
    assert await store.begin([attempt]) == await store.begin([attempt]) == {attempt[0]: True}
    assert await store.claim(10, 60, {}) == []
    await asyncio.sleep(0.35)
    again = {row["message_id"]: row for row in await store.claim(10, 60, {})}
    assert again["m-1"]["was"] == again["m-2"]["was"] == "sending"
    assert again["m-1"]["doubt_since"] is not None and again["m-2"]["doubt_since"] is None


async def test_what_came_of_a_claim_counts_for_its_owner_alone(store: EventStore) -> None:
    """One taken over settles nothing but that the provider took it."""
    await accept(store, asked(1))
    (first,) = await store.claim(1, 0, {})
    (second,) = await store.claim(1, 60, {})
    await store.settle([settled(first, "failed", outcome="rejected")], [])
    kept = await store.message("shop", "m-1")
    assert kept is not None and kept["state"] == "sending"
    event = sent(asked(1), "sms", Handle("phone", TO), "twilio", "SM1", second["claims"])
    await store.settle([settled(second, "sent", provider_message_id="SM1")], [(event, "shop", datetime.now(UTC), None)])
    kept = await store.message("shop", "m-1")
    assert kept is not None and (kept["state"], kept["delivery"], kept["provider_message_id"]) == (
        "sent",
        "sent",
        "SM1",
    )
    assert await store.claim(1, 60, {}) == []


async def test_an_account_in_trouble_is_left_alone_then_probed(store: EventStore) -> None:
    """Failures in a row open the circuit; then one call at a time; one that passes closes it."""
    await accept(store, *(asked(number) for number in range(20)))
    rows = await store.claim(10, 60, {})
    name = str(rows[0]["lane"])
    await store.settle([settled(row, "retrying", due_in=0, outcome="retryable") for row in rows], [])
    for _ in range(TROUBLE):
        await store.note_lanes([LaneReport(name, failed=True, trouble="503", age=-1.0)])
    assert await store.claim(50, 60, {}) == []
    kept = await store.waits("shop", "m-1")
    assert kept is not None and kept["open_until"] > datetime.now(UTC) and kept["trouble"] == "503"
    assert await store.claim(50, 60, {}) == []
    await asyncio.sleep(1.1)
    (probe,) = await store.claim(50, 60, {})
    assert probe["ailing"] and probe["probe"]
    assert await store.claim(50, 60, {}) == []
    await store.settle([settled(probe, "sent")], [])
    await store.note_lanes([LaneReport(name, passed=True, probe=True)])
    assert len(await store.claim(50, 60, {})) == 19


async def test_a_pause_asked_for_is_given(store: EventStore) -> None:
    """A provider's Retry-After rests the whole account."""
    await accept(store, asked(1), asked(2))
    (row,) = await store.claim(1, 60, {})
    await store.settle([settled(row, "retrying", due_in=0, outcome="retryable")], [])
    await store.note_lanes([LaneReport(str(row["lane"]), pause=0.3, trouble="429")])
    assert await store.claim(9, 60, {}) == []
    await asyncio.sleep(0.35)
    assert len(await store.claim(9, 60, {})) == 2


async def test_held_messages_wait_for_their_time(store: EventStore) -> None:
    """One that is not due is not claimed, and is when it is."""
    await accept(store, asked(1), due_at=datetime.now(UTC) + timedelta(seconds=3))
    assert await store.claim(9, 60, {}) == []
    await asyncio.sleep(3.1)
    assert len(await store.claim(9, 60, {})) == 1


async def test_cancel_and_release(store: EventStore) -> None:
    """A waiting one is cancelled at once; one that is being sent is not tried again; a held one is let go."""
    await accept(store, asked(1), asked(2), asked(3))
    row = (
        ended(asked(1), "MessageCancelled", None, Error(None, "by its client", "unknown")),
        "shop",
        datetime.now(UTC),
        None,
    )
    assert await store.cancel("shop", "m-1", row) == "queued"
    assert await store.cancel("shop", "m-1", row) is None
    rows = await store.claim(9, 60, {})
    assert {each["message_id"] for each in rows} == {"m-2", "m-3"}
    assert await store.cancel("shop", "m-2", row) == "sending"
    by_id = {each["message_id"]: each for each in rows}
    await store.settle(
        [
            settled(by_id["m-2"], "retrying", due_in=3600, outcome="retryable"),
            settled(by_id["m-3"], "held", due_in=3600, outcome=None, cause="its window"),
        ], [])  # fmt: skip
    (again,) = await store.claim(9, 60, {})
    assert again["message_id"] == "m-2" and again["cancelled"]
    assert await store.release("shop", "m-3", False, "key:test") == "held"
    (released,) = await store.claim(9, 60, {})
    assert released["message_id"] == "m-3" and released["released"]
    noted = [(one["actor"], one["action"], one["subject"]) for one in await store.audit("shop")]
    assert noted[0] == ("key:test", "message.release", "m-3")
    # Nothing says on whose behalf the store works here.
    assert noted[1:] == [("threadline", "message.cancel", "m-2"), ("threadline", "message.cancel", "m-1")]
    cancelled = await store.message("shop", "m-1")
    assert cancelled is not None and (cancelled["state"], cancelled["delivery"]) == ("cancelled", "cancelled")


async def test_after_a_restore_what_may_have_been_sent_is_held(store: EventStore) -> None:
    """A message that is due, or being sent, becomes unanswered, once; one that is due later is not touched; the audit names who
    asked."""
    await accept(store, asked(1))
    assert len(await store.claim(10, 60, {})) == 1
    await accept(store, asked(2))
    await accept(store, asked(3), due_at=datetime.now(UTC) + timedelta(hours=1))

    held = await store.hold_restored("cli:ana")
    assert [(row["client_id"], row["message_id"]) for row in held] == [("shop", "m-1"), ("shop", "m-2")]
    assert await store.hold_restored("cli:ana") == []
    assert await store.claim(10, 60, {}) == []
    assert await store.release("shop", "m-1", True, "cli:ana") == "unanswered"
    assert [row["message_id"] for row in await store.claim(10, 60, {})] == ["m-1"]
    audit = [(row["actor"], row["subject"], row["detail"]) for row in await store.audit("shop", 10)]
    assert ("cli:ana", "m-1", {"was": "sending"}) in audit
    assert ("cli:ana", "m-2", {"was": "queued"}) in audit


async def test_what_a_provider_tells_settles_an_unanswered_attempt(store: EventStore) -> None:
    """By our id, which its webhook echoes; the others wait for somebody to release them."""
    await accept(store, asked(1), asked(2))
    rows = await store.claim(9, 60, {})
    await store.settle([settled(row, "unanswered", outcome="unanswered", status=None) for row in rows], [])
    assert await store.claim(9, 60, {}) == []
    assert await store.sweep() == 0
    delivered = Event(
        "MessageDelivered", "twilio", "SM1:delivered", direction="outbound", provider_message_id="SM1",
        message_id="m-1", payload={"messageId": "m-1"},
    )  # fmt: skip
    await store.append([(delivered, "shop", datetime.now(UTC), None)])
    assert await store.sweep() == 1
    states = {name: await store.message("shop", name) for name in ("m-1", "m-2")}
    assert states["m-1"] and states["m-1"]["state"] == "sent"
    assert states["m-2"] and states["m-2"]["state"] == "unanswered"
    assert [(row["state"], row["messages"]) for row in await store.sending_counts()] == [("unanswered", 1)]
    assert await store.release("shop", "m-2", False, "key:test") is None
    assert await store.release("shop", "m-2", True, "key:test") == "unanswered"
    assert [row["message_id"] for row in await store.claim(9, 60, {})] == ["m-2"]


async def test_a_claim_tells_what_the_recipient_said(store: EventStore) -> None:
    """Who opted out of the channel, or of all, and the zone of the profile; of this client's recipient alone."""
    gone = Event("RecipientUnsubscribed", "twilio", "stop", channel="sms", handle=Handle("phone", TO))
    await store.append([(gone, "shop", datetime.now(UTC), None)])
    await store.set_profile("shop", Handle("phone", TO), zone="Europe/Lisbon")
    await accept(store, asked(1))
    await accept(store, asked(1, "another"))
    rows = {row["client_id"]: (row["opted_out"], row["zone"]) for row in await store.claim(9, 60, {})}
    assert rows == {"shop": (["sms"], "Europe/Lisbon"), "another": (None, None)}


@pytest.mark.parametrize("named", ["m-1", "m-404"])
async def test_a_reported_failure_hastens_a_watched_message(store: EventStore, named: str) -> None:
    """Fall-back does not wait for its time where the provider says that it failed."""
    await accept(store, asked(1))
    (row,) = await store.claim(9, 60, {})
    await store.settle([settled(row, "watched", due_in=3600, provider_message_id="SM1")], [])
    await store.recheck_watched([Reference("shop", "twilio", named)])
    assert [each["was"] for each in await store.claim(9, 60, {})] == (["watched"] if named == "m-1" else [])


async def test_reported_failures_and_outcomes_at_once_do_not_deadlock(store: EventStore) -> None:
    """Workers mark the same messages in different orders, while another settles them."""
    for n in range(60):
        await accept(store, asked(n))
    rows = await store.claim(60, 60, {})
    await store.settle(
        [settled(row, "watched", due_in=3600, provider_message_id=f"SM{row['message_id']}") for row in rows], []
    )
    references = [Reference("shop", "twilio", row["message_id"]) for row in rows]
    orders = [random.Random(seed).sample(references, len(references)) for seed in range(6)]
    for _ in range(5):
        again = [settled(row, "watched", due_in=3600) for row in rows]
        await asyncio.gather(store.settle(again, []), *(store.recheck_watched(order) for order in orders))
    await store.recheck_watched(references)
    assert len(await store.claim(60, 60, {})) == len(rows) == 60


async def test_a_key_names_one_message(store: EventStore) -> None:
    """The same key is the same message for one client, another for another, also for two that come at once or together; its id
    is not made of the key, which may be an address."""
    document = {"to": TO, "body": "x", "idempotencyKey": "ana.lopez@example.com"}

    def request(client: str) -> NewMessage:
        read = read_request(document, client_id=client)
        return new(read, lane=(client, "twilio", None, 10, 10))._replace(key=read.key)

    first, *again = [request("a") for _ in range(5)]
    assert len({each.message_id for each in (first, *again)}) == 5
    found = [
        one for each in await asyncio.gather(store.accept([first, again[0]]), store.accept(again[1:])) for one in each
    ]
    assert sum(each.fresh for each in found) == 1 and all(each.same for each in found)
    row = await store.message("a", "ana.lopez@example.com")
    assert row is not None
    ids = [each.message_id for each in (first, *again)]
    assert {each.message_id or id for each, id in zip(found, ids, strict=True)} == {row["message_id"]}
    assert [each.fresh for each in await store.accept([request("b")])] == [True]
    assert await store.message("b", "another@example.com") is None


async def test_a_watched_message_stays_so_however_often_its_worker_dies(store: EventStore) -> None:
    """It was sent: taken for one that was not, it would be sent again by the same channel."""
    await accept(store, asked(1))
    (row,) = await store.claim(9, 60, {})
    await store.settle([settled(row, "watched", due_in=0)], [])
    for _ in range(3):
        (row,) = await store.claim(9, 0, {})
        assert row["was"] == "watched"
    await store.settle([settled(row, "queued", due_in=0, outcome=None)], [])
    kept = await store.message("shop", "m-1")
    assert kept is not None and kept["state"] == "queued"
