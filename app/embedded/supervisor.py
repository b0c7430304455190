"""Runs all of Threadline on this machine: starts the parts in order, restarts those that die, stops them in reverse."""

import asyncio
import os
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from pydantic import SecretStr

from app.embedded import addresses, ports, running, sample
from app.embedded.display import Display
from app.embedded.jars import FetchFailed
from app.embedded.kafka import Kafka
from app.embedded.parts import LOGINS, ORDER, Part, Program, programs
from app.embedded.postgres import Postgres
from app.embedded.process import StartFailed
from app.kafka import ensure_topics
from app.numbered import numbered
from app.settings import Settings
from sql.migrate import migrate, pending

T = TypeVar("T")

#: Seconds before a part that died at its start is restarted, doubling from the first to the last. A part that had run for
#: `STEADY` seconds is restarted at once.
FIRST_PAUSE, LAST_PAUSE, STEADY = 0.2, 30.0, 10.0


class Supervisor:
    """One system. The caller holds the lock of the data folder, calls `start`, then `watch`, and always `stop`."""

    def __init__(self, settings: Settings, display: Display) -> None:
        self.settings = settings.model_copy(update={"data": settings.data.absolute()})
        self.display = display
        #: Which default ports are taken, and what is used instead, in words.
        self.moved: list[str] = []
        self._parts: list[Part] = []
        self._server: Postgres | None = None
        self._ready = self._stopping = False

    @property
    def data(self) -> Path:
        """The data folder, absolute."""
        return self.settings.data

    @property
    def url(self) -> str:
        """The base URL of the door and the API."""
        return addresses.url(self.settings.door)

    async def prepare(self) -> None:
        """Download and set up the embedded parts without starting them. Raises as `start` does."""
        if not self.settings.postgres.dsn:
            self.display.begin("PostgreSQL", "setting up")
            await running.postgres_of(self.data).prepare()
            self.display.end("PostgreSQL", "set up")
        if not self.settings.kafka.bootstrap:
            await self._prepare_kafka(running.kafka_of(self.data))

    async def start(self) -> None:
        """Start everything, and return when all of it works.

        Raises StartFailed, FetchFailed, Unreachable, PortTaken, TopicsFailed, MigrationError, psycopg.Error, KafkaError.
        """
        self.settings = addresses.choose(self.settings, self._move)
        await _together(self._postgres(), self._kafka())
        self._publish()
        await self._migrate()
        await self._make_topics()
        await sample.ensure_key(_secret(self.settings.postgres.dsn), self.data, self.settings.api.keys)
        ours = programs(self.settings, {role: self._server.dsn(role) for role in LOGINS} if self._server else {})
        await _together(*(self._begin(program) for program in ours))
        await _together(*(program.ready() for program in ours))
        self._ready = True
        self._publish()

    async def watch(self) -> None:
        """Restart parts that die, without end."""
        await _together(*(self._keep(part) for part in self._parts))

    def reload(self) -> None:
        """Have Threadline's own processes read their settings."""
        for program in [part for part in self._parts if isinstance(part, Program)]:
            program.reload()

    async def stop(self) -> None:
        """Stop all parts in reverse order."""
        self._stopping = True
        running.withdraw(self.data)
        for part in sorted(self._parts, key=lambda part: ORDER.index(part.name), reverse=True):
            self.display.log(f"stopping {part.name}")
            await part.stop()

    async def _postgres(self) -> None:
        if not self.settings.postgres.dsn:
            self._server = server = running.postgres_of(self.data)
            await self._begin(server)
            dsns = {"dsn": SecretStr(server.dsn("service")), "owner_dsn": SecretStr(server.dsn("owner"))}
            self._set("postgres", dsns)

    async def _kafka(self) -> None:
        if not self.settings.kafka.bootstrap:
            broker = running.kafka_of(self.data)
            await self._prepare_kafka(broker)
            await self._begin(broker)
            self._set("kafka", broker.settings)

    def _move(self, words: str) -> None:
        self.moved.append(words)
        self.display.log(words)

    def _set(self, part: str, values: dict[str, Any]) -> None:
        changed = getattr(self.settings, part).model_copy(update=values)
        self.settings = self.settings.model_copy(update={part: changed})

    async def _prepare_kafka(self, broker: Kafka) -> None:
        self.display.begin("Kafka's files", "checking")
        await broker.prepare(self._received)
        self.display.end("Kafka's files", "here")

    def _received(self, got: int, of: int) -> None:
        if self._stopping:
            raise InterruptedError("stopped while Kafka was being downloaded")
        self.display.received("Kafka's files", got, of)

    async def _begin(self, part: Part) -> None:
        self.display.begin(part.name)
        try:
            await part.start()
        except BaseException:
            await part.stop()
            raise
        self._parts.append(part)
        self.display.end(part.name, f"running, process {part.child.pid}")

    async def _migrate(self) -> None:
        postgres = self.settings.postgres
        self.display.begin("Database", "migrating")
        if postgres.owner_dsn:
            applied = await migrate(_secret(postgres.owner_dsn))
            if self._server:
                await self._server.make_logins()
            self.display.end("Database", f"{numbered(len(applied), 'migration')} applied" if applied else "up to date")
        elif missing := await pending(_secret(postgres.dsn)):
            raise StartFailed(
                f"the database lacks {', '.join(missing)}: set THREADLINE_POSTGRES__OWNER_DSN, or have its owner run "
                "threadline migrate"
            )
        else:
            self.display.end("Database", "up to date")

    async def _make_topics(self) -> None:
        self.display.begin("Topics", "looking")
        states = await ensure_topics(self.settings)
        self.display.end("Topics", f"{len(states)}, {sum(state.created for state in states)} of them new")

    async def _keep(self, part: Part) -> None:
        pause, well_since = 0.0, time.monotonic()
        while True:
            await part.child.wait()
            pause = pause_after(pause, time.monotonic() - well_since)
            when = f"in {pause:.1f} s" if pause else "at once"
            self.display.log(f"{part.name} ended ({part.child.how_it_ended()}), starts again {when}")
            await asyncio.sleep(pause)
            began = time.monotonic()
            try:
                await part.start()
            except (StartFailed, FetchFailed, ports.PortTaken, psycopg.Error, OSError) as error:
                self.display.log(str(error))
                await part.stop()
            else:
                self.display.log(f"{part.name} runs again, after {time.monotonic() - began:.1f} s")
                self._publish()
            well_since = time.monotonic()

    def _publish(self) -> None:
        running.publish(
            self.data,
            {
                "pid": os.getpid(),
                "ready": self._ready,
                "door": self.url,
                "doorPort": self.settings.door.port,
                "workerPort": self.settings.worker.port,
                "bootstrap": self.settings.kafka.bootstrap,
                "pids": {part.name: part.child.pid for part in self._parts},
            },
        )


def pause_after(last: float, ran: float) -> float:
    """Return the seconds to wait before restarting a part that ran for `ran` seconds; `last` is the previous pause."""
    return 0.0 if ran >= STEADY else min(max(FIRST_PAUSE, 2 * last), LAST_PAUSE)


async def _together(*work: Coroutine[Any, Any, T]) -> list[T]:
    """Run all concurrently. If one fails, cancel the others before raising."""
    tasks = [asyncio.create_task(each) for each in work]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _secret(value: SecretStr | None) -> str:
    return value.get_secret_value() if value else ""
