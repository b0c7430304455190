"""A steady load of webhooks, and of sends by simulated providers, and the count of what became of it."""

import asyncio
import json
import platform
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self

import psycopg

from tests.faults import faults, outbound
from tests.faults.faults import settle, verify
from tests.faults.moody import Moody
from tests.faults.posting import Provider
from tests.faults.providers import Signed
from tests.faults.reporter import Reporter
from tests.faults.senders import moody_providers, sources
from tests.faults.service import Service
from tests.support import traffic
from tests.support.stack import ROOT, Stack

#: Webhooks a second, and the most of a run.
RATE, MOST = 50, 12_000
#: Sends a second, the providers (both know a repeat by its key), and the client whose sends they are: `verify` counts those of the client `default`.
SENDS, PROVIDERS, SHOP = 5, ("resend", "onesignal"), "shop"
#: The longest time between two commits of the worker's batches.
PAUSE = """
SELECT max(extract(epoch FROM recorded_at - before))::float FROM (
    SELECT recorded_at, lag(recorded_at) OVER (ORDER BY recorded_at) AS before
    FROM threadline.events WHERE client_id = 'default' AND recorded_at < %s
) AS each
"""


#: Configures a client with these providers, and returns an API key of it.
Prepare = Callable[[str, Sequence[str]], Awaitable[str]]


class Load:
    """Webhooks until `end`, of SendGrid too with `email`, each until it is acknowledged; and `sends` messages, if any, of a client that
    `prepare` configures."""

    def __init__(
        self,
        stack: Stack,
        moody: dict[str, Moody],
        sends: int,
        seed: int,
        email: bool = True,
        prepare: Prepare | None = None,
    ) -> None:
        self.posts = [Signed(post) for post in traffic.posts(MOST, seed=seed, email=email)]
        self.provider = Provider(stack, self.posts, RATE, seed)
        self._stack, self._moody, self._sends = stack, moody, sends
        self._prepare = prepare or partial(outbound.prepare, stack)
        self._tasks: list[asyncio.Task[Any]] = []
        self._ended = datetime.now(UTC)

    async def __aenter__(self) -> Self:
        key = await self._prepare(SHOP, tuple(self._moody)) if self._sends else ""
        self._tasks = [asyncio.create_task(self.provider.run())]
        if self._sends:
            self.service = Service(self._stack, tuple(self._moody), key, self._sends, SENDS, SHOP)
            self.reporter = Reporter(self._stack, self._moody)
            self._tasks += [asyncio.create_task(self.service.run()), asyncio.create_task(self.reporter.run())]
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def end(self) -> dict[str, Any]:
        """End the webhooks, wait until all of the load is processed, and count. Fails if anything was lost, doubled or sent
        twice. Returns the figures."""
        self._ended = datetime.now(UTC)
        self.provider.queue.clear()
        await asyncio.gather(*self._tasks[:2])
        await settle(self._stack)
        figures: dict[str, Any] = {}
        if self._sends:
            outcome = outbound.Outcome(accepted=self.service.accepted)
            await outbound.settled(self._stack, self.reporter)
            await outbound.count(self._stack, outcome, self._moody)
            assert outcome.good, outcome
            figures["sends"] = outcome.states["sent"]
        counted = faults.Outcome()
        await verify(self._stack, self.posts, self.provider.acknowledged, counted)
        assert counted.good, counted
        provider = self.provider
        return figures | {
            "acknowledged": len(provider.acknowledged),
            "refused, then repeated": provider.refused,
            "longest until a webhook was acknowledged": round(provider.slowest, 1),
            "longest between two commits of the worker": await self.paused(self._ended),
        }

    async def paused(self, until: datetime) -> float:
        """Return the longest time between two commits of the worker up to a time, in seconds."""
        async with await psycopg.AsyncConnection.connect(self._stack.postgres.dsn("superuser")) as db:
            row = await (await db.execute(PAUSE, [until])).fetchone()
        assert row is not None
        return round(float(row[0]), 1)


@asynccontextmanager
async def loaded_sources(
    seed: int, sends: int, providers: Sequence[str] = PROVIDERS
) -> AsyncIterator[tuple[dict[str, Moody], dict[str, Any]]]:
    """Run the providers to send by; give them and all sources for the settings."""
    moody = moody_providers(providers if sends else (), 0, seed)
    for each in moody.values():
        await each.__aenter__()
    try:
        yield moody, {**traffic.SOURCES, **{name: one | {"client": SHOP} for name, one in sources(moody).items()}}
    finally:
        for each in moody.values():
            await each.__aexit__()


def note(what: str, figures: dict[str, Any]) -> None:
    """Add the figures to `build/acceptance.jsonl`, with the date and the machine."""
    file = ROOT / "build" / "acceptance.jsonl"
    file.parent.mkdir(exist_ok=True)
    line = {"what": what, "at": f"{datetime.now(UTC):%Y-%m-%d %H:%M}", "machine": platform.platform(), **figures}
    with file.open("a") as lines:
        lines.write(json.dumps(line) + "\n")
