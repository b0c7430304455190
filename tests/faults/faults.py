"""Kills the worker, the HTTP process, Kafka and PostgreSQL (kill -9) in turn under a steady load, then counts.

Half of the webhooks are of three providers, half of every simulated provider. Each is posted until it is acknowledged,
as providers do, some twice, all out of order. At the end each acknowledged webhook must be in the log exactly once, and
each interaction must equal that of a clean run: the same facts, each once, in order, into an empty database.

A part of `make faults`; a short form is part of the tests.
"""

import asyncio
import os
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import psycopg
from rich.console import Console
from rich.table import Table

from adapters import interpret
from agents import GROUP, TOPICS
from app.embedded.kafka import Kafka
from app.embedded.postgres import Postgres
from app.implied import with_implied
from app.kafka import client_args
from schemas.events import Event
from sql import EventStore
from sql.migrate import migrate
from tests.faults.posting import Provider
from tests.faults.providers import SOURCES, Signed, Webhook, played
from tests.support import traffic
from tests.support.keys import SEAL
from tests.support.lag import measure_lag
from tests.support.links import id_keys, known_handles, logged_id
from tests.support.stack import Stack

VICTIMS = ("work", "serve", "kafka", "postgres")


@dataclass
class Outcome:
    """The counts of a run."""

    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VICTIMS, 0))
    acknowledged: int = 0
    requests: int = 0
    refused: int = 0
    events: int = 0
    lost: int = 0
    doubled: int = 0
    regressed: int = 0
    dead: int = 0
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing was lost, doubled, regressed, or made a dead letter."""
        return not (self.lost or self.doubled or self.regressed or self.dead)


async def kill(stack: Stack, victim: str, rng: random.Random) -> None:
    """kill -9, leave it dead for a moment, start it again."""
    servers: dict[str, Kafka | Postgres] = {"kafka": stack.kafka, "postgres": stack.postgres}
    server = servers.get(victim)
    child = stack.children[victim] if server is None else server.child
    os.kill(child.pid, signal.SIGKILL)
    await child.wait()
    await asyncio.sleep(rng.uniform(0, 3))
    await (stack.start(victim) if server is None else server.start())


async def settle(stack: Stack, within: float = 90) -> None:
    """Wait until the spool is empty and the worker has committed the end of every topic."""
    deadline = time.monotonic() + within
    async with httpx.AsyncClient(verify=False) as client:
        while True:
            lag = await measure_lag(client_args(stack.settings.kafka), GROUP, TOPICS)
            page = (await client.get(f"{stack.url}/metrics")).text
            spooled = [line for line in page.splitlines() if line.startswith("threadline_spool_records ")]
            if not any(lag.values()) and spooled and float(spooled[0].split()[1]) == 0:
                return
            if time.monotonic() > deadline:
                raise RuntimeError(f"did not settle within {within} s: lag {lag}, spool {spooled}")
            await asyncio.sleep(0.5)


def facts_of(webhook: Webhook, received_at: datetime) -> list[Any]:
    """Return the events that a webhook must become, with the consent events that they imply and the links that they state."""
    return with_implied(interpret(webhook.request("http://localhost", received_at), webhook.source).events)


#: Each fact with its earliest receipt, which counts if the provider gives no time, and the number of its first
#: versions. (A redelivery with an earlier receipt is stored beside the first version, under its identity.)
LOGGED = """
SELECT source, source_event_id, min(received_at), count(*) FILTER (WHERE identity IS NULL)
FROM threadline.events WHERE client_id = 'default' GROUP BY source, source_event_id
"""
INTERACTIONS = "SELECT id::text, to_jsonb(i) - 'last_change' FROM threadline.interactions i WHERE client_id = 'default'"


async def verify(stack: Stack, posts: Sequence[Webhook], acknowledged: set[int], outcome: Outcome) -> None:
    """Compare the log with the acknowledged webhooks, and the timelines with those of a clean run."""
    async with await psycopg.AsyncConnection.connect(stack.postgres.dsn("superuser")) as db:
        logged = await (await db.execute(LOGGED)).fetchall()
        live: dict[str, Any] = dict(await (await db.execute(INTERACTIONS)).fetchall())
        known, ids = await known_handles(db), (await id_keys(db))["default"]
        (outcome.dead,) = await (await db.execute("SELECT count(*) FROM threadline.dead_letters")).fetchone() or (0,)
    received = {(source, event): at for source, event, at, _ in logged}
    now = datetime.now(UTC)
    expected = [event for n in sorted(acknowledged) for event in facts_of(posts[n], now)]
    named = [((event.source, logged_id(event, known, ids)), event) for event in expected]
    keys = {key for key, _ in named}
    outcome.events = len(logged)
    outcome.lost = len(keys - received.keys())
    outcome.doubled = sum(first - 1 for *_, first in logged) + len(received.keys() - keys)
    clean = await clean_run(stack, [(event, received[key]) for key, event in named if key in received])
    outcome.regressed = sum(live.get(key) != clean.get(key) for key in live.keys() | clean.keys())


async def clean_run(stack: Stack, events: Sequence[tuple[Event, datetime]]) -> dict[str, Any]:
    """Return the interactions that these events make in an empty database, each appended once, in order.

    The times of receipt are those of the log, as they stand in for times that the provider does not give. So are the random ids
    of handles.
    """
    await stack.postgres.execute("copy_database", template="template1", name="clean")
    dsn = stack.postgres.dsn("owner", "clean")
    await migrate(dsn)
    async with (
        await psycopg.AsyncConnection.connect(stack.postgres.dsn("superuser")) as live,
        await psycopg.AsyncConnection.connect(dsn) as clean,
    ):
        for table in ("peppers", "handles"):
            for row in await (await live.execute(f"SELECT to_jsonb(t)::text FROM threadline.{table} AS t")).fetchall():
                await clean.execute(
                    f"INSERT INTO threadline.{table} SELECT * FROM jsonb_populate_record(NULL::threadline.{table}, %s::jsonb)",
                    row,
                )
        await clean.execute(
            "INSERT INTO threadline.assignments (id, handle_id, own_id, customer_id, client_id) "
            "SELECT id, id, customer_id, customer_id, client_id FROM threadline.handles WHERE kind <> 'nobody'"
        )
    store = await EventStore.open(dsn, SEAL, pool=1)
    for start in range(0, len(events), 500):
        await store.append([(event, "default", at, None) for event, at in events[start : start + 500]], [], [])
    await store.close()
    async with await psycopg.AsyncConnection.connect(dsn) as db:
        return dict(await (await db.execute(INTERACTIONS)).fetchall())


def mixed(count: int, seed: int) -> list[Webhook]:
    """Return webhooks: half of three providers in many orders and forms, half of all simulated providers."""
    made = traffic.posts(count - count // 2, seed=seed, customers=max(20, count // 50), email=True)
    return [*map(Signed, made), *played(count // 2, seed)]


async def run(folder: Path, *, webhooks: int, rate: float, kills: int, seed: int, console: Console) -> Outcome:
    """Run once; return the counts."""
    rng, outcome, began = random.Random(seed), Outcome(), time.monotonic()
    posts = mixed(webhooks, seed)
    async with Stack(folder, sources=SOURCES) as stack:
        await asyncio.gather(stack.start("serve"), stack.start("work"))
        provider = Provider(stack, posts, rate, seed)
        posting = asyncio.create_task(provider.run())
        for number in range(kills):
            await asyncio.sleep(rng.uniform(1, 4))
            victim = VICTIMS[number % len(VICTIMS)]
            await kill(stack, victim, rng)
            outcome.kills[victim] += 1
            console.print(
                f"killed {victim} ({number + 1} of {kills}); acknowledged {len(provider.acknowledged)} of {webhooks}"
            )
        await posting
        await settle(stack)
        outcome.acknowledged = len(provider.acknowledged)
        outcome.requests, outcome.refused = provider.requests, provider.refused
        await verify(stack, posts, provider.acknowledged, outcome)
    outcome.seconds = time.monotonic() - began
    return outcome


def show(outcome: Outcome, console: Console) -> None:
    """Print the counts."""
    table = Table("count", "figure", title="Faults", caption=f"{outcome.seconds:.0f} s")
    for name, times in outcome.kills.items():
        table.add_row(f"kill -9 of {name} survived", str(times))
    for name in ("requests", "refused", "acknowledged", "events", "lost", "doubled", "regressed", "dead"):
        table.add_row(
            {"refused": "refused, then repeated", "dead": "dead letters"}.get(name, name), str(getattr(outcome, name))
        )
    console.print(table)
