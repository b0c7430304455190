"""Copies of a PostgreSQL cluster by its own tools: a synchronous standby, and base backups."""

import asyncio
import os
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

from app.embedded.account import choose, reachable_data
from app.embedded.cluster import give
from app.embedded.postgres import Postgres
from app.embedded.process import tethered
from tests.support.waiting import eventually


async def tool(server: Postgres, name: str, *arguments: str | Path) -> str:
    """Run a program of PostgreSQL as the server's account and superuser; return its output. Raises RuntimeError with what it
    said if it fails."""
    account, binaries, _ = await server.prepare()
    to = conninfo_to_dict(server.dsn("superuser"))
    given = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    given |= {"PGHOST": str(to["host"]), "PGPORT": str(to["port"]), "PGUSER": str(to["user"])}
    given["PGPASSWORD"] = str(to["password"])
    done = await asyncio.to_thread(
        subprocess.run, tethered([binaries / "bin" / name, *arguments], account), cwd="/", env=given,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    if done.returncode:
        raise RuntimeError(f"{name}: exit {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


async def base_backup(server: Postgres, copy: Postgres, *options: str) -> Path:
    """Fill the folder of `copy`, which has not run yet, with a base backup of `server`; return the cluster's folder. Passwords
    are in the database, and so are the same."""
    copy.folder.mkdir(parents=True)
    shutil.copy(server.folder / "postgres.json", copy.folder)
    account = choose(copy.folder / "cluster")
    place = reachable_data(copy.folder / "cluster", account)
    place.mkdir(mode=0o700)
    give(place, account)
    await tool(server, "pg_basebackup", "--pgdata", place, "--checkpoint=fast", *options)
    return place


async def archiving(server: Postgres, archive: Path) -> None:
    """Make a server that does not run yet archive its write-ahead log, as docs/backup.md says."""
    account, _, place = await server.prepare()
    archive.mkdir(parents=True)  # noqa: ASYNC240  # a test, which waits for nothing else
    (place / "local.conf").write_text(
        "archive_mode = on\n"
        f"archive_command = 'test ! -f {archive}/%f && cp %p {archive}/%f.unfinished && mv {archive}/%f.unfinished {archive}/%f'\n"
        "archive_timeout = 60\n"
    )
    for path in (archive, place / "local.conf"):
        give(path, account)


async def restore(copy: Postgres, archive: Path, to: datetime) -> None:
    """Start a server from its base backup and the archive, with all that was committed up to `to`."""
    account, _, place = await copy.prepare()
    (place / "local.conf").write_text(
        f"restore_command = 'cp {archive}/%f %p'\n"
        f"recovery_target_time = '{to.isoformat()}'\n"
        "recovery_target_action = 'promote'\n"
    )
    (place / "recovery.signal").touch()
    for name in ("local.conf", "recovery.signal"):
        give(place / name, account)
    await copy.run()
    async with await psycopg.AsyncConnection.connect(copy.dsn("superuser"), autocommit=True) as db:

        async def recovering() -> bool:
            row = await (await db.execute("SELECT pg_is_in_recovery()")).fetchone()
            return row == (True,)

        await eventually(recovering, lambda found: not found, within=60)


async def standby_of(primary: Postgres, standby: Postgres) -> None:
    """Start a standby that the primary waits for at every commit, and wait until it does.

    The standby's own `synchronous_standby_names` is empty: with the primary's, commits would hang after promotion.
    """
    place = await base_backup(primary, standby, "--write-recovery-conf", "--wal-method=stream")
    # In local.conf, since postgresql.conf is written at each start; and ALTER SYSTEM of the primary would be copied.
    (place / "local.conf").write_text("cluster_name = 'standby'\nsynchronous_standby_names = ''\n")
    give(place / "local.conf", choose(place))
    await standby.run()
    async with await psycopg.AsyncConnection.connect(primary.dsn("superuser"), autocommit=True) as db:
        await db.execute("ALTER SYSTEM SET synchronous_standby_names = 'ANY 1 (standby)'")
        await db.execute("SELECT pg_reload_conf()")

        async def states() -> list[tuple[str, ...]]:
            return await (await db.execute("SELECT sync_state FROM pg_stat_replication")).fetchall()

        await eventually(states, lambda found: found == [("quorum",)])
