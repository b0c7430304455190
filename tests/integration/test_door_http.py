"""The HTTP process over real sockets: limits, callers who misbehave, an orderly end, a kill, and its own health."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
import pytest_asyncio

from app.embedded import ports
from app.embedded.process import Child
from app.http.listening.descriptors import claim
from app.http.tokens import mint
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.test_door_keep import values
from tests.support.keys import SEAL, VARIABLE
from tests.support.traffic import TWILIO_TOKEN, twilio

ROOT = Path(__file__).resolve().parents[2]
PATH = "/webhooks/aggregate"
NOWHERE = "postgresql://threadline@127.0.0.1:1/threadline?connect_timeout=1"
BODY = b"MessageSid=SM1&MessageStatus=sent"


class Serving:
    """`threadline serve` as a process of its own, with limits small enough to reach."""

    def __init__(self, folder: Path, bootstrap: str, dsn: str = NOWHERE, **door: Any) -> None:
        self.port = ports.free()
        self.folder = folder
        self.url = f"http://127.0.0.1:{self.port}"
        sources = {
            "twilio": {"auth_token": TWILIO_TOKEN, "url": f"{self.url}{PATH}"},
            "open": {"adapter": "twilio", "accept_unsigned": True},
        }
        limits = {"port": self.port, "max_body": 100_000, "body_timeout": 1.0, "keep_timeout": 0.5, **door}
        self.environment = {
            "THREADLINE_DATA": str(folder),
            "THREADLINE_KAFKA__BOOTSTRAP": bootstrap,
            "THREADLINE_POSTGRES__DSN": dsn,
            "THREADLINE_DOOR": json.dumps(limits),
            "THREADLINE_SOURCES": json.dumps(sources),
            # So that what is kept can be looked for; tests/e2e/test_sealed_records.py has it sealed.
            "THREADLINE_SEALING__RECORDS": "false",
            "PYTHONPATH": str(ROOT),
            **VARIABLE,
        }
        self.program = [sys.executable, "-m", "app.cli", "serve"]
        self.child = self._child()

    def _child(self) -> Child:
        return Child("serve", self.program, self.folder / "serve.log", environment=self.environment)

    async def start(self) -> None:
        """Start it (again), and wait until it answers."""
        self.child = self._child()
        self.child.start()
        async with httpx.AsyncClient() as client:
            for _ in range(600):
                try:
                    await client.get(f"{self.url}/healthz")
                    return
                except httpx.TransportError:
                    assert self.child.alive, self.log()
                    await asyncio.sleep(0.05)
        raise AssertionError(self.log())

    async def kill(self) -> None:
        """End it as a crash does."""
        os.kill(self.child.pid, signal.SIGKILL)
        await self.child.wait()

    def log(self) -> str:
        """What it has logged."""
        return (self.folder / "serve.log").read_text()

    def logged(self, event: str) -> list[dict[str, Any]]:
        """The log lines of one kind."""
        lines = (json.loads(line) for line in self.log().splitlines() if line.startswith("{"))
        return [line for line in lines if line["event"] == event]

    async def post(self, body: bytes, path: str = f"{PATH}/open", headers: Mapping[str, str] | None = None) -> int:
        """Post on a connection of its own; the status."""
        async with httpx.AsyncClient() as client:
            return (await client.post(f"{self.url}{path}", content=body, headers=headers, timeout=30)).status_code

    async def ready(self) -> dict[str, Any]:
        """What `/readyz` says, with its status."""
        async with httpx.AsyncClient() as client:
            answer = await client.get(f"{self.url}/readyz")
            return {"code": answer.status_code, **answer.json()}

    async def metrics(self) -> dict[str, float]:
        """What `/metrics` says, by name and labels."""
        async with httpx.AsyncClient() as client:
            lines = (await client.get(f"{self.url}/metrics")).text.splitlines()
        return {name: float(value) for name, value in (line.rsplit(" ", 1) for line in lines if line[0] != "#")}

    async def until(self, metric: str, value: float, within: float = 20.0) -> None:
        """Wait for a metric to become this."""
        for _ in range(int(within / 0.05)):
            if (await self.metrics())[metric] == value:
                return
            await asyncio.sleep(0.05)
        raise AssertionError(f"{metric} is {(await self.metrics())[metric]}, not {value}")


@pytest_asyncio.fixture
async def served(tmp_path: Path, topics: str) -> AsyncIterator[Serving]:
    """A running HTTP process with Kafka, and without PostgreSQL."""
    process = Serving(tmp_path, topics)
    await process.start()
    yield process
    await process.child.stop()


@pytest_asyncio.fixture
async def adrift(tmp_path: Path) -> AsyncIterator[Serving]:
    """A running HTTP process without Kafka and without PostgreSQL."""
    process = Serving(tmp_path, f"127.0.0.1:{ports.free()}")
    await process.start()
    yield process
    await process.child.stop()


async def talk(port: int, *parts: bytes, pause: float = 0.0, end: bool = False) -> bytes:
    """Send these bytes, a pause between them, over one connection; returns what comes back until it is closed."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
            await asyncio.sleep(pause)
        if end:
            return b""
        async with asyncio.timeout(20):
            return await reader.read()
    except ConnectionError:
        return b""
    finally:
        writer.close()


