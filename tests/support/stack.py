"""A whole Threadline in a temporary folder, for measuring and for fault runs: real PostgreSQL, Kafka, door and
worker."""

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import httpx
import psycopg

from app.embedded import ports
from app.embedded.kafka import Kafka
from app.embedded.postgres import Postgres
from app.embedded.process import Child
from app.http.tokens import mint
from app.kafka import ensure_topics
from app.settings import Settings
from sql import EventStore
from sql.migrate import migrate
from tests.support import traffic
from tests.support.keys import KEY, SEAL

ROOT = Path(__file__).resolve().parents[2]


class Stack:
    """Starts the parts one by one; stops all that run at the end of its context."""

    def __init__(self, folder: Path, sources: Mapping[str, Any] = traffic.SOURCES, **settings: Any) -> None:
        self.folder = folder
        self.postgres = Postgres(folder / "postgres", folder / "postgres.log")
        self.kafka = Kafka(folder / "kafka", folder / "kafka.log", secured=False)
        self.door, self.worker = ports.free(), ports.free()
        self.children: dict[str, Child] = {}
        self._given = {"sources": dict(sources), **settings}

    @property
    def url(self) -> str:
        """The URL of the HTTP process."""
        return f"http://127.0.0.1:{self.door}"

    @property
    def bootstrap(self) -> str:
        """The brokers' addresses, for clients."""
        return self.kafka.bootstrap

    def dsn(self, role: str) -> str:
        """Return how the processes connect to the database as `owner` or `service`."""
        return self.postgres.dsn(role)

    async def start_servers(self) -> None:
        """Start PostgreSQL and Kafka."""
        async with asyncio.TaskGroup() as servers:
            servers.create_task(self.postgres.start())
            servers.create_task(self.kafka.start())

    async def migrate(self) -> None:
        """Make the database's schema."""
        await migrate(self.dsn("owner"))

    async def stop_servers(self) -> None:
        """Stop PostgreSQL and Kafka."""
        await self.kafka.stop()
        await self.postgres.stop()

    @property
    def settings(self) -> Settings:
        """The settings of each process of this stack; available once the servers run."""
        given: dict[str, Any] = {
            "data": self.folder,
            "postgres": {"dsn": self.dsn("service"), "owner_dsn": self.dsn("owner")},
            "door": {"port": self.door},
            "worker": {"port": self.worker},
            "secrets": {"keys": [KEY]},
            "telemetry": {"sample": 0, "log_level": "info"},
        }
        given["kafka"] = {"bootstrap": self.bootstrap}
        for key, value in self._given.items():
            given[key] = {**given.get(key, {}), **value} if isinstance(value, dict) else value
        return Settings(**given)

    @property
    def environment(self) -> dict[str, str]:
        """The same as `THREADLINE_…` variables."""
        return {
            f"THREADLINE_{name.upper()}": value if isinstance(value, str) else json.dumps(value)
            for name, value in _plain(self.settings.model_dump(by_alias=True, exclude_unset=True)).items()
        }

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            await self.start_servers()
            await self.migrate()
            await ensure_topics(self.settings)
        except BaseException:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for child in self.children.values():
            await child.stop()
        await self.stop_servers()

    def move(self) -> None:
        """Choose another port for the next HTTP process, so that two can run."""
        self.door = ports.free()

    async def start(self, name: str, **environment: str) -> Child:
        """Start `serve` or `work` (again), and wait until it answers. `environment`: further variables."""
        given = {**self.environment, "PYTHONPATH": str(ROOT), **environment}
        child = Child(name, self.program(name, given), self.folder / f"{name}.log", environment=given)
        child.start()
        self.children[name] = child
        await self.ready(name)
        return child

    def program(self, name: str, environment: Mapping[str, str]) -> list[str]:
        """Return the command line of `serve` or `work`; its variables are given to it as `environment`."""
        return [sys.executable, *{"serve": ["-m", "app.cli", "serve"], "work": ["-m", "agents"]}[name]]

    async def rows(self, query: str, *given: Any) -> list[Any]:
        """Return what the database answers to a query with these parameters."""
        async with await psycopg.AsyncConnection.connect(self.postgres.dsn("superuser")) as db:
            return await (await db.execute(query, given or None)).fetchall()

    async def key(self, *scopes: str, client: str = "default") -> str:
        """Create an API key of the client with these scopes, and return its token."""
        id, token, hash = mint()
        async with await EventStore.open(self.postgres.dsn("service"), SEAL, pool=1) as store:
            await store.create_api_key(id, "test", client, list(scopes), hash)
        return token

    async def ready(self, name: str, within: float = 60) -> None:
        """Wait until the process answers on /healthz. Raises RuntimeError after `within` seconds."""
        port = self.door if name == "serve" else self.worker
        # Plain HTTP: without `verify` no certificate authorities are read.
        async with httpx.AsyncClient(trust_env=False, verify=False) as client:
            for _ in range(int(within / 0.1)):
                if not self.children[name].alive:
                    break
                try:
                    if (await client.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200:
                        return
                except httpx.TransportError:
                    pass
                await asyncio.sleep(0.1)
        tail = (self.folder / f"{name}.log").read_text()[-2000:]
        raise RuntimeError(f"{name} did not come up within {within} s:\n{tail}")


def _plain(value: Any) -> Any:
    """Return settings as values of JSON, with their secrets, since only our own child processes get them."""
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items() if each is not None}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if hasattr(value, "get_secret_value"):
        return value.get_secret_value()
    return str(value) if isinstance(value, Path) else value
