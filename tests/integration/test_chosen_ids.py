"""What services choose for their requests: no address stands in clear by it, and an erasure leaves nothing of it."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest
import pytest_asyncio

from app.erasing.steps import Eraser
from schemas.events import Handle
from sql import DeadLetter, EventStore, KeptAnswer, Recalled
from tests.conftest import Dsns
from tests.integration.erasures import asked_for, customer, places, read, said
from tests.integration.erasures import erased as erased_in_shop
from tests.integration.erasures import settings as erasing
from tests.integration.serving import Served, refused, serving
from tests.integration.test_erasure_shared import NUMBER as SHARED
from tests.integration.test_erasure_shared import SINCE, two
from tests.integration.test_messages_api import URL, keyed, settings
from tests.support.keys import SEAL

ANA, BO = "ana.lopez@example.com", "bo.berg@example.org"
NUMBER = "+15558675309"
MAIL: dict[str, Any] = {"channel": "email", "content": {"subject": "Hi", "text": "Your code is Krautkopf"}}
SCOPES = ("messages:read", "messages:write", "personal:read")


@pytest_asyncio.fixture
async def served(postgres_dsn: Dsns) -> AsyncIterator[Served]:
    """The API on a fresh database."""
    async with serving(postgres_dsn.service, settings(), SCOPES) as api:
        yield api


async def erased(served: Served, folder: Path, address: str) -> dict[str, Any]:
    """Erase a customer by an e-mail address; return the erasure."""
    whose = (await served.store.customer_of("default", "email", address))[0]["customer_id"]
    id = await served.store.request_erasure("default", whose, "asked for it")
    assert id is not None
    return await Eraser(served.store, erasing(folder)).run(id)


def plain_marks(*bodies: Any) -> list[str]:
    """The digests of requests, as anybody can make them who guesses the request."""
    texts = [orjson.dumps(body, option=orjson.OPT_SORT_KEYS) for body in bodies]
    made = [sha256(text) for text in texts]
    made += [sha256(b"\n".join((b"POST", URL.encode(), text))) for text in texts]
    return [one.hexdigest() for one in made]


async def test_a_key_may_be_an_address(served: Served, postgres_dsn: Dsns) -> None:
    """It is found by it, and stands nowhere: not the key, nor a digest of it or of the request that could be tried."""
    one = MAIL | {"to": ANA}
    taken = (await served.http.post(URL, json=one, headers=keyed(f'"{ANA}"'))).json()
    member = await served.http.post(URL, json=MAIL | {"to": BO, "idempotencyKey": BO, "reference": f"for {NUMBER}"})
    again = await served.http.post(URL, json=MAIL | {"to": BO, "idempotencyKey": BO, "reference": f"for {NUMBER}"})
    assert again.json()["messageId"] == member.json()["messageId"] and again.json()["duplicate"]
    other = await served.http.post(URL, json=MAIL | {"to": BO, "idempotencyKey": BO, "reference": "another"})
    assert refused(other, 409)
    shown = (await served.http.get(f"{URL}/{member.json()['messageId']}")).json()
    assert shown["reference"] == f"for {NUMBER}"
    assert (await served.http.get(f"{URL}/{BO}")).json()["messageId"] == shown["messageId"]
    assert await places(postgres_dsn, ANA, BO, NUMBER, "Krautkopf", *plain_marks(one)) == {}
    assert {"messages", "events", "interactions"} <= {*await places(postgres_dsn, taken["messageId"])}


async def test_the_answer_to_several_goes_with_one_of_them(served: Served, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """After the erasure nothing leads to the person; the other one's message stays, and a repeat of the request is told what was
    done and sends nothing. The answers of others stay."""
    body = [MAIL | {"to": ANA, "messageId": "for-a"}, MAIL | {"to": BO, "messageId": "for-b"}]
    first = await served.http.post(URL, json=body, headers=keyed("several"))
    alone = await served.http.post(URL, json=[MAIL | {"to": BO}], headers=keyed("alone"))
    assert (first.status_code, alone.status_code) == (202, 202)
    repeated = await served.http.post(URL, json=body, headers=keyed("several"))
    assert repeated.content == first.content and repeated.headers["idempotency-replayed"] == "true"
    assert await places(postgres_dsn, ANA, BO, *plain_marks(body, *body)) == {}
    kept = await read(postgres_dsn.owner, "SELECT handles FROM idempotency_keys ORDER BY cardinality(handles)")
    assert [len(each) for each in kept] == [1, 2]

    done = await erased(served, tmp_path, ANA)
    assert done["receipt"]["rows"]["idempotencyKeys"] == {"before": 1, "after": 0}
    rows = "SELECT count(*) FROM idempotency_keys WHERE fingerprint IS NULL AND answer IS NULL AND handles = '{}'"
    assert await read(postgres_dsn.owner, rows) == [1]
    assert await places(postgres_dsn, "for-a", ANA) == {}
    gone = await served.http.post(URL, json=body, headers=keyed("several"))
    problem = refused(gone, 410)
    assert problem["parameter"] == "Idempotency-Key" and "Nothing was sent now" in problem["detail"]
    assert await read(postgres_dsn.owner, "SELECT count(*) FROM messages") == [2]
    assert (await served.http.get(f"{URL}/for-b")).status_code == 200
    assert (await served.http.post(URL, json=[MAIL | {"to": BO}], headers=keyed("alone"))).content == alone.content


@pytest.mark.parametrize("name", ["first", "second"])
async def test_the_answer_of_an_address_that_stays_goes_by_its_time(
    postgres_dsn: Dsns, tmp_path: Path, name: str
) -> None:
    """Of an address that was one customer's and is another's now, the answers of the erased one's time are emptied, and no others."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=4) as store:
        both = await two(store, postgres_dsn)
        for key, at in (("first", SINCE - timedelta(hours=1)), ("second", SINCE + timedelta(hours=1))):
            answer = KeptAnswer("shop", key, key.encode(), 202, b"[]", several=True, places=range(1))
            await store.accept([asked_for(key, SHARED)], lambda _, answer=answer: [answer])  # type: ignore[misc]
            latest = "key = (SELECT key FROM idempotency_keys WHERE created_at > now() - interval '1 hour')"
            await read(
                postgres_dsn.owner, f"UPDATE idempotency_keys SET created_at = '{at}' WHERE {latest} RETURNING 1"
            )
        await erased_in_shop(store, tmp_path, both.whom(name)[0])
        other = "second" if name == "first" else "first"
        assert await store.recall("shop", name, name.encode()) == Recalled(False, 202, None)
        assert await store.recall("shop", other, other.encode()) == Recalled(True, 202, b"[]")


