"""A real restore to a time before an erasure: no process starts, and the ledger repeats it, also for what Kafka brings back."""

import asyncio
import os
from pathlib import Path
from uuid import uuid4

import httpx
import orjson
from pydantic import SecretStr

from app.auditing.anchors import private_key
from app.embedded.postgres import Postgres
from app.erasing.kept import append_line
from app.erasing.ledger import Line, line_of
from app.erasing.starting import Compared, ledger_known
from app.http.app import Http
from app.settings import Settings
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.command_line import Ran, command, on_store
from tests.integration.erasures import (
    ANA,
    ANA_MAIL,
    SIGNING,
    WORDS,
    customer,
    erased,
    filled,
    places,
    read,
    said,
    settings,
)
from tests.support.keys import SEAL


async def run(postgres: Postgres, program: str, *words: str) -> None:
    """Run a program of the server's version, which must end well."""
    _, binaries, _ = await postgres.prepare()
    ran = await asyncio.create_subprocess_exec(binaries / "bin" / program, *words, stderr=asyncio.subprocess.PIPE)
    _, err = await ran.communicate()
    assert ran.returncode == 0, err.decode()


async def test_a_restore_repeats_the_erasures(postgres: Postgres, postgres_dsn: Dsns, tmp_path: Path) -> None:
    """pg_dump, an erasure, pg_restore: the ledger is ahead, a process refuses to start, and `erasure replay` mends it; webhooks that are
    read again afterwards are erased by a second one, and a third changes nothing."""
    dump = tmp_path / "before.dump"
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        whose = await filled(store)
        await run(postgres, "pg_dump", "--format=custom", f"--file={dump}", postgres_dsn.owner)
        done = await erased(store, tmp_path, whose)

    name = f"restored_{os.getpid()}_{done['id'].hex}"
    await postgres.execute("copy_database", name=name, template="template0")
    restored = Dsns(postgres.dsn("owner", name), postgres.dsn("service", name))
    try:
        await run(postgres, "pg_restore", "--exit-on-error", f"--dbname={postgres.dsn('superuser', name)}", str(dump))
        given = settings(tmp_path)
        assert await may_start(_at(given, postgres_dsn.service)) and not await may_start(_at(given, restored.service))
        async with await EventStore.open(restored.service, SEAL, pool=2) as store:
            assert await customer(store, ANA) == whose and await store.timeline("shop", whose)

        compared = await asked_of(_at(given, restored.service))
        first = await replayed(restored, tmp_path)
        assert first == {"erasures": 1, "addresses": 2, "held": 0}
        assert await places(restored, ANA.value, ANA_MAIL.value) == {}
        assert await may_start(_at(given, restored.service))
        await asyncio.wait_for(compared, 30)

        # Kafka is read again: webhooks from before the erasure that the restored database never had.
        async with await EventStore.open(restored.service, SEAL, pool=2) as store:
            await store.append([said(n, ANA) for n in (3, 40, 41)])
            (back,) = await store.customer_of("shop", ANA.kind, ANA.value)
            assert len(await store.timeline("shop", back["customer_id"])) == 2
            assert await replayed(restored, tmp_path) == {"erasures": 1, "addresses": 1, "held": 0}
            assert await store.timeline("shop", back["customer_id"]) == []
            assert await store.customer_of("shop", ANA.kind, ANA.value) == []
        assert await replayed(restored, tmp_path) == {"erasures": 1, "addresses": 0, "held": 0}
        states = await read(restored.owner, "SELECT state FROM erasures ORDER BY requested_at")
        assert states == ["completed", "completed"]
        opted_out = await read(restored.owner, "SELECT count(*) FROM suppressions")
        assert opted_out == [2]
    finally:
        await postgres.execute("drop_database", name=name)


async def asked_of(given: Settings) -> asyncio.Task[None]:
    """Let an HTTP process that started while the database was away find it as it is now: its API answers nothing until all erasures
    were repeated, as the task that is returned waits for."""
    given = given.model_copy(update={"kafka": given.kafka.model_copy(update={"bootstrap": "127.0.0.1:1"})})
    http = Http(_at(given, "postgresql://nobody@127.0.0.1:1/none"))
    transport = httpx.ASGITransport(http)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        away = asyncio.create_task(http.compared.run())
        await refused(client)
        away.cancel()
        http.compared = Compared(given)
        comparing = asyncio.create_task(http.compared.run())
        await refused(client)
        assert not comparing.done() and "threadline erasure replay" in str(http.compared.why)
        assert (await client.get("/healthz")).status_code == 200
    return comparing


async def refused(client: httpx.AsyncClient) -> None:
    """Check after a while that nothing of a customer is answered."""
    await asyncio.sleep(1)
    for path in ("/v1/customers", "/api/customers/1/interactions/stream"):
        answer = await client.get(path)
        assert answer.status_code == 503 and "lacks erasures" in answer.json()["detail"]


async def test_a_worker_waits_for_a_database_that_is_away(tmp_path: Path) -> None:
    """It asks again and again until it is told to end; an HTTP process starts, and waits by itself."""
    line = Line(uuid4(), "shop", uuid4(), (), ())
    append_line(tmp_path / "ledger", line_of(line, private_key(SIGNING)))
    given, pauses = _at(settings(tmp_path), "postgresql://nobody@127.0.0.1:1/none"), iter((False, True))
    assert not await asyncio.to_thread(ledger_known, given, lambda _: next(pauses))
    assert list(pauses) == []
    assert await asyncio.to_thread(ledger_known, given, None)


async def may_start(given: Settings) -> bool:
    """Return whether a process with these settings starts."""
    return await asyncio.to_thread(ledger_known, given)


async def replay(dsns: Dsns, folder: Path, *more: str) -> Ran:
    """Run `threadline erasure replay` with the ledger."""
    environment = on_store(dsns.service, folder / "data") | {"THREADLINE_AUDIT__KEY": SIGNING}
    return await command("erasure", "replay", str(folder / "ledger"), *more, environment=environment)


async def replayed(dsns: Dsns, folder: Path) -> dict[str, int]:
    """Repeat the ledger's erasures; return what was done."""
    ran = await replay(dsns, folder, "--json")
    assert ran.code == 0, ran.err
    found: dict[str, int] = orjson.loads(ran.out)
    return found


def _at(given: Settings, dsn: str) -> Settings:
    """The settings with another database."""
    return given.model_copy(update={"postgres": given.postgres.model_copy(update={"dsn": SecretStr(dsn)})})


async def test_a_ledger_that_was_changed_is_refused(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """Nothing is repeated by a line that nobody signed, and no process starts with it."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        await erased(store, tmp_path, await filled(store))
    ledger = tmp_path / "ledger"
    assert WORDS.encode() not in ledger.read_bytes() and ANA.value.encode() not in ledger.read_bytes()
    ledger.write_bytes(ledger.read_bytes().replace(b'"clientId":"shop"', b'"clientId":"chop"'))
    assert not await may_start(_at(settings(tmp_path), postgres_dsn.service))
    ran = await replay(postgres_dsn, tmp_path)
    assert ran.code == 1 and "Nothing was repeated: line 1" in ran.err
