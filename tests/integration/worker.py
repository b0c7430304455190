"""A worker as a process of its own, on servers of its own that may be halted or killed."""

import asyncio
import os
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import orjson
import psutil
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition

from app.embedded import ports
from app.embedded.kafka import QUICK_JVM, Kafka
from app.embedded.postgres import SMALL, Postgres
from app.embedded.process import Child
from app.kafka import ensure_topics
from app.kafka.unread import GROUP
from app.settings import Kafka as KafkaSettings
from app.settings import Settings
from sql.migrate import migrate
from tests.integration.command_line import command
from tests.support.keys import VARIABLE

#: Runs the worker after a line of Python that makes it misbehave.
MISBEHAVING = "{}\nimport sys\nfrom agents.__main__ import main\nsys.exit(main())"


class Worker:
    """`python -m agents`, or with `first` the same after that Python code, on these servers."""

    def __init__(self, folder: Path, dsn: str, bootstrap: str, port: int, **environment: str) -> None:
        self.folder, self.port = folder, port
        self.environment = {
            "THREADLINE_DATA": str(folder / "data"),
            "THREADLINE_POSTGRES__DSN": dsn,
            "THREADLINE_KAFKA__BOOTSTRAP": bootstrap,
            "THREADLINE_WORKER__PORT": str(self.port),
            **VARIABLE,
            **environment,
        }
        self.child: Child | None = None

    @property
    def log(self) -> str:
        """Its output."""
        assert self.child is not None
        return self.child.log.read_text(errors="replace")

    async def start(self, first: str = "") -> None:
        """Start it, and wait until it is at work."""
        self.launch(first)
        await self.until(lambda page: page["parts"]["inbound"]["status"] == "ok")

    def launch(self, first: str = "") -> None:
        """Start it, and do not wait."""
        program = ["-c", MISBEHAVING.format(first)] if first else ["-m", "agents"]
        self.child = Child(
            "Worker",
            [sys.executable, *program],
            self.folder / f"worker-{uuid4().hex}.log",
            self.environment,
            without="THREADLINE_",
            folder=Path.cwd(),
        )
        self.child.start()

    async def threadline(self, *arguments: str) -> tuple[int | None, str]:
        """A command on the worker's servers: its exit code, and all that it printed."""
        ran = await command(*arguments, environment=self.environment)
        return ran.code, ran.out + ran.err

    async def readyz(self) -> dict[str, Any] | None:
        """What it says of itself, None where it does not answer."""
        try:
            async with httpx.AsyncClient(
                trust_env=False, timeout=2, verify=False
            ) as client:  # plain HTTP, no authorities to read
                page: dict[str, Any] = (await client.get(f"http://127.0.0.1:{self.port}/readyz")).json()
                return page
        except httpx.HTTPError:
            return None

    async def until(self, holds: Any, within: float = 90) -> dict[str, Any]:
        """What it says of itself, once that holds."""
        deadline, page = time.monotonic() + within, None
        while True:
            assert self.child is not None and self.child.alive, self.log
            page = await self.readyz()
            if page is not None and holds(page):
                return page
            assert time.monotonic() < deadline, (page, self.log)
            await asyncio.sleep(0.1)

    async def end(self, how: signal.Signals = signal.SIGTERM, within: float = 30) -> tuple[int | None, float]:
        """Send it a signal; its exit status, and how many seconds that took. Kills it after `within`."""
        assert self.child is not None
        began = time.monotonic()
        os.kill(self.child.pid, how)
        if not await self.child.wait(within):
            await self.kill()
        return self.child.exit_code, time.monotonic() - began

    async def kill(self) -> None:
        """End it for good."""
        if self.child is not None and self.child.alive:
            os.kill(self.child.pid, signal.SIGKILL)
            await self.child.wait()


