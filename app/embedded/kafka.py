"""Runs Apache Kafka on this machine: one KRaft node, as a child process on loopback ports."""

import asyncio
import base64
import contextlib
import json
import os
import secrets
import signal
import time
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError
from pydantic import SecretStr

from app.embedded import jars, java, ports
from app.embedded.firstrun import write_secret
from app.embedded.process import Child
from app.kafka import client_args
from app.settings import Kafka as Settings
from webhooks.cancelled import pass_on

TEMPLATE = Path(__file__).with_name("server.properties")
#: The templates added to `server.properties` with and without authentication of clients.
SECURED, OPEN = TEMPLATE.with_name("secured.properties"), TEMPLATE.with_name("open.properties")
#: The file for Kafka's own tools (`--command-config`).
CLIENT = """bootstrap.servers={bootstrap}
security.protocol=SASL_PLAINTEXT
sasl.mechanism={mechanism}
sasl.jaas.config=org.apache.kafka.common.security.{login} required username="{USER}" password="{password}";
"""
#: The user name of Threadline's processes at the embedded broker.
USER = "threadline"
#: SASL mechanism to Kafka's login module.
LOGINS = {"SCRAM-SHA-512": "scram.ScramLoginModule", "PLAIN": "plain.PlainLoginModule"}
READY_WITHIN = 120.0  # seconds; after a kill -9 it rereads the newest segment of each partition
STOP_WITHIN = 20.0

