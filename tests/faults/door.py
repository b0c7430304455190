"""Runs crowds at the door beside a provider: idle connections, slow ones, and heads that do not end; from many
addresses, then all from the provider's own, as behind a proxy. No webhook of the provider may be refused, lost or late.

A part of `make faults`; a short form is part of the tests.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from rich.console import Console

from app.http.listening.descriptors import claim
from tests.support import load, traffic
from tests.support.stack import Stack

CONNECTIONS = 32
#: Milliseconds within which 99 of 100 webhooks must be acknowledged.
P99 = 250.0
#: Connections opened concurrently.
AT_ONCE = 100
POST = b"POST /webhooks/aggregate/twilio HTTP/1.1\r\nhost: x\r\n"
BEGUN = POST + b"content-length: 1000000\r\n\r\n"


@dataclass
class Outcome:
    """The counts of a run: connections opened by kind, connections ended by reason, and the provider's webhooks that
    were acknowledged, refused, or lost with their connection, with their latencies in milliseconds."""

    opened: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    acknowledged: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    broken: Counter[str] = field(default_factory=Counter)
    p99: dict[str, float] = field(default_factory=dict)
    worst: dict[str, float] = field(default_factory=dict)
    seconds: float = 0.0

    @property
    def kept(self) -> bool:
        """Whether no webhook was refused or lost."""
        return not self.refused.total() and not self.broken.total() and self.acknowledged.total() > 0

    @property
    def good(self) -> bool:
        """Whether no webhook was refused, lost or late."""
        return self.kept and max(self.p99.values()) < P99


class Crowd:
    """Connections to a port from these addresses, each reopened when it ends."""

    def __init__(self, port: int, addresses: Sequence[str], counts: dict[str, int], opened: Counter[str]) -> None:
        self._port, self._addresses, self._counts, self.opened = port, addresses, counts, opened
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._tasks: list[asyncio.Task[None]] = []

    async def come(self) -> None:
        """Open all connections; return when each has connected once."""
        act = {"idle": self._idle, "slow heads": self._head, "slow bodies": self._body, "huge heads": self._huge}
        arrived = []
        for kind, count in self._counts.items():
            for number in range(count):
                there = asyncio.Event()
                arrived.append(there.wait())
                address = self._addresses[number % len(self._addresses)]
                self._tasks.append(asyncio.create_task(self._again(kind, act[kind], address, there)))
        await asyncio.wait_for(asyncio.gather(*arrived), 120)

    async def go(self) -> None:
        """Close all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _again(self, kind, act, address: str, there: asyncio.Event) -> None:  # type: ignore[no-untyped-def]
        while True:
            writer = None
            try:
                async with self._gate:
                    reader, writer = await asyncio.open_connection("127.0.0.1", self._port, local_addr=(address, 0))
                self.opened[kind] += 1
                there.set()
                await act(reader, writer)
            except OSError:
                pass
            finally:
                if writer is not None:
                    writer.close()
            await asyncio.sleep(0.1)

    async def _idle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def _head(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._drip(reader, writer, POST, b"x")

    async def _body(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._drip(reader, writer, BEGUN + b"x" * 16_000, b"x" * 10)

    async def _drip(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, start: bytes, drop: bytes
    ) -> None:
        writer.write(start)
        while not reader.at_eof():
            with suppress(TimeoutError):
                await asyncio.wait_for(reader.read(4096), 1)
            writer.write(drop)
            await writer.drain()

    async def _huge(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(POST)
        for _ in range(100):
            writer.write(b"x-much: " + b"v" * 4000 + b"\r\n")
            await writer.drain()
        await reader.read()


async def ended(stack: Stack) -> Counter[str]:
    """Return the number of connections that the door has ended, by reason."""
    async with httpx.AsyncClient() as client:
        page = (await client.get(f"{stack.url}/metrics", timeout=30)).text
    lines = [line for line in page.splitlines() if line.startswith("threadline_connections_ended_total{")]
    return Counter({line.split('"')[1]: int(float(line.rsplit(" ", 1)[1])) for line in lines})


async def run(
    folder: Path, *, idle: int, slow: int, huge: int, rate: float, seconds: float, console: Console
) -> Outcome:
    """Run once: a crowd from many addresses, then one from the provider's own."""
    outcome, began = Outcome(), time.monotonic()
    claim()
    counts = {"idle": idle, "slow heads": slow // 2, "slow bodies": slow - slow // 2, "huge heads": huge}
    async with Stack(folder) as stack:
        await stack.start("serve")
        file = stack.folder / "requests.bin"
        load.write(file, traffic.callbacks(5000, f"127.0.0.1:{stack.door}"))
        for name, addresses in (("many", [f"127.0.0.{n}" for n in range(2, 42)]), ("one", ["127.0.0.1"])):
            crowd = Crowd(stack.door, addresses, counts, outcome.opened)
            await crowd.come()
            console.print(f"{sum(counts.values())} connections from {len(addresses)} addresses are there")
            try:
                result = await load.start(stack.door, file, seconds=seconds, connections=CONNECTIONS, rate=rate)
            finally:
                await crowd.go()
            outcome.acknowledged[name] = result.statuses.get("200", 0)
            outcome.refused[name] = result.answered - outcome.acknowledged[name]
            outcome.broken[name] = result.broken
            outcome.p99[name], outcome.worst[name] = result.p99, result.worst
        outcome.ended = await ended(stack)
    outcome.seconds = time.monotonic() - began
    return outcome
