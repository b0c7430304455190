"""Defines the parts that the supervisor keeps running, and Threadline's own two programs."""

import asyncio
import os
import signal
import ssl
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import httpx

from app.embedded import addresses
from app.embedded.process import Child
from app.settings import Kafka, Settings

#: The order in which the parts start; they stop in reverse.
ORDER = ("PostgreSQL", "Kafka", "Worker", "Door and API")

#: The logins of the worker and of the HTTP process.
LOGINS = ("worker", "door")

READY_WITHIN = 60.0  # seconds
STOP_WITHIN = 30.0


class Part(Protocol):
    """One supervised process. `start` returns once it answers, and may be called again after it has died."""

    @property
    def name(self) -> str: ...
    @property
    def child(self) -> Child: ...
    async def start(self) -> None: ...
    async def stop(self) -> None: ...


@dataclass
class Program:
    """A process of Threadline's, `python -m …`, with its health pages at `url`."""

    name: str
    arguments: tuple[str, ...]
    url: str
    log: Path
    environment: Mapping[str, str]
    #: How its certificate is verified, where it has one.
    verify: ssl.SSLContext | bool = True
    _child: Child | None = None
    #: Whether it has answered since it was started: from then on it handles SIGHUP, which would end it before.
    _answered: bool = False

    @property
    def child(self) -> Child:
        """Its process. Raises RuntimeError before the first start."""
        if self._child is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._child

    async def start(self) -> None:
        """Start the process and wait until `/healthz` answers. Raises StartFailed."""
        self._child = Child(
            name=self.name,
            program=[sys.executable, "-P", *self.arguments],
            log=self.log,
            environment=self.environment,
            folder=Path.cwd(),
        )
        self._answered = False
        self._child.start()
        await self._answers("/healthz")
        self._answered = True

    async def ready(self) -> None:
        """Wait until `/readyz` reports that it is ready. Raises StartFailed."""
        await self._answers("/readyz")

    def reload(self) -> None:
        """Have the process read its settings. One that is starting reads them anyway."""
        if self._answered and self.child.alive:
            os.kill(self.child.pid, signal.SIGHUP)

    async def stop(self) -> None:
        """Stop the process gracefully, then kill it."""
        if self._child is not None:
            await self._child.stop(signal.SIGTERM, within=STOP_WITHIN)

    async def _answers(self, path: str) -> None:
        state, deadline = "no answer", time.monotonic() + READY_WITHIN
        async with httpx.AsyncClient(trust_env=False, timeout=2, verify=self.verify) as client:
            while self.child.alive:
                try:
                    answer = await client.get(self.url + path)
                    state = f"{path} says {answer.status_code} {answer.text[:300]}"
                    # A worker with an alarm works; the operator needs it running to act on the alarm.
                    if answer.status_code == 200 and answer.json().get("status") in ("ok", "alarm"):
                        return
                except (httpx.HTTPError, ValueError) as error:
                    state = f"{path}: {type(error).__name__}"
                if time.monotonic() > deadline:
                    raise self.child.failure(f"not ready within {READY_WITHIN:.0f} s: {state}")
                await asyncio.sleep(0.05)
        raise self.child.failure(f"it ended, {self.child.how_it_ended()}")


def programs(settings: Settings, dsns: Mapping[str, str]) -> tuple[Program, Program]:
    """Return the worker and the HTTP process. `settings` must have an absolute data folder, a DSN and a bootstrap; `dsns` are
    those of `LOGINS`, where the processes have logins of their own."""
    logs, dsn = settings.data / "logs", settings.postgres.dsn
    shared = dsn.get_secret_value() if dsn else ""
    worker_dsn, door_dsn = ({"THREADLINE_POSTGRES__DSN": dsns.get(login, shared)} for login in LOGINS)
    given = {
        "THREADLINE_DATA": str(settings.data),
        **_kafka(settings.kafka),
        "THREADLINE_DOOR__PORT": str(settings.door.port),
        "THREADLINE_WORKER__PORT": str(settings.worker.port),
        "PYTHONUNBUFFERED": "1",
    }
    worker = Program(
        "Worker", ("-m", "app", "work"), addresses.url(settings.worker), logs / "worker.log", given | worker_dsn
    )
    door = Program(
        "Door and API",
        ("-m", "app", "serve"),
        addresses.url(settings.door),
        logs / "http.log",
        given | door_dsn,
        addresses.trust(settings.door),
    )
    return worker, door


def _kafka(kafka: Kafka) -> dict[str, str]:
    """Return the settings of Kafka that are set, as environment variables."""
    secrets = {"password": kafka.password.get_secret_value()} if kafka.password else {}
    given = kafka.model_dump(exclude={"password"}, exclude_none=True, mode="json") | secrets
    return {f"THREADLINE_KAFKA__{name.upper()}": str(value) for name, value in given.items()}
