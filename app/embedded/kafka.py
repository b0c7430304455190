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

    def __init__(self, folder: Path, log: Path, *, port: int | None = None, jvm: tuple[str, ...] = JVM) -> None:
        self.folder = folder.absolute()
        self.log = log.absolute()
        self.jvm = jvm
        self._asked_port = port
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

    async def start(self, progress: jars.Progress = lambda got, of: None) -> None:
        """Fetch what is missing, format the storage once, run, wait until it answers.

        Raises FetchFailed (a jar could not be had) or StartFailed (with the log's last lines).
        """
        classpath = os.pathsep.join(map(str, await asyncio.to_thread(jars.fetch, progress)))
        found = await asyncio.to_thread(java.find)
        self.folder.mkdir(parents=True, exist_ok=True)
        properties = self._configure()
        if not (self.folder / "log" / "meta.properties").exists():
            tool = [*self.jvm, *LOGGING, "-cp", classpath, "kafka.tools.StorageTool", "format", "--cluster-id"]
            format_storage = self._java(found, [*tool, str(self._kept["cluster_id"]), "--config", str(properties)])
            format_storage.start()
            await format_storage.wait()
            if format_storage.exit_code != 0:
                raise format_storage.failure(f"formatting its storage ended with {format_storage.exit_code}")
        self._child = self._java(found, [*self.jvm, *LOGGING, "-cp", classpath, "kafka.Kafka", str(properties)])
        self._child.start()
        await self._ready()

    async def stop(self) -> None:
        """Stop it in order; after `STOP_WITHIN` seconds, for good. Does nothing where it does not run."""
        if self._child is not None:
            await self._child.stop(signal.SIGTERM, within=STOP_WITHIN)

    def _java(self, found: java.Java, arguments: list[str]) -> Child:
        return Child(name="Kafka", program=[found.executable, *arguments], log=self.log)

    def _configure(self) -> Path:
        file = self.folder / "kafka.json"
        self._kept = json.loads(file.read_text()) if file.exists() else {"cluster_id": _cluster_id()}
        self._kept["port"] = ports.free(self._asked_port or int(self._kept.get("port", 0)))
        self._kept["controller_port"] = ports.free(int(self._kept.get("controller_port", 0)))
        while self._kept["controller_port"] == self._kept["port"]:
            self._kept["controller_port"] = ports.free()
        file.write_text(json.dumps(self._kept))
        properties = self.folder / "server.properties"
        properties.write_text(TEMPLATE.read_text().format(log_dir=self.folder / "log", **self._kept))
        return properties

    async def _ready(self) -> None:
        began = time.monotonic()
        while not await self._answers():
            if not self.child.alive:
                raise self.child.failure(f"it ended with {self.child.exit_code}")
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


def _cluster_id() -> str:
    """A new cluster id as Kafka writes them: 16 random bytes in URL-safe base64 that doesn't start with a dash."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()).startswith("-"):
        pass
    return text