class Broker(Kafka):
    """One with more in its properties."""

    more: Mapping[str, str] = {}

    async def _configure(self) -> Path:
        file = await super()._configure()
        with file.open("a") as properties:
            properties.writelines(f"{name.replace('_', '.')}={value}\n" for name, value in self.more.items())
        return file


class Servers:
    """A PostgreSQL and a Kafka of a test's own."""

    def __init__(self, folder: Path, broker: dict[str, str]) -> None:
        self.folder = folder
        self.postgres = Postgres(folder / "postgres", folder / "postgres.log", tuning=SMALL)
        self.kafka = Broker(folder / "kafka", folder / "kafka.log", jvm=QUICK_JVM, secured=False)
        self.kafka.more = broker
        #: Of the worker: one that comes back under the same port takes its partitions at once.
        self.port = ports.free()
        self.halted: set[int] = set()

    async def start(self) -> None:
        """Both, with all tables and topics."""
        await asyncio.gather(self.postgres.start(), self.kafka.start())
        await migrate(self.postgres.dsn("owner"))
        await ensure_topics(self.settings)

    @property
    def settings(self) -> Settings:
        """What reaches them."""
        return Settings(kafka=KafkaSettings(bootstrap=self.kafka.bootstrap, partitions=1))

    def halt(self, child: Child) -> None:
        """Stop it as a debugger would: its connections stay, and nothing answers."""
        for pid in _family(child.pid):
            os.kill(pid, signal.SIGSTOP)
            self.halted.add(pid)

    def go_on(self) -> None:
        """Let all that was halted go on."""
        for pid in self.halted:
            if _alive(pid):
                os.kill(pid, signal.SIGCONT)
        self.halted.clear()

    async def stop(self) -> None:
        """Both."""
        self.go_on()
        await asyncio.gather(self.postgres.stop(), self.kafka.stop())

    async def post(self, count: int = 1, topic: str = "events.reported") -> None:
        """Put so many records there, which become dead letters: they are no CloudEvents."""
        async with AIOKafkaProducer(bootstrap_servers=self.kafka.bootstrap, acks="all") as producer:
            for number in range(count):
                await producer.send_and_wait(topic, orjson.dumps({"number": number}))

    async def end_of(self, tp: TopicPartition) -> int:
        """The offset that the log's next record gets."""
        async with AIOKafkaConsumer(bootstrap_servers=self.kafka.bootstrap) as consumer:
            end: int = (await consumer.end_offsets([tp]))[tp]
            return end

    async def committed(self, tp: TopicPartition) -> int | None:
        """What the workers' group has committed."""
        async with AIOKafkaConsumer(
            bootstrap_servers=self.kafka.bootstrap, group_id=GROUP, enable_auto_commit=False
        ) as consumer:
            consumer.assign([tp])
            offset: int | None = await consumer.committed(tp)
            return offset


@asynccontextmanager
async def serving(**broker: str) -> AsyncIterator[Servers]:
    """Servers of a test's own, ended at its end; `broker` are properties of Kafka's besides, with `_` for `.`."""
    with tempfile.TemporaryDirectory(prefix=f"threadline-tests-{os.getpid()}-") as name:
        os.chmod(name, 0o711)  # PostgreSQL does not run as root
        servers = Servers(Path(name), broker)
        try:
            await servers.start()
            yield servers
        finally:
            await servers.stop()


@asynccontextmanager
async def at_work(servers: Servers, **environment: str) -> AsyncIterator[Worker]:
    """A worker on them that is not started yet, ended with the test."""
    worker = Worker(
        servers.folder, servers.postgres.dsn("service"), servers.kafka.bootstrap, servers.port, **environment
    )
    try:
        yield worker
    finally:
        servers.go_on()
        await worker.kill()


def _family(pid: int) -> list[int]:
    process = psutil.Process(pid)
    return [pid, *(child.pid for child in process.children(recursive=True))]


def _alive(pid: int) -> bool:
    return bool(psutil.pid_exists(pid))
