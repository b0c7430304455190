"""Every provider, played with its faults, through the real door, Kafka and worker: what is reported is there once."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import httpx
import psycopg
import pytest
import pytest_asyncio

from adapters import interpret
from adapters.contract import Request
from adapters.simulating import Post
from app.implied import with_implied
from app.simulator import SIMULATED, webhooks_of
from app.simulator.faults import Faults
from app.simulator.posting import Tally
from app.simulator.server import Plan, Server
from schemas.events import Event
from tests.fixtures import accounts
from tests.support.links import id_keys, known_handles, logged_id
from tests.support.stack import Stack
from tests.support.waiting import until

TELLING = [name for name, simulator in SIMULATED.items() if simulator.webhooks is not None]
#: Messages of each provider, each reported by several webhooks.
MESSAGES = 12

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stack(servers_folder: Path) -> AsyncIterator[Stack]:
    """A system with a source for every provider that can be played."""
    sources = {name: accounts(name).settings for name in TELLING}
    # One process plays all providers. Where others use the machine too, seconds pass in it between connecting and sending.
    patient = {"header_timeout": 120}
    async with Stack(servers_folder / "providers", sources=sources, door=patient) as running:
        await asyncio.gather(running.start("serve"), running.start("work"))
        yield running


async def test_what_every_provider_tells_is_in_the_log_once(stack: Stack) -> None:
    """Some webhooks twice, some late: all are taken, none is a dead letter or unknown, and each provider's facts are in
    the log exactly once, under the ids that the adapter gives them, and so is what follows from them for consent."""
    stated: list[Event] = []
    played = await asyncio.gather(*(play(name, stack, stated) for name in TELLING))
    for name, tally in zip(TELLING, played, strict=True):
        counts = tally.counts
        assert counts["acknowledged"] == counts["webhooks"] + counts["doubled"] > 0, name
        # What this process gave up waiting for, on a busy machine, it posted again, as a provider does.
        assert not counts["given up"] and {status[0] for status in tally.statuses} <= {"2", "n"}, (name, tally)
    assert sum(tally.counts["doubled"] for tally in played) > 50
    async with await psycopg.AsyncConnection.connect(stack.postgres.dsn("owner")) as connection:
        for _ in range(300):
            found, known = await logged(connection), await known_handles(connection)
            ids = (await id_keys(connection))["default"]
            expected: dict[str, set[str]] = {}
            for event in stated:
                expected.setdefault(event.source, set()).add(logged_id(event, known, ids))
            if found == expected:
                break
            await asyncio.sleep(0.2)
        letters = await (await connection.execute("SELECT source, reason FROM threadline.dead_letters")).fetchall()
    assert letters == []
    assert {name: ids ^ found.get(name, set()) for name, ids in expected.items() if ids != found.get(name)} == {}
    async with httpx.AsyncClient() as http:
        ready = (await http.get(f"http://127.0.0.1:{stack.worker}/readyz")).json()
        page = (await http.get(f"{stack.url}/metrics")).text
    assert ready["unknown"] == {}
    assert "threadline_connections_ended_total{" not in page


async def play(name: str, stack: Stack, stated: list[Event]) -> Tally:
    """Play one provider; `expected` gets the ids of the facts that it reports."""
    url = f"{stack.url}/webhooks/aggregate/{name}"
    plan = Plan(url, url, Faults(duplicates=0.2, shuffle=1.0), failing=0.2, inbound=0.3, seed=7)
    account = accounts(name)
    server = Server(SIMULATED[name], account.settings | {"private_key": account.private_key}, plan)
    put = server.posting.put

    def note(at: float, post: Post, attempt: int = 1) -> None:
        signed = webhooks_of(name).sign(
            post, account.settings | {"private_key": account.private_key}, datetime.now(UTC)
        )
        headers = {key.lower(): value for key, value in signed.headers.items()}
        request = Request(signed.method, signed.url, headers, signed.body, datetime.now(UTC), name)
        found = interpret(request, name)
        assert not found.unprocessable
        stated.extend(with_implied(found.events))
        put(at, post, attempt)

    server.posting.put = note  # type: ignore[method-assign]
    posting = asyncio.create_task(server.posting.run())
    for _ in range(MESSAGES):
        server.invent()
    await until(lambda: not server.posting.waiting, within=90)
    posting.cancel()
    await asyncio.gather(posting, return_exceptions=True)
    return server.tally


async def logged(connection: psycopg.AsyncConnection) -> dict[str, set[str]]:
    """The ids of the log's events, by source."""
    found: dict[str, set[str]] = {}
    for source, id in await (
        # One that had been received before what the log has of it stands beside that, under its identity.
        await connection.execute("SELECT source, source_event_id FROM threadline.events WHERE identity IS NULL")
    ).fetchall():
        assert id not in found.setdefault(source, set())
        found[source].add(id)
    return found
