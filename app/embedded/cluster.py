"""Creates and configures the files of a PostgreSQL cluster, and cleans up after a killed server."""

import asyncio
import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path

import psutil

from app.embedded.account import SystemAccount
from app.embedded.process import StartFailed, tethered

SUPERUSER = "postgres"
TEMPLATE = Path(__file__).with_name("postgresql.conf")


@dataclass(frozen=True, slots=True)
class Tuning:
    """Tuning for a server on one machine. Sizes are in MiB. `fsync=False` is for tests that need no durability."""

    shared_buffers_mb: int = 512
    cache_mb: int = 2048
    max_wal_mb: int = 4096
    min_wal_mb: int = 1024
    fsync: bool = True


#: For tests: quick to start, small on disk.
SMALL = Tuning(shared_buffers_mb=128, cache_mb=512, max_wal_mb=512, min_wal_mb=80, fsync=False)


async def create(
    cluster: Path, binaries: Path, account: SystemAccount | None, *, password: str, log: Path, sync: bool = True
) -> None:
    """Create an empty cluster whose superuser has `password`, atomically. Raises StartFailed."""
    unfinished = cluster.with_name(f"{cluster.name}.unfinished")
    password_file = cluster.with_name(f"{cluster.name}.password")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True, mode=0o700)
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    give(unfinished, account)
    give(password_file, account)
    initdb: list[str | Path] = [binaries / "bin" / "initdb", "--pgdata", unfinished, "--username", SUPERUSER]
    initdb += ["--pwfile", password_file, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-instructions"]
    initdb += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"]
    initdb += [] if sync else ["--no-sync"]
    log.parent.mkdir(parents=True, exist_ok=True)
    try:
        with log.open("ab") as output:
            done = await asyncio.to_thread(
                subprocess.run,
                tethered(initdb, account),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={k: v for k, v in os.environ.items() if not k.startswith("PG")},
                check=False,
            )
    finally:
        password_file.unlink()
    if done.returncode != 0:
        raise StartFailed(f"PostgreSQL's initdb ended with {done.returncode} (log: {log})")
    unfinished.replace(cluster)


def configure(cluster: Path, account: SystemAccount | None, tuning: Tuning, port: int) -> None:
    """Write `postgresql.conf`."""
    values = {name: getattr(tuning, name) for name in Tuning.__slots__} | {"fsync": "on" if tuning.fsync else "off"}
    file = cluster / "postgresql.conf"
    file.write_text(TEMPLATE.read_text().format(port=port, **values))
    give(file, account)


async def clear(cluster: Path) -> None:
    """End server processes that a killed start left in this folder, and remove a stale pid file."""
    left = [process for process in psutil.process_iter(["cwd"]) if process.info["cwd"] == str(cluster)]
    for process in left:
        process.send_signal(signal.SIGQUIT)
    _, alive = await asyncio.to_thread(psutil.wait_procs, left, timeout=10)
    for process in alive:
        process.kill()
    await asyncio.to_thread(psutil.wait_procs, alive)
    (cluster / "postmaster.pid").unlink(missing_ok=True)


def give(path: Path, account: SystemAccount | None) -> None:
    """Change the owner of `path` to `account`."""
    if account:
        os.chown(path, account.uid, account.gid)
