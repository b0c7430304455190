"""A Threadline whose Kafka is a cluster of three nodes, and whose PostgreSQL has a synchronous standby."""

import asyncio
import json
import os
import signal
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psycopg

from app.embedded import ports
from app.embedded.kafka import Kafka
from app.embedded.postgres import DATABASE, Postgres, Tuning
from app.kafka import admin
from app.settings import Kafka as KafkaSettings
from tests.support import traffic
from tests.support.replicas import archiving, standby_of
from tests.support.stack import Stack
from tests.support.waiting import eventually

JVM = ("-Xms64m", "-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")
#: What a cluster has otherwise than the embedded broker. The times are Kafka's defaults.
NODE = """
node.id={node}
controller.quorum.voters={voters}
default.replication.factor=3
min.insync.replicas=2
offsets.topic.replication.factor=3
transaction.state.log.replication.factor=3
transaction.state.log.min.isr=2
share.coordinator.state.topic.replication.factor=3
share.coordinator.state.topic.min.isr=2
broker.session.timeout.ms=9000
broker.heartbeat.interval.ms=2000
"""
#: Replicas of each topic, of which Kafka needs two to acknowledge a record (`app.kafka.topics`).
REPLICATED = {"replication": 3, "flush_every_message": False}
#: PostgreSQL that survives a crash, small enough to run twice.
DURABLE = Tuning(shared_buffers_mb=128, cache_mb=512, max_wal_mb=1024, min_wal_mb=80, fsync=True)


def three_nodes(folder: Path) -> dict[int, Kafka]:
    """Return the nodes of a new cluster by their ids; none runs yet."""
    kept = {node: {"port": ports.free(), "controller_port": ports.free()} for node in (1, 2, 3)}
    voters = ",".join(f"{node}@{ports.LOOPBACK}:{each['controller_port']}" for node, each in kept.items())
    cluster_id = uuid.UUID(int=uuid.uuid4().int >> 8).hex[:22]
    nodes = {}
    for node, each in kept.items():
        place = folder / f"kafka-{node}"
        place.mkdir(parents=True)
        (place / "kafka.json").write_text(json.dumps({"cluster_id": cluster_id, **each}))
        more = NODE.format(node=node, voters=voters)
        nodes[node] = Kafka(place, folder / f"kafka-{node}.log", jvm=JVM, secured=False, more=more)
    return nodes


class Clustered(Stack):
    """A stack with three brokers (`brokers`), of which `kafka` is the first, with a standby (`standby`), with an `archive` of
    PostgreSQL's write-ahead log. Once `promote` was called, `postgres` is the promoted one."""

    def __init__(
        self, folder: Path, sources: Mapping[str, Any] = traffic.SOURCES, *, brokers: bool = False, standby: bool = False,
        archive: Path | None = None, **settings: Any,
    ) -> None:  # fmt: skip
        super().__init__(folder, sources, **({"kafka": REPLICATED} if brokers else {}), **settings)
        self.postgres = Postgres(folder / "postgres", folder / "postgres.log", tuning=DURABLE)
        self.brokers = three_nodes(folder) if brokers else {1: self.kafka}
        self.kafka = self.brokers[1]
        self.standby = Postgres(folder / "standby", folder / "standby.log", tuning=DURABLE) if standby else None
        self._archive = archive
        self._hosts: list[int] = []

    @property
    def bootstrap(self) -> str:
        """The addresses of all brokers."""
        return ",".join(each.bootstrap for each in self.brokers.values())

    def dsn(self, role: str) -> str:
        """Return a connection string with all servers, of which that is used which can be written to."""
        one = self.postgres.dsn(role)
        if len(self._hosts) < 2:
            return one
        credentials = one.removeprefix("postgresql://").split("@")[0]
        hosts = ",".join(f"{ports.LOOPBACK}:{port}" for port in self._hosts)
        return f"postgresql://{credentials}@{hosts}/{DATABASE}?target_session_attrs=read-write"

    async def start_servers(self) -> None:
        """Start all of them, and wait until the standby is synchronous."""
        if self._archive is not None:
            await archiving(self.postgres, self._archive)
        async with asyncio.TaskGroup() as servers:
            servers.create_task(self.postgres.start())
            for each in self.brokers.values():
                servers.create_task(each.start())
        self._hosts = [self.postgres.port]
        if self.standby is not None:
            await standby_of(self.postgres, self.standby)
            self._hosts.append(self.standby.port)

    async def stop_servers(self) -> None:
        """Stop all of them."""
        await asyncio.gather(*(each.stop() for each in self.brokers.values()))
        for server in (self.postgres, self.standby):
            if server is not None:
                await server.stop()

    async def kill_broker(self, node: int) -> None:
        """kill -9."""
        child = self.brokers[node].child
        os.kill(child.pid, signal.SIGKILL)
        await child.wait()

    async def leads(self) -> dict[int, int]:
        """Return how many partitions of `webhooks.received` each broker leads."""
        leaders = [each["leader"] for each in await self._partitions("webhooks.received")]
        return {node: leaders.count(node) for node in self.brokers}

    async def in_sync(self, within: float = 90) -> None:
        """Wait until every replica of every topic is in sync."""

        async def behind() -> list[Any]:
            return [each for each in await self._partitions() if len(each["isr"]) < len(each["replicas"])]

        await eventually(behind, lambda found: not found, within=within)

    async def _partitions(self, topic: str | None = None) -> list[dict[str, Any]]:
        async with admin(KafkaSettings(bootstrap=self.bootstrap)) as client:
            found = await client.describe_topics([topic] if topic else None)
        return [partition for each in found for partition in each["partitions"]]

    async def promote(self) -> None:
        """Make the standby the primary. It waits for no standby of its own, since there is none."""
        assert self.standby is not None
        async with await psycopg.AsyncConnection.connect(
            self.standby.dsn("superuser", "postgres"), autocommit=True
        ) as db:
            await db.execute("SELECT pg_promote(wait => true, wait_seconds => 30)")
        self.postgres, self.standby = self.standby, self.postgres
