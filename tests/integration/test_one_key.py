"""One key is one message, whether it comes as the header Idempotency-Key or in the request on Kafka; and by it is found."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
import pytest_asyncio

from agents.health import WorkerHealth
from agents.outbound import Intake, prepare
from app.clients.configured import Clients
from app.http.tokens import mint
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.command_line import command, on_store
from tests.integration.serving import Served, refused, serving
from tests.integration.test_messages_api import SMS, URL, count, settings
from tests.support.keys import SEAL

OFFSETS = itertools.count()


@pytest_asyncio.fixture
async def served(postgres_dsn: Dsns) -> AsyncIterator[Served]:
    """The API on a fresh database."""
    async with serving(postgres_dsn.service, settings(), ("messages:read", "messages:write")) as api:
        yield api


async def by_http(served: Served, key: str, body: Any = SMS) -> Any:
    """The answer to a request under the header."""
    return await served.http.post(URL, json=body, headers={"idempotency-key": key})


async def by_kafka(dsn: str, key: str, **more: Any) -> list[Any]:
    """The dead letters of a request from Kafka."""
    value = orjson.dumps({"clientId": "default", "idempotencyKey": key} | SMS | more)
    record = SimpleNamespace(
        topic="messages.requested", partition=0, offset=next(OFFSETS), key=None, headers=(), value=value,
        timestamp=datetime.now(UTC).timestamp() * 1000,
    )  # fmt: skip

    async def publish(letter: Any) -> None:
        raise AssertionError("letters are published once they are stored")

    outcome = prepare(record, 1 << 20)
    async with await EventStore.open(dsn, SEAL, pool=2) as store:
        intake = Intake(store, publish, WorkerHealth(), 100, clients=Clients(store, settings()))
        await intake._store([outcome])
    return [outcome.letter] if outcome.letter else []


@pytest.mark.parametrize("named", [{}, {"messageId": "own"}])
async def test_one_key_is_one_message_in_either_order(
    served: Served, postgres_dsn: Dsns, named: dict[str, str]
) -> None:
    """Also where one of the two names the message itself; another body under the key is refused by both."""
    first = await by_http(served, "a", SMS | named)
    assert await by_kafka(postgres_dsn.service, "a") == []
    await by_kafka(postgres_dsn.service, "b", **named | ({"messageId": "other"} if named else {}))
    second = await by_http(served, "b")
    assert second.status_code == 202 and second.json()["duplicate"]
    assert second.json()["messageId"] == ("other" if named else second.json()["messageId"])
    assert await count(postgres_dsn) == 2
    assert (await served.http.get(f"{URL}/a")).json()["messageId"] == first.json()["messageId"]
    await by_kafka(postgres_dsn.service, "a", body="another")
    await by_kafka(postgres_dsn.service, "c")
    refused(await by_http(served, "c", SMS | {"body": "another"}), 422)
    refused(await by_http(served, "c", [SMS, SMS]), 422)
    assert (await by_http(served, "d", [SMS, SMS])).status_code == 202
    await by_kafka(postgres_dsn.service, "d", body="another")
    assert await count(postgres_dsn) == 5
    assert await count(postgres_dsn, "dead_letters") == 2


async def test_one_key_is_one_message_at_the_same_time(served: Served, postgres_dsn: Dsns) -> None:
    """However many come by both ways at once."""
    for number in range(5):
        key = f"k{number}"
        both = [
            by_http(served, key),
            by_kafka(postgres_dsn.service, key),
            by_http(served, key, SMS | {"messageId": key}),
        ]
        await asyncio.gather(*both, by_kafka(postgres_dsn.service, key, messageId=f"{key}-other"))
        assert await count(postgres_dsn) == number + 1


async def test_a_message_is_explained_and_cancelled_by_its_key(served: Served) -> None:
    """README's `messages explain order-1001`, after the request beside it."""
    id = (await by_http(served, "order-1001")).json()["messageId"]
    reported = (await served.http.get(f"{URL}/order-1001/explain")).json()
    assert (reported["messageId"], reported["state"]) == (id, "queued") and reported["reasons"]
    assert (await served.http.post(f"{URL}/order-1001/cancel")).json()["state"] == "cancelled"
    refused(await served.http.get(f"{URL}/order-1002"), 404)


async def test_the_messages_in_a_state_are_listed_page_by_page(served: Served) -> None:
    """Each once, those that changed last first; the error of another state lists those that there are."""
    ids = [(await served.http.post(URL, json=SMS)).json()["messageId"] for _ in range(5)]
    for id in ids:
        await served.http.post(f"{URL}/{id}/cancel")
    found, cursor = [], ""
    while True:
        page = (await served.http.get(f"{URL}?state=cancelled&limit=2{cursor}")).json()
        found += [one["messageId"] for one in page["messages"]]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert found == ids[::-1]
    assert (await served.http.get(f"{URL}?state=unanswered")).json() == {"messages": [], "next": None}
    assert "unanswered" in refused(await served.http.get(f"{URL}?state=sending"), 400)["detail"]
    refused(await served.http.get(URL), 400)
    refused(await served.http.get(f"{URL}?state=failed{cursor}"), 400)


async def test_the_queued_messages_are_listed_page_by_page(served: Served) -> None:
    """Each once, whatever its priority: those that are due longest first, with the time since when."""
    ids = []
    for priority in ("low", "high", "normal", "low", "high"):
        ids.append((await served.http.post(URL, json=SMS | {"priority": priority})).json()["messageId"])
    found, cursor = [], ""
    while True:
        page = (await served.http.get(f"{URL}?state=queued&limit=2{cursor}")).json()
        found += page["messages"]
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    ours = [one for one in found if one["messageId"] in ids]
    assert [one["messageId"] for one in ours] == ids
    assert {one["state"] for one in ours} == {"queued"} and all(one["dueAt"] for one in ours)
    refused(await served.http.get(f"{URL}?state=failed{cursor}"), 400)


async def test_what_cannot_be_sent_in_time_is_refused(served: Served) -> None:
    """With the path, and a sentence; what was taken before it was over is that message all the same."""
    problem = refused(await served.http.post(URL, json=SMS | {"sendBefore": "2020-01-01T00:00:00Z"}), 422)
    assert problem["path"] == "$.sendBefore" and "past" in problem["detail"]


async def test_commands_agree_on_the_client(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """The key's, whichever command; another one beside it is refused, and so is what is no address of the channel."""
    id, token, hash = mint()
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        await store.create_api_key(id, "shop", "shop", ["messages:write"], hash)
    where = on_store(postgres_dsn.service, tmp_path) | {"THREADLINE_API_KEY": token}
    out = await command("recipients", "opt-out", "+15551234567", "--channel", "sms", environment=where)
    assert out.code == 0 and "of client shop" in out.out
    shown, other, wrong, none = await asyncio.gather(
        command("timeline", "+15551234567", environment=where),
        command("recipients", "show", "+15551234567", "--client", "default", environment=where),
        command("recipients", "opt-out", "555-123-9996", "--channel", "sms", environment=where),
        command("recipients", "opt-out", "555-123-9996", environment=where),
    )
    assert shown.code == 0 and "+15551234567" in shown.out
    assert other.code == 1 and "key of client shop" in other.err
    assert (wrong.code, none.code) == (2, 2) and "+15551234567" in wrong.err and "user_id:" in none.err
