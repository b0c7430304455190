"""What is restored by the command line while a worker erases: an archived month, and the whole database as it was amid the erasure."""

import asyncio
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest

from agents.failures import keep_on
from agents.health import WorkerHealth
from agents.process.erasures import Erasures
from app.embedded.postgres import Postgres
from app.erasing.steps import Eraser
from sql import EventStore
from sql.rebuild import rebuild
from tests.conftest import Dsns
from tests.integration.command_line import _environment, on_store, process
from tests.integration.erasures import ANA, ANA_MAIL, BO, SIGNING, customer, filled, places, read, said, settings
from tests.integration.test_erasure_archived import NEWER, SECRET, asked, owners, told
from tests.integration.test_erasure_replay import run
from tests.support.keys import SEAL
from tests.support.waiting import eventually

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def working(dsn: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[EventStore]:
    """A worker that does erasures, looking for them without a pause, on a store of its own; yields another."""
    monkeypatch.setattr("agents.process.erasures.EVERY", 0.05)
    async with await EventStore.open(dsn, SEAL, pool=2) as its, await EventStore.open(dsn, SEAL, pool=2) as store:
        health = WorkerHealth()
        erasures = Erasures(its, settings(folder), health)
        working = asyncio.create_task(keep_on("erasures", erasures.run, health))
        try:
            yield store
        finally:
            working.cancel()
            await asyncio.gather(working, return_exceptions=True)


async def completed(store: EventStore, id: UUID) -> dict[str, Any]:
    """Wait until an erasure is complete; return it."""

    async def state() -> bool:
        row = await store.erasure(id)
        return row is not None and row["state"] == "completed"

    await eventually(state, within=120)
    done = await store.erasure(id)
    assert done is not None
    return done


@pytest.mark.parametrize("killed", [False, True])
@pytest.mark.parametrize("share", [0.5, 0.8, 0.95, 1.1])
async def test_a_month_that_the_command_restores_while_a_worker_erases(
    postgres_dsn: Dsns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float, killed: bool
) -> None:
    """Asked for at different moments of the command, which is killed in half of the cases and run again: of six events of the erased
    one none has its content, the other's have it, and a rebuild brings nobody back."""
    pytest.importorskip("pyarrow", reason="the extra `archive` is not installed")
    owner = {"THREADLINE_POSTGRES__OWNER_DSN": postgres_dsn.owner}
    environment = on_store(postgres_dsn.service, tmp_path) | owner
    async with working(postgres_dsn.service, tmp_path, monkeypatch) as store:
        first = await owners(store, postgres_dsn, tmp_path / "archive")
        began = time.monotonic()
        assert (await process("archive", environment=environment)).code == 0
        lasts = time.monotonic() - began
        restoring = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app", "archive", "--restore", "2025-03"),
            env=_environment(environment),
            stderr=asyncio.subprocess.PIPE,
        )
        await asyncio.sleep(share * lasts)
        id = await asked(store, first)
        if killed:
            await asyncio.sleep(0.05)
            if restoring.returncode is None:
                restoring.send_signal(signal.SIGKILL)
        await restoring.communicate()
        if restoring.returncode:  # killed, or refused while the worker has the archive
            ran = None
            while ran is None or (ran.code == 1 and "under way" in ran.err):
                ran = await process("archive", "--restore", "2025-03", environment=environment)
            assert ran.code == 0 or "already" in ran.err or "overlap" in ran.err, ran
        done = await completed(store, id)
        assert done["receipt"]["rows"]["eventsWithContent"]["after"] == 0
        await rebuild(postgres_dsn.owner)
        assert await store.timeline("default", first) == []
    text = await told(postgres_dsn)
    assert SECRET not in text and NEWER in text
    emptied = "SELECT count(*) FROM events WHERE source_event_id = 'erased ' || id AND recorded_at < '2026-01-01'"
    assert await read(postgres_dsn.owner, emptied) == [6]


@pytest.mark.parametrize("state", ["requested", "fenced", "searched", "destroyed", "purged"])
async def test_a_database_restored_amid_an_erasure(
    postgres: Postgres, postgres_dsn: Dsns, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    """As it was at a step, with a worker that goes on at once, the ledger's replay by the command beside it, and webhooks that are read
    again: nothing of the erased one is left, all of the other one is."""
    dump = tmp_path / "amid.dump"
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        whose, bo = await filled(store), await customer(store, BO)
        others = len(await store.timeline("shop", bo))
        id = await store.request_erasure("shop", whose, "asked for it")
        assert id is not None
        eraser = Eraser(store, settings(tmp_path))
        while (await store.erasure(id) or {})["state"] != state:
            await eraser.advance(id)
        await run(postgres, "pg_dump", "--format=custom", f"--file={dump}", postgres_dsn.owner)
        await eraser.run(id)

    name = f"amid_{os.getpid()}_{id.hex}"
    await postgres.execute("copy_database", name=name, template="template0")
    restored = Dsns(postgres.dsn("owner", name), postgres.dsn("service", name))
    environment = on_store(restored.service, tmp_path / "data") | {"THREADLINE_AUDIT__KEY": SIGNING}
    replay = ("erasure", "replay", str(tmp_path / "ledger"))
    try:
        await run(postgres, "pg_restore", "--exit-on-error", f"--dbname={postgres.dsn('superuser', name)}", str(dump))
        async with working(restored.service, tmp_path, monkeypatch) as store:
            both = await asyncio.gather(
                process(*replay, environment=environment), store.append([said(n, ANA) for n in (3, 4, 40, 41)])
            )
            assert both[0].code == 0, both[0].err
            await completed(store, id)
            # All that Kafka has was read again, and the command run again, as the page on backups says.
            await store.append([said(n, ANA) for n in (3, 4, 5, 40, 41, 42)])
            last = await process(*replay, environment=environment)
            assert last.code == 0, last.err
            left = "SELECT count(*) FROM erasures WHERE state <> 'completed'"
            await eventually(lambda: read(restored.owner, left), lambda found: found == [0], within=60)
            assert await store.customer_of("shop", ANA.kind, ANA.value) == []
            assert len(await store.timeline("shop", bo)) == others
            await rebuild(restored.owner)
            assert len(await store.timeline("shop", bo)) == others
        assert await places(restored, ANA.value, ANA_MAIL.value) == {}
        told_of = "SELECT count(*) FROM interactions WHERE client_id = 'shop'"
        assert await read(restored.owner, told_of) == [others]
    finally:
        await postgres.execute("drop_database", name=name)
