"""Apache Kafka on this machine: one KRaft node, a child process on loopback ports."""

import asyncio
import base64
import contextlib
import json
import os
import signal
import time
import uuid
from pathlib import Path

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from app.embedded import jars, java, ports
from app.embedded.process import Child

TEMPLATE = Path(__file__).with_name("server.properties")
READY_WITHIN = 120.0  # seconds; after a kill -9 it reads the newest segment of each partition again
STOP_WITHIN = 20.0

#: The JVM of a broker that shares its machine: a bounded heap, small reserves, short pauses.
JVM = ("-Xms128m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError")

#: For tests: the quick compiler alone starts sooner.
QUICK_JVM = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")

LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
)


class Kafka:
    """One broker. `folder` holds its log (`log/`), its properties and `kafka.json` (ports, cluster id)."""

    name = "Kafka"

    def __init__(self, folder: Path, log: Path, *, jvm: tuple[str, ...] = JVM) -> None:
        self.folder = folder.absolute()
        self.log = log.absolute()
        self.jvm = jvm
        self._child: Child | None = None
        self._kept: dict[str, str | int] = {}

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients; known once started."""
        return f"{ports.LOOPBACK}:{self._kept['port']}"

    @property
    def child(self) -> Child:
        """The broker's process. Raises RuntimeError before the first start."""
        if self._child is None:
            raise RuntimeError("Kafka was not started")
        return self._child

    async def prepare(self, progress: jars.Progress | None = None) -> list[str | Path]:
        """Fetch the jars that are missing, format the storage once. Returns the command line of the broker.

        Raises FetchFailed (a jar could not be had), StartFailed (with the log's last lines) or PortTaken.
        """
        classpath = os.pathsep.join(map(str, await asyncio.to_thread(jars.fetch, progress or _untold)))
        found = await asyncio.to_thread(java.find)
        self.folder.mkdir(parents=True, exist_ok=True)
        properties = await self._configure()
        java_command: list[str | Path] = [found.executable, *self.jvm, *LOGGING, "-cp", classpath]
        if not (self.folder / "log" / "meta.properties").exists():
            arguments: list[str | Path] = [
                "format",
                "--cluster-id",
                str(self._kept["cluster_id"]),
                "--config",
                properties,
            ]
            tool = Child(self.name, [*java_command, "kafka.tools.StorageTool", *arguments], self.log)
            tool.start()
            await tool.wait()
            if tool.exit_code != 0:
                raise tool.failure(f"formatting its storage ended, {tool.how_it_ended()}")
        return [*java_command, "kafka.Kafka", properties]

    async def start(self) -> None:
        """Prepare, run, wait until it answers. Started again, it keeps its ports. Raises as `prepare` does."""
        self._child = Child(self.name, await self.prepare(), self.log)
        self._child.start()
        await self._ready()

    async def stop(self) -> None:
        """Stop it in order; after `STOP_WITHIN` seconds, for good. Does nothing where it does not run."""
        if self._child is not None:
            await self._child.stop(signal.SIGTERM, within=STOP_WITHIN)

    async def _configure(self) -> Path:
        file = self.folder / "kafka.json"
        self._kept = json.loads(file.read_text()) if file.exists() else {"cluster_id": _cluster_id()}
        for name in ("port", "controller_port"):
            kept = int(self._kept.get(name, 0))
            self._kept[name] = await ports.regain(kept) if self._child else ports.free(kept)
        file.write_text(json.dumps(self._kept))
        properties = self.folder / "server.properties"
        properties.write_text(TEMPLATE.read_text().format(log_dir=self.folder / "log", **self._kept))
        return properties

    async def _ready(self) -> None:
        began = time.monotonic()
        while not await self._answers():
            if not self.child.alive:
                raise self.child.failure(f"it ended, {self.child.how_it_ended()}")
            if time.monotonic() - began > READY_WITHIN:
                raise self.child.failure(f"no answer within {READY_WITHIN:.0f} s")
            await asyncio.sleep(0.05)

    async def _answers(self) -> bool:
        """Whether it takes part in its own cluster: its metadata names a broker, which it does only once unfenced."""
        if not ports.answers(int(self._kept["port"])):
            return False
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap, request_timeout_ms=2000)
        try:
            await admin.start()
            return bool((await admin.describe_cluster())["brokers"])
        except (KafkaError, OSError):
            return False
        finally:
            with contextlib.suppress(KafkaError, OSError):
                await admin.close()


def _untold(got: int, of: int) -> None:
    """Progress that nobody watches."""


def _cluster_id() -> str:
    """A new cluster id as Kafka writes them: 16 random bytes in URL-safe base64 that doesn't start with a dash."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()).startswith("-"):
        pass
    return text
