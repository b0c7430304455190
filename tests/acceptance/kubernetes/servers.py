"""PostgreSQL and Kafka of this machine, reachable by the pods too, and the stack of them that the chart is installed beside."""

import asyncio
from pathlib import Path
from typing import Any, Self

from app.embedded import ports
from app.embedded.account import SystemAccount
from app.embedded.kafka import Kafka
from app.embedded.postgres import Postgres
from tests.acceptance.kubernetes.machine import HOST
from tests.support.stack import Stack

PODS = "10.213.0.0/16"


class ReachablePostgres(Postgres):
    """Listens on the nodes' address too."""

    async def prepare(self) -> tuple[SystemAccount | None, Path, Path]:
        """Extend the method: allow connections of pods, by password."""
        account, binaries, place = await super().prepare()
        (place / "local.conf").write_text(f"listen_addresses = '127.0.0.1,{HOST}'\n")
        access = place / "pg_hba.conf"
        if PODS not in (text := access.read_text()):
            access.write_text(f"{text}\nhost all all {PODS} scram-sha-256\n")
        for file in (place / "local.conf", access):
            file.chmod(0o644)
        return account, binaries, place


class ReachableKafka(Kafka):
    """Has a second listener on the nodes' address, which it names to clients that come there."""

    pods: int | None = None

    @property
    def for_pods(self) -> str:
        """`host:port` for pods, available once started."""
        return f"{HOST}:{self.pods}"

    async def _configure(self) -> Path:
        properties = await super()._configure()
        self.pods = self.pods or ports.free(host=HOST)
        given = dict(
            line.split("=", 1) for line in properties.read_text().splitlines() if "=" in line and line[0] != "#"
        )
        more = {
            "listeners": f"PODS://{self.for_pods}", "advertised.listeners": f"PODS://{self.for_pods}",
            "listener.security.protocol.map": "PODS:PLAINTEXT",
        }  # fmt: skip
        # The last line of a name counts.
        properties.write_text(properties.read_text() + "".join(f"\n{k}={given[k]},{v}\n" for k, v in more.items()))
        return properties


class Beside(Stack):
    """PostgreSQL and Kafka, both empty: the chart's hooks make schema and topics. `at` is the URL of the HTTP process that is
    asked."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        super().__init__(folder, **settings)
        self.postgres = self.reachable = ReachablePostgres(folder / "postgres", folder / "postgres.log")
        self.kafka = self.brokers = ReachableKafka(folder / "kafka", folder / "kafka.log", secured=False)
        self.at = ""

    @property
    def url(self) -> str:
        """The URL of the HTTP process that is asked."""
        return self.at

    async def __aenter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        try:
            async with asyncio.TaskGroup() as servers:
                servers.create_task(self.postgres.start())
                servers.create_task(self.kafka.start())
        except BaseException:
            await self.__aexit__()
            raise
        return self

    def secret(self, role: str) -> str:
        """Return the connection string of a role, for pods."""
        return self.postgres.dsn(role).replace("@127.0.0.1:", f"@{HOST}:")
