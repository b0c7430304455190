"""Changed settings are taken over by processes that run: whole, or not at all, and without a request that suffers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import orjson
import psycopg
import pytest

from app.http.tokens import mint
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.reloaded import Process, running, section
from tests.integration.worker import serving
from tests.support.keys import SEAL
from tests.support.waiting import eventually

FIRST = section("first", "one")


@pytest.fixture
def door(tmp_path: Path, postgres_dsn: Dsns, topics: str) -> Process:
    """The HTTP process with one source, not started."""
    environment = {"THREADLINE_POSTGRES__DSN": postgres_dsn.service, "THREADLINE_KAFKA__BOOTSTRAP": topics}
    made = Process("serve", tmp_path, environment)
    made.write(FIRST)
    return made


@asynccontextmanager
async def load(door: Process, source: str, secret: str) -> AsyncIterator[Counter[int]]:
    """Four callers that post without a pause during the block; the statuses of their answers."""
    answers: Counter[int] = Counter()

    async def call() -> None:
        while True:
            answers[await door.post(source, secret)] += 1

    callers = [asyncio.create_task(call()) for _ in range(4)]
    try:
        yield answers
    finally:
        for each in callers:
            each.cancel()
        await asyncio.gather(*callers, return_exceptions=True)


async def test_sources_change_under_load_without_a_refused_request(door: Process) -> None:
    """One is added, its secret is rotated, it is removed: each by a change of the file alone, while another source's
    webhooks keep coming and all are accepted."""
    async with running(door), load(door, "first", "one") as answers:
        assert await door.post("second", "two") == 404
        door.write(FIRST, section("second", "two"))
        await door.reach(1)
        assert await door.post("second", "two") == 200
        door.write(FIRST, section("second", ["three", "two"]))
        await door.reach(2)
        assert (await door.post("second", "two"), await door.post("second", "three")) == (200, 200)
        door.write(FIRST, section("second", "three"))
        await door.reach(3)
        assert (await door.post("second", "two"), await door.post("second", "three")) == (401, 200)
        door.write(FIRST)
        await door.reach(4)
        assert await door.post("second", "three") == 404
        seen = answers.total()
        await eventually(lambda: asyncio.sleep(0, answers.total()), lambda total: total > seen)
    assert set(answers) == {200}
    assert [each["changed"] for each in door.logged("settings_reloaded")] == [["sources.second"]] * 4
    written = door.child.log.read_text()
    assert not [secret for secret in ('"two"', '"three"', "'two'") if secret in written]


async def test_a_file_with_a_fault_is_refused_whole(door: Process) -> None:
    """Its good parts too. The log has each fault with its line; the old settings stay until the file is mended."""
    async with running(door):
        read_at = await door.metric("read_timestamp_seconds")
        door.write(
            section("first", "other"), "[door]\nidle_timeout = -1\nprt = 1\n", section("third", "3", app_secrt="4")
        )
        await eventually(lambda: door.metric("reload_failures_total"), lambda found: found == 1)
        assert (await door.metric("refused"), await door.metric("read_timestamp_seconds")) == (1, read_at)
        assert (await door.published())["refused"] is True
        assert (await door.post("first", "one"), await door.post("first", "other")) == (200, 401)
        (refused,) = door.logged("settings_refused")
        text = "\n".join(refused["faults"])
        assert f"{door.file}:6" in text and "door.idle_timeout" in text
        assert f"{door.file}:7" in text and "did you mean door.port?" in text
        assert f"{door.file}:12" in text and "did you mean app_secret?" in text
        door.file.unlink()
        await eventually(lambda: door.metric("reload_failures_total"), lambda found: found == 2)
        assert await door.post("first", "one") == 200
        door.write(section("first", "other"))
        await door.reach(1)
        assert (await door.metric("refused"), await door.post("first", "other")) == (0, 200)
        assert await door.metric("read_timestamp_seconds") > read_at


async def test_limits_and_the_level_of_the_log_change_and_a_timeout_of_kafka_does_not(door: Process) -> None:
    """What needs a restart is named, in the log and on the health page; the rest of the file is in force."""
    door.write(FIRST, "[telemetry]\nlog_level = 'error'\n")
    id, token, hashed = mint()
    async with await EventStore.open(door.environment["THREADLINE_POSTGRES__DSN"], SEAL, pool=1) as store:
        await store.create_api_key(id, "test", "default", ["timeline:read"], hashed)
    async with running(door):
        big = b"{" + b" " * 2000 + b"}"
        assert await door.post("first", "one", big) == 200
        assert door.logged("listening") == []
        limited = section("first", "one", max_body=1000)
        door.write(
            limited, "[door]\nkeep_timeout = 1\nmax_headers = 20\n[telemetry]\nlog_level = 'info'\n[api]\nburst = 7\n"
        )
        await door.reach(1)
        assert await door.post("first", "one", big) == 413
        many = {f"x-{number}": "1" for number in range(30)}
        async with type(door.http)(base_url=door.http.base_url, trust_env=False) as fresh:
            assert (await fresh.get("/healthz", headers=many)).status_code == 431
        answer = await door.http.get("/api/customers?handle=x", headers={"authorization": f"Bearer {token}"})
        assert answer.headers["ratelimit-policy"].startswith('"key";q=7;')
        (reloaded,) = door.logged("settings_reloaded")
        assert reloaded["changed"] == ["api.burst", "door.max_headers", "sources.first", "telemetry.log_level"]
        assert [each["setting"] for each in door.logged("setting_needs_restart")] == ["door.keep_timeout"]
        assert (await door.published())["needRestart"] == ["door.keep_timeout"]
        assert await door.metric("need_restart") == 1


async def test_sighup_reads_the_settings_at_once(door: Process) -> None:
    """Also where no file was changed, and it does not end the process."""
    async with running(door):
        before = await door.published()
        door.hang_up()
        await door.reach(1)
        assert door.logged("settings_reloaded")[0]["changed"] == []
        assert {**await door.published(), "readAt": ""} == {**before, "readAt": ""}
        assert door.child.alive


async def test_records_of_a_removed_source_make_the_events_that_they_would_have_made(tmp_path: Path) -> None:
    """The worker's source is gone when the record comes: the event still counts for the account that the source
    belonged to."""
    async with serving() as servers:
        dsn = servers.postgres.dsn("service")
        environment = {"THREADLINE_POSTGRES__DSN": dsn, "THREADLINE_KAFKA__BOOTSTRAP": servers.kafka.bootstrap}
        door, worker = Process("serve", tmp_path, environment), Process("work", tmp_path, environment)
        for each in (door, worker):
            each.write(section("first", "one", account="main"))
        change = {"field": "messages", "value": {"statuses": [
            {"id": "wamid.1", "status": "delivered", "timestamp": "1772443770", "recipient_id": "15551234567"}
        ]}}  # fmt: skip
        body = orjson.dumps({"object": "whatsapp_business_account", "entry": [{"id": "1", "changes": [change]}]})
        async with running(worker), running(door):
            worker.write(section("second", "two"))
            worker.hang_up()
            await worker.reach(1)
            assert worker.logged("settings_reloaded")[0]["changed"] == ["sources.first", "sources.second"]
            assert await door.post("first", "one", body) == 200
            rows = await eventually(lambda: _rows(dsn, "SELECT source, provider FROM threadline.events"))
            assert set(rows) == {("first", "whatsapp_cloud:main")}
            assert worker.child.alive


async def _rows(dsn: str, query: str) -> list[Any]:
    """What the database answers."""
    async with await psycopg.AsyncConnection.connect(dsn) as connection:
        return await (await connection.execute(query)).fetchall()