async def test_dead_letters_are_found_in_every_spelling(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """In the sealed records, by the erasure; those of others and of other clients stay."""
    bodies = [
        b'{"from": "+1 (555) 867-5309"}',
        b"From=%2B1+555+867+5309",
        base64.b64encode(b'{"msisdn": "555-867-5309"}'),
        b'{"from": "+1 (555) 867-5308"}',
        b"not json: call 1.555.867.5309",
    ]
    dead = [
        DeadLetter("webhooks.received", 0, at, "cannot be read", client="shop", value=body, size=len(body))
        for at, body in enumerate(bodies)
    ]
    dead.append(replace(dead[0], offset=9, client="other"))
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        await store.append([said(1, Handle("phone", NUMBER))], dead=dead)
        done = await erased_in_shop(store, tmp_path, await customer(store, Handle("phone", NUMBER)))
    assert await read(postgres_dsn.owner, 'SELECT "offset" FROM dead_letters ORDER BY 1') == [3, 9]
    assert done["receipt"]["rows"]["deadLetters"] == {"before": 4, "after": 0}


@pytest.mark.parametrize("many", [False, True])
async def test_an_equal_request_is_known_after_a_restart(postgres_dsn: Dsns, many: bool) -> None:
    """The digests rest on the client's root key, not on the process."""
    body = [MAIL | {"to": ANA}] if many else MAIL | {"to": ANA}
    answers = []
    for _ in range(2):
        async with serving(postgres_dsn.service, settings(), SCOPES) as api:
            answers.append(await api.http.post(URL, json=body, headers=keyed("k")))
    assert answers[0].content == answers[1].content and answers[1].headers["idempotency-replayed"] == "true"


@pytest.mark.parametrize("id", [ANA, "otp:+15558675309", "15558675309", "x-5558675309", "MTU1NTg2NzUzMDk"])
async def test_an_address_in_an_id_is_refused(served: Served, postgres_dsn: Dsns, id: str) -> None:
    """422 with the place and what to do; the id is not repeated, and nothing is written."""
    one = {"channel": "sms", "to": NUMBER, "body": "x", "messageId": id}
    problem = refused(await served.http.post(URL, json=one), 422)
    assert problem["path"] == "$.messageId" and "idempotency key" in problem["detail"] and id not in problem["detail"]
    several = (await served.http.post(URL, json=[one, one | {"messageId": "order-1"}])).json()["messages"]
    assert several[0]["error"]["path"] == "$[0].messageId" and several[1]["state"] == "accepted"
    assert await places(postgres_dsn, id) == {}


async def test_an_events_own_id_is_made_of_a_digest(postgres_dsn: Dsns) -> None:
    """Who knows client, source and the source's id cannot compute it; a redelivery is known by it all the same."""
    row = said(1, Handle("phone", NUMBER))
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        assert [(await store.append([row])).appended for _ in range(2)] == [1, 0]
    plain = f"SELECT count(*) FROM event_ids WHERE id = event_id('shop', 'twilio', '{row[0].source_event_id}')"
    assert await read(postgres_dsn.owner, plain) == [0]
    keyed_one = "SELECT count(*) FROM event_ids i JOIN events e USING (id) WHERE id = event_id('shop', 'twilio', e.source_event_id)"
    assert await read(postgres_dsn.owner, keyed_one) == [1]
