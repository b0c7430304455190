"""The commands that move months of the log, each in a process of its own, killed at any moment, two at once, while a worker appends and a
customer is erased: no event is lost or there twice, and the timelines are as they were."""

import asyncio
import os
import random
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from app.erasing.steps import Eraser
from schemas.events import Handle
from sql import EventStore
from tests.conftest import Dsns
from tests.integration.command_line import on_store
from tests.integration.erasures import customer, settings
from tests.integration.test_archive import _archived, log_of, old_log
from tests.integration.test_rebuild import read, tables
from tests.support.keys import SEAL

pytest.importorskip("pyarrow", reason="the extra `archive` is not installed")

ROOT = Path(__file__).parents[2]
IDS = "SELECT id::text FROM threadline.events"
COMMANDS = (
    ("archive", "--run"),
    ("archive", "--restore", "2025-03"),
    ("archive", "--restore", "2025-04"),
    ("rebuild",),
)


async def dying(*arguments: str, after: float | None, environment: dict[str, str]) -> tuple[int, str]:
    """Run a command; kill it after so many seconds."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "app", *arguments),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    if after is not None:
        try:
            async with asyncio.timeout(after):
                await child.wait()
        except TimeoutError:
            child.send_signal(signal.SIGKILL)
    out, _ = await child.communicate()
    assert child.returncode is not None
    return child.returncode, out.decode()


async def there(dsns: Dsns, folder: Path) -> list[str]:
    """The ids of all events: in the database, also in a detached month, and of months that are only in files, of these."""
    found = await read(dsns.owner, IDS)
    months = await read(
        dsns.owner,
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'threadline'::regnamespace AND relname ~ '^events_2025' AND relkind = 'r'",
    )
    attached = await read(
        dsns.owner, "SELECT inhrelid::regclass::text FROM pg_inherits WHERE inhparent = 'threadline.events'::regclass"
    )
    for month in ("202503", "202504"):
        name = f"events_{month}"
        if name not in months:
            found += _archived(folder, f"{month[:4]}-{month[4:]}")
        elif not any(each.endswith(name) for each in attached):
            found += await read(dsns.owner, f"SELECT id::text FROM threadline.{name}")
    return found


async def test_nothing_is_lost_whenever_they_are_killed(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """As often as `TURNS` says; the seed is printed."""
    seed = int(os.environ.get("SEED", "17"))
    dice, turns = random.Random(seed), int(os.environ.get("TURNS", "6"))
    folder = tmp_path / "archive"
    environment = on_store(postgres_dsn.service, tmp_path)
    environment |= {"THREADLINE_POSTGRES__OWNER_DSN": postgres_dsn.owner, "THREADLINE_ARCHIVE__AFTER_MONTHS": "2"}
    failed: list[tuple[Any, str]] = []
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=3) as store:
        await old_log(store, postgres_dsn.owner)
        known, appended, ended = set(await read(postgres_dsn.owner, IDS)), 100, asyncio.Event()

        async def working() -> None:
            nonlocal appended
            while not ended.is_set():
                await store.append(log_of(appended, appended + 2))
                appended += 2
                await asyncio.sleep(0.05)

        work = asyncio.create_task(working())
        for turn in range(turns):
            pair = [dice.choice(COMMANDS) for _ in range(2)] if turn % 2 else [COMMANDS[0 if turn % 4 else 3]]
            ran = await asyncio.gather(
                *(dying(*each, after=dice.uniform(0.6, 5.0), environment=environment) for each in pair)
            )
            failed += [(each, out) for each, (code, out) in zip(pair, ran, strict=True) if "Traceback" in out]
            found = await there(postgres_dsn, folder)
            assert len(found) == len(set(found)) and known <= set(found), (seed, turn, pair, ran)
            if turn == turns // 2:
                whose = await customer(store, Handle("phone", "+15550000002"), "default")
                id = await store.request_erasure("default", whose, "a test")
                assert id is not None
                cut = asyncio.create_task(dying("rebuild", after=dice.uniform(1, 4), environment=environment))
                async with asyncio.timeout(120):
                    await Eraser(store, settings(tmp_path)).run(id)
                await cut
        ended.set()
        await work
        assert failed == []
        expected = known | set(await read(postgres_dsn.owner, IDS))
        live = await tables(postgres_dsn.owner)
        for last in (("rebuild",), ("archive", "--run"), ("rebuild",)):
            code, out = await dying(*last, after=None, environment=environment)
            assert code == 0, out
            found = await there(postgres_dsn, folder)
            assert len(found) == len(set(found)) and set(found) == expected
            assert await tables(postgres_dsn.owner) == live
        assert len(expected) == 280 + 4 * (appended - 100) + 2  # those of the erasure