def head(length: int | None, *more: str, path: str = f"{PATH}/open") -> bytes:
    """A request's head."""
    lines = [f"POST {path} HTTP/1.1", "host: hooks.example.com", *more]
    lines += [f"content-length: {length}"] if length is not None else ["transfer-encoding: chunked"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


async def test_limits(served: Serving) -> None:
    """Too large (by Content-Length, or found out while reading), too slow, encoded, not HTTP: each has its answer, and
    the process lives on, with nothing left in flight."""
    port = served.port
    chunk = b"%x\r\n%b\r\n" % (60_000, b"x" * 60_000)
    reported, found, slow, encoded, garbage = await asyncio.gather(
        talk(port, head(100_001), b"x" * 100_001),
        talk(port, head(None), chunk, chunk, b"0\r\n\r\n"),
        talk(port, head(10), b"abc"),
        talk(port, head(3, "content-encoding: gzip", "connection: close"), b"abc"),
        talk(port, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    )
    statuses = [answer[:12] for answer in (reported, found, slow, encoded, garbage)]
    assert statuses == [b"HTTP/1.1 413", b"HTTP/1.1 413", b"HTTP/1.1 408", b"HTTP/1.1 415", b"HTTP/1.1 400"]
    assert all(b"connection: close" in answer for answer in (reported, found, slow, encoded))
    assert await served.post(b"x" * 100_000) == 200
    metrics = await served.metrics()
    assert metrics["threadline_door_in_flight"] == metrics["threadline_door_held_bytes"] == 0
    assert metrics['threadline_webhooks_refused_total{source="open",status="413"}'] == 2


async def test_a_gigantic_body_does_not_stay(served: Serving) -> None:
    """A body far beyond the limit is neither read to its end nor held in memory."""
    before = _resident(served.child.pid)

    async def pour() -> None:
        await talk(served.port, head(1 << 30), *[b"x" * (1 << 20)] * 64)

    await asyncio.gather(*(pour() for _ in range(4)))
    assert _resident(served.child.pid) - before < 32 << 20
    assert await served.post(BODY) == 200


async def test_callers_who_leave(served: Serving) -> None:
    """A connection that breaks in the middle of a body is counted, and is no error."""
    await asyncio.gather(*(talk(served.port, head(1000), b"abc", end=True) for _ in range(20)))
    await served.until("threadline_door_disconnects_total", 20)
    assert (await served.metrics())["threadline_door_in_flight"] == 0
    assert not [line for line in served.log().splitlines() if '"level": "error"' in line]


async def test_one_connection_for_many(served: Serving) -> None:
    """Requests on one connection, some of them sent before the last was answered, are answered in their order."""
    request = head(len(BODY)) + BODY
    last = head(len(BODY), "connection: close") + BODY
    answered = await talk(served.port, request * 5, request, last)
    assert answered.count(b"HTTP/1.1 200") == 7


async def test_unfinished_requests_shut_nobody_out(tmp_path: Path) -> None:
    """Requests whose bodies do not come count for nothing: whole ones are served, however many of the others there are."""
    process = Serving(tmp_path, f"127.0.0.1:{ports.free()}", max_in_flight=5, body_timeout=3.0)
    await process.start()
    try:
        slow = [asyncio.create_task(talk(process.port, head(10), b"abc")) for _ in range(40)]
        await asyncio.sleep(0.3)
        assert [await process.post(BODY) for _ in range(10)] == [200] * 10
        assert {(await each)[:12] for each in slow} == {b"HTTP/1.1 408"}
        assert (await process.metrics())['threadline_connections_ended_total{reason="slow body"}'] == 40
    finally:
        await process.child.stop()


async def test_more_sockets_than_descriptors(tmp_path: Path) -> None:
    """A process that may open 1,024 files serves a provider while 2,000 idle connections are made to it."""
    claim()
    process = Serving(tmp_path, f"127.0.0.1:{ports.free()}")
    process.program = ["sh", "-c", 'ulimit -n 1024; exec "$@"', "sh", *process.program]
    await process.start()
    try:
        async with AsyncExitStack() as stack:
            for n in range(2000):
                _, writer = await asyncio.open_connection(
                    "127.0.0.1", process.port, local_addr=(f"127.0.0.{2 + n % 3}", 0)
                )
                stack.callback(writer.close)
                if n % 100 == 0:
                    assert await process.post(BODY) == 200
            assert await process.post(BODY) == 200
            metrics = await process.metrics()
            assert metrics["threadline_connections"] <= metrics["threadline_connections_limit"] < 1024
            assert metrics['threadline_connections_ended_total{reason="full"}'] > 1000
            assert process.logged("connections_ended")[0]["reason"] == "full"
            assert process.logged("listening")[0]["descriptors"] == 1024
    finally:
        await process.child.stop()


async def test_kept_with_kafka_and_without_postgres(served: Serving, topics: str) -> None:
    """Without PostgreSQL a webhook is kept in Kafka all the same; readiness says what is away, the API answers 503."""
    form = {"MessageSid": f"SM{os.urandom(16).hex()}", "MessageStatus": "sent"}
    post = twilio(form, f"{served.url}{PATH}")
    assert await served.post(post.body, PATH, post.headers) == 200
    found = [value for value, _ in await values(topics) if form["MessageSid"].encode() in value]
    assert len(found) == 1
    page = await served.ready()
    assert (page["code"], page["status"], page["kafka"]) == (200, "degraded", "ok")
    assert page["postgres"].startswith("away")
    assert form["MessageSid"] not in served.log()
    relay = orjson.dumps({"source": "x", "eventType": "message.delivered", "data": {}})
    key = {"authorization": f"Bearer {mint()[1]}", "content-type": "application/json"}
    assert await served.post(relay, PATH, key) == 503


async def test_an_envelope_by_key(tmp_path: Path, postgres_dsn: Dsns, topics: str) -> None:
    """A relay's API key with the scope `webhooks:write` admits its envelope; another scope, or no such key, does not."""
    async with await EventStore.open(postgres_dsn.service, SEAL) as store:
        tokens = []
        for scope in ("webhooks:write", "timeline:read"):
            id, token, hash = mint()
            await store.create_api_key(id, scope, "acme", [scope], hash)
            tokens.append(token)
    process = Serving(tmp_path, topics, postgres_dsn.service)
    await process.start()
    try:
        marker = os.urandom(8).hex()
        body = orjson.dumps({"source": "x", "eventType": "message.delivered", "id": marker, "data": {"messageId": "1"}})
        statuses = []
        for token in (*tokens, mint()[1]):
            headers = {"authorization": f"Bearer {token}", "content-type": "application/json"}
            statuses.append(await process.post(body, PATH, headers))
        assert statuses == [202, 403, 401]
        refused = [line for line in process.logged("webhook_refused") if line["status"] == 403]
        assert "webhooks:write" in refused[0]["reason"]
        [kept] = [value for value, _ in await values(topics) if marker.encode() in value]
        assert orjson.loads(kept.partition(b"\n")[0])["client"] == "acme"
        assert tokens[0].encode() not in kept
        assert tokens[0] not in process.log()
        assert (await process.ready())["status"] == "ok"
    finally:
        await process.child.stop()


async def test_killed_while_spooling(adrift: Serving, topics: str) -> None:
    """Acknowledged without Kafka, then killed: the next process finds every webhook on disk, and sends it."""
    marker = os.urandom(8).hex()
    posts = [adrift.post(BODY + f"&n={marker}-{n}".encode()) for n in range(50)]
    assert set(await asyncio.gather(*posts)) == {200}
    page = await adrift.ready()
    assert (page["code"], page["status"], page["kafka"], page["spool"]["records"]) == (
        200,
        "degraded",
        "away",
        50,
    )
    await adrift.kill()
    adrift.environment["THREADLINE_KAFKA__BOOTSTRAP"] = topics
    await adrift.start()
    await adrift.until("threadline_spool_drained_total", 50)
    await adrift.until("threadline_spool_records", 0)
    found = [value for value, _ in await values(topics) if marker.encode() in value]
    assert {value.rpartition(b"-")[2] for value in found} == {b"%d" % n for n in range(50)}


async def test_no_room_at_all(tmp_path: Path) -> None:
    """With Kafka away and the spool full a webhook gets a 503, never a 2xx, and the operator is shown why."""
    process = Serving(tmp_path, f"127.0.0.1:{ports.free()}", spool_max=2700)
    await process.start()
    try:
        statuses = [await process.post(BODY + b"x" * 700) for _ in range(4)]
        assert statuses == [200, 200, 503, 503]
        assert process.logged("webhook_refused")[-1]["reason"].startswith("the spool is full")
    finally:
        await process.child.stop()


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
async def test_a_clean_stop_ends_with_0(tmp_path: Path, how: signal.Signals) -> None:
    """By a supervisor and by Ctrl-C, as `threadline work` and `threadline up` do."""
    process = Serving(tmp_path, f"127.0.0.1:{ports.free()}")
    await process.start()
    os.kill(process.child.pid, how)
    assert await process.child.wait(15)
    assert process.child.exit_code == 0, process.log()


async def test_a_second_ctrl_c_leaves_requests_and_says_so(tmp_path: Path) -> None:
    """With 130, as it was not a clean stop."""
    process = Serving(tmp_path, f"127.0.0.1:{ports.free()}", body_timeout=60.0)
    await process.start()
    _, writer = await asyncio.open_connection("127.0.0.1", process.port)
    writer.write(head(len(BODY)) + BODY[:5])
    await asyncio.sleep(0.2)
    os.kill(process.child.pid, signal.SIGINT)
    assert not await process.child.wait(1.0)
    os.kill(process.child.pid, signal.SIGINT)
    assert await process.child.wait(8)
    assert process.child.exit_code == 130, process.log()
    writer.close()


@pytest.mark.parametrize("without", ["kafka", "nothing"])
async def test_ends_in_order(tmp_path: Path, topics: str, without: str) -> None:
    """Stopped in the middle of requests, it answers those it has before it goes; each it acknowledged is kept."""
    process = Serving(tmp_path, f"127.0.0.1:{ports.free()}" if without == "kafka" else topics)
    await process.start()
    marker = os.urandom(8).hex()
    reader, writer = await asyncio.open_connection("127.0.0.1", process.port)
    body = BODY + f"&n={marker}".encode()
    writer.write(head(len(body)) + body[:5])
    await asyncio.sleep(0.1)
    os.kill(process.child.pid, signal.SIGTERM)
    await asyncio.sleep(0.2)
    writer.write(body[5:])
    async with asyncio.timeout(10):
        assert (await reader.read()).startswith(b"HTTP/1.1 200")
    writer.close()
    assert await process.child.wait(10)
    if without == "kafka":
        [spooled] = [file.read_bytes() for file in _spooled(tmp_path)]
        assert marker.encode() in spooled
    else:
        assert [value for value, _ in await values(topics) if marker.encode() in value]


def _spooled(folder: Path) -> list[Path]:
    return list(folder.glob("spool/*/*.spool"))


def _resident(pid: int) -> int:
    """Bytes of memory that a process holds."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
