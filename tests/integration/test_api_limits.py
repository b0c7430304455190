"""What every answer of the HTTP process carries, how often a key may ask, and who may read metrics and description."""

import asyncio
import base64
import random
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest
from pydantic import SecretStr

from app.embedded import ports
from app.http.app import Http
from app.http.tokens import mint
from app.settings import Api, Door, Kafka, Postgres, Settings
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.serving import NOON, event
from tests.support.keys import SEAL


@asynccontextmanager
async def process(
    data: Path, dsn: str, host: str = "127.0.0.1", **api: Any
) -> AsyncIterator[tuple[Http, httpx.AsyncClient]]:
    """The HTTP process without Kafka, listening nowhere, but configured to listen at `host`."""
    settings = Settings(
        data=data, postgres=Postgres(dsn=SecretStr(dsn)), kafka=Kafka(bootstrap="127.0.0.1:1"), api=Api(**api),
        door=Door(host=host),
    )  # fmt: skip
    http = Http(settings)
    async with http._pages.router.lifespan_context(http._pages):
        transport = httpx.ASGITransport(http, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield http, client


async def key(http: Http, *scopes: str, expires: datetime | None = None) -> dict[str, str]:
    """The header of a new key."""
    assert http.api is not None
    id, token, hash = mint()
    await http.api.store.create_api_key(id, "test", "default", scopes, hash, expires)
    return {"authorization": f"Bearer {token}"}


async def test_a_key_that_asks_too_often_waits_and_others_do_not(tmp_path: Path, postgres_dsn: Dsns) -> None:
    """The fields count down, the refusal is 429 with Retry-After, and another key is not touched by it."""
    async with process(tmp_path, postgres_dsn.service, rate=0.01, burst=3) as (http, client):
        one, other = await key(http, "messages:read"), await key(http, "messages:read")
        answers = [await client.get("/v1/messages/none", headers=one) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [404, 404, 404, 429]
        assert [answer.headers["ratelimit"].split(";")[1] for answer in answers] == ["r=2", "r=1", "r=0", "r=0"]
        assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"key";q=3;w=300'}
        refused = answers[-1]
        assert refused.headers["content-type"] == "application/problem+json"
        assert 95 <= int(refused.headers["retry-after"]) <= 100
        assert (await client.get("/v1/messages/none", headers=other)).status_code == 404


async def test_every_answer_says_that_nothing_may_keep_or_guess_it(tmp_path: Path, postgres_dsn: Dsns) -> None:
    """Good answers, refusals, unknown paths and pages: `nosniff` each; `no-store` each but for the page's own files."""
    async with process(tmp_path, postgres_dsn.service) as (http, client):
        assert http.api is not None
        await http.api.store.append([(event("MessageReceived", "SM1"), "default", NOON, None)])
        header = await key(http, "timeline:read")
        paths = ["/api/customers?handle=%2B15551234567", "/api/customers", "/api/interactions/x", "/v1/messages/x"]
        paths += ["/nowhere", "/healthz", "/readyz", "/metrics", "/openapi.json", "/docs", "/v1/messages"]
        for path in paths:
            for headers in ({}, header):
                answer = await client.get(path, headers=headers)
                assert answer.headers["x-content-type-options"] == "nosniff", path
                kept = "no-cache" if path == "/docs" else "no-store"
                assert answer.headers["cache-control"] == kept, path


@pytest.mark.parametrize("micros", [1 << 62, -(1 << 62), 1 << 40])
async def test_a_forged_cursor_is_refused_and_breaks_nothing(tmp_path: Path, postgres_dsn: Dsns, micros: int) -> None:
    """Whoever reads the source can make a cursor with any time in it: it gives a page, or 400, never 500."""
    async with process(tmp_path, postgres_dsn.service) as (http, client):
        assert http.api is not None
        await http.api.store.append([(event("MessageReceived", f"SM{n}", n), "default", NOON, None) for n in range(3)])
        header = await key(http, "timeline:read")
        found = await client.get("/api/customers", params={"handle": "+15551234567"}, headers=header)
        customer = found.json()["customerId"]
        path = f"/api/customers/{customer}/interactions"
        question = "\x1f".join(("default", customer, "", "", "", "", ""))
        key_bytes = struct.pack(">q16s", micros, uuid4().bytes)
        forged = base64.urlsafe_b64encode(key_bytes + sha256(key_bytes + question.encode()).digest()[:9]).decode()
        answer = await client.get(path, params={"limit": 1, "cursor": forged}, headers=header)
        assert answer.status_code == (200 if micros == 1 << 40 else 400), answer.text


async def test_metrics_and_description_need_a_key_where_the_world_can_come(tmp_path: Path, postgres_dsn: Dsns) -> None:
    """Listening beyond loopback, both need a key by default, the metrics one with their scope; health stays open."""
    async with process(tmp_path, postgres_dsn.service, host="0.0.0.0") as (http, client):
        other, reader = await key(http, "timeline:read"), await key(http, "metrics:read")
        for path in ("/metrics", "/openapi.json", "/asyncapi.json", "/docs"):
            assert (await client.get(path)).status_code == 401, path
        assert (await client.get("/metrics", headers=other)).status_code == 403
        assert "threadline_uptime_seconds" in (await client.get("/metrics", headers=reader)).text
        assert (await client.get("/openapi.json", headers=other)).json()["openapi"].startswith("3.1")
        assert (await client.get("/healthz")).status_code == (await client.get("/readyz")).status_code == 200


@pytest.mark.parametrize(("host", "how", "status"), [("0.0.0.0", "open", 200), ("127.0.0.1", "key", 401)])
async def test_the_operator_decides(tmp_path: Path, postgres_dsn: Dsns, host: str, how: str, status: int) -> None:
    """What the settings say counts, wherever the process listens."""
    async with process(tmp_path, postgres_dsn.service, host=host, metrics=how, description=how) as (_, client):
        assert {(await client.get(path)).status_code for path in ("/metrics", "/openapi.json")} == {status}


async def test_metrics_can_have_a_port_of_their_own(tmp_path: Path, postgres_dsn: Dsns) -> None:
    """There they are open, with health beside them and nothing else; on the main port they need a key."""
    port = ports.free()
    async with process(tmp_path, postgres_dsn.service, metrics="key", metrics_port=port) as (_, client):
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as own:
            assert "threadline_uptime_seconds" in (await own.get("/metrics")).text
            assert (await own.get("/healthz")).json()["status"] == "ok"
            assert (await own.get("/api/customers")).status_code == 404
        assert (await client.get("/metrics")).status_code == 401
    assert not ports.answers(port)


async def test_a_keys_last_use_is_noted(tmp_path: Path, postgres_dsn: Dsns) -> None:
    """What a minute used goes to the store, the latest time of several processes standing."""
    async with process(tmp_path, postgres_dsn.service) as (http, client):
        assert http.api is not None
        header = await key(http, "timeline:read", expires=datetime.now(UTC) + timedelta(hours=1))
        await client.get("/api/customers?handle=x", headers=header)
        used = http.api.access.take_used()
        (id,) = used
        await http.api.store.used_api_keys(used)
        await http.api.store.used_api_keys({id: NOON})
        (row,) = await http.api.store.api_keys()
        assert row["last_used_at"] == used[id]


async def test_processes_note_the_same_keys_at_once(postgres_dsn: Dsns) -> None:
    """Each process has them in an order of its own; none waits for the other's in a circle."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=8) as store:
        ids = [uuid4() for _ in range(200)]
        for id in ids:
            await store.create_api_key(id, "test", "default", [], id.bytes)
        orders = [random.Random(seed).sample(ids, len(ids)) for seed in range(8)]
        for minute in range(5):
            at = NOON + timedelta(minutes=minute)
            await asyncio.gather(*(store.used_api_keys(dict.fromkeys(order, at)) for order in orders))
        assert {row["last_used_at"] for row in await store.api_keys()} == {at}