#: JVM options for a broker that shares its machine: a bounded heap, small reserves, short pauses.
JVM = ("-Xms128m", "-Xmx512m", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:+ExitOnOutOfMemoryError")

#: For tests: only the fast compiler, which starts sooner.
QUICK_JVM = ("-Xms64m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:+ExitOnOutOfMemoryError")

LOGGING = (
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-Dorg.slf4j.simpleLogger.showDateTime=true",
    "-Dorg.slf4j.simpleLogger.dateTimeFormat=yyyy-MM-dd'T'HH:mm:ss.SSSZ",
    "-Dorg.slf4j.simpleLogger.showThreadName=false",
)


class Kafka:
    """One broker. `folder` (0700) holds its log (`log/`), its properties, `kafka.json` (ports, cluster id, password) and
    `client.properties` for Kafka's own tools.

    Clients authenticate with a password made at the first start, since every account of the machine can reach loopback.
    `secured=False`, for tests and benchmarks, turns that off. `more`: lines of `server.properties` that override its own;
    `users`: further users and their passwords, stored when it is formatted.
    """

    name = "Kafka"

    def __init__(
        self,
        folder: Path,
        log: Path,
        *,
        jvm: tuple[str, ...] = JVM,
        secured: bool = True,
        more: str = "",
        users: Mapping[str, str] | None = None,
    ) -> None:
        self.folder = folder.absolute()
        self.log = log.absolute()
        self.jvm = jvm
        self._secured = secured
        self._more = more
        self._users = dict(users or {})
        self._child: Child | None = None
        self._kept: dict[str, str | int] = {}

    @property
    def bootstrap(self) -> str:
        """`host:port` for clients, available once started."""
        return f"{ports.LOOPBACK}:{self._kept['port']}"

    @property
    def settings(self) -> dict[str, Any]:
        """The fields of `app.settings.Kafka` that reach this broker, available once started or `remembered`."""
        if not self._secured:
            return {"bootstrap": self.bootstrap}
        return {
            "bootstrap": self.bootstrap,
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": str(self._kept["mechanism"]),
            "username": USER,
            "password": SecretStr(str(self._kept["password"])),
        }

    def remembered(self) -> bool:
        """Read ports and password from `kafka.json`. Returns whether they exist."""
        file = self.folder / "kafka.json"
        self._kept = json.loads(file.read_text()) if file.exists() else {}
        return "password" in self._kept

    @property
    def child(self) -> Child:
        """The broker's process. Raises RuntimeError before the first start."""
        if self._child is None:
            raise RuntimeError("Kafka was not started")
        return self._child

    async def prepare(self, progress: jars.Progress | None = None) -> list[str | Path]:
        """Download missing jars and format the storage once. Returns the broker's command line.

        Raises FetchFailed, StartFailed (with the log's last lines) or PortTaken.
        """
        classpath = os.pathsep.join(map(str, await asyncio.to_thread(jars.fetch, progress or _no_progress)))
        found = await asyncio.to_thread(java.find)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.folder.chmod(0o700)
        properties = await self._configure()
        java_command: list[str | Path] = [found.executable, *self.jvm, *LOGGING, "-cp", classpath]
        if not self._formatted:
            await self._format(found.executable, classpath, properties)
        return [*java_command, "kafka.Kafka", properties]

    async def start(self) -> None:
        """Prepare and run the broker, and wait until it answers. A restart keeps the ports. Raises as `prepare` does."""
        self._child = Child(self.name, await self.prepare(), self.log)
        self._child.start()
        await self._ready()

    async def stop(self) -> None:
        """Stop the broker, and kill it after `STOP_WITHIN` seconds. Does nothing if it is not running."""
        if self._child is not None:
            await self._child.stop(signal.SIGTERM, within=STOP_WITHIN)

    @property
    def _formatted(self) -> bool:
        return (self.folder / "log" / "meta.properties").exists()

    async def _format(self, executable: Path, classpath: str, properties: Path) -> None:
        """Format the storage and store the password of `USER` in it (KIP-900). Raises StartFailed."""
        line = ["-cp", f'"{classpath}"', "kafka.tools.StorageTool", "format", "--config", f'"{properties}"']
        line += ["--cluster-id", str(self._kept["cluster_id"])]
        if self._secured:
            for name, password in {USER: self._kept["password"], **self._users}.items():
                line += ["--add-scram", f"{self._kept['mechanism']}=[name={name},password={password}]"]
        # In a file, since every account of the machine can read command lines.
        arguments = self.folder / "format.arguments"
        write_secret(arguments, " ".join(line))
        tool = Child(self.name, [executable, *self.jvm, *LOGGING, f"@{arguments}"], self.log)
        try:
            tool.start()
            await tool.wait()
        finally:
            arguments.unlink()
        if tool.exit_code != 0:
            raise tool.failure(f"formatting its storage ended, {tool.how_it_ended()}")

    async def _configure(self) -> Path:
        self.remembered()
        self._kept.setdefault("cluster_id", _cluster_id())
        if "password" not in self._kept:
            # Storage formatted by an earlier version has no SCRAM credential, which only formatting can add.
            self._kept["mechanism"] = "PLAIN" if self._formatted else "SCRAM-SHA-512"
            self._kept["password"] = secrets.token_urlsafe(24)
        for name in ("port", "controller_port"):
            kept = int(self._kept.get(name, 0))
            self._kept[name] = await ports.regain(kept) if self._child else ports.free(kept)
        write_secret(self.folder / "kafka.json", json.dumps(self._kept))
        values = {**self._kept, "login": LOGINS[str(self._kept["mechanism"])], "USER": USER}
        if self._secured:
            write_secret(self.folder / "client.properties", CLIENT.format(bootstrap=self.bootstrap, **values))
        properties = self.folder / "server.properties"
        text = TEMPLATE.read_text() + (SECURED if self._secured else OPEN).read_text()
        write_secret(properties, text.format(log_dir=self.folder / "log", **values) + self._more)
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
        """Return whether the broker is unfenced: only then does its metadata name a broker."""
        if not ports.answers(int(self._kept["port"])):
            return False
        admin = AIOKafkaAdminClient(**client_args(Settings(**self.settings)), request_timeout_ms=2000)
        try:
            await admin.start()
            return bool((await admin.describe_cluster())["brokers"])
        except (KafkaError, OSError) as error:
            pass_on(error)
            return False
        finally:
            with contextlib.suppress(KafkaError, OSError):
                await admin.close()


def _no_progress(got: int, of: int) -> None:
    """Ignore progress."""


def _cluster_id() -> str:
    """Make a cluster id in Kafka's form: 16 random bytes in URL-safe base64 that does not start with a dash."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).rstrip(b"=").decode()).startswith("-"):
        pass
    return text
