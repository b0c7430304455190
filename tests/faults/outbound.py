"""Kills the worker, the HTTP process, Kafka and PostgreSQL (kill -9) in turn while requests come by HTTP and Kafka and
leave by two moody providers, then counts.

Each request is repeated until it is acknowledged, as a service would. At the end each accepted request is in exactly
one state, and none has vanished; the provider accepted each message that counts as sent; neither provider accepted one
twice: one has idempotency keys, and for the other the client's policy is to hold unanswered messages. The providers'
webhooks settle the rest.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
from rich.console import Console

from app.embedded import ports
from app.http.tokens import mint
from sql import EventStore
from tests.faults.faults import VICTIMS, kill, settle
from tests.faults.moody import Moody
from tests.faults.reporter import Reporter
from tests.faults.senders import configuration, moody_providers, sources, taken, twice
from tests.faults.service import Service
from tests.support.keys import SEAL
from tests.support.stack import Stack

#: A provider with idempotency keys, and one without.
PROVIDERS = ("resend", "twilio")
#: States that a message leaves only if a person releases or cancels it.
SETTLED = ("sent", "failed", "expired", "cancelled", "unanswered")


@dataclass
class Outcome:
    """The counts of a run."""

    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VICTIMS, 0))
    accepted: int = 0
    repeated: int = 0
    states: Counter[str] = field(default_factory=Counter)
    vanished: int = 0
    unsettled: int = 0
    twice: dict[str, int] = field(default_factory=dict)
    unsent: int = 0
    unreported: int = 0
    dead: int = 0
    moods: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether no message vanished, was left over, was sent twice, or counts as sent and was not."""
        return not (
            self.vanished or self.unsettled or sum(self.twice.values()) or self.unsent or self.unreported or self.dead
        )


async def run(
    folder: Path, *, messages: int, rate: float, kills: int, seed: int, console: Console, share: float = 0.1
) -> Outcome:
    """Run once; return the counts. `share`: the fraction of moody answers."""
    rng, outcome, began = random.Random(seed), Outcome(), time.monotonic()
    moody = moody_providers(PROVIDERS, share, seed)
    async with moody["resend"], moody["twilio"]:
        async with _stack(folder, moody) as stack:
            key = await prepare(stack)
            await asyncio.gather(stack.start("serve"), stack.start("work"))
            service = Service(stack, PROVIDERS, key, messages, rate)
            asking = asyncio.create_task(service.run())
            reporter = Reporter(stack, moody)
            reporting = asyncio.create_task(reporter.run())
            for number in range(kills):
                await asyncio.sleep(rng.uniform(1, 4))
                await kill(stack, VICTIMS[number % len(VICTIMS)], rng)
                outcome.kills[VICTIMS[number % len(VICTIMS)]] += 1
                console.print(
                    f"killed {VICTIMS[number % len(VICTIMS)]} ({number + 1} of {kills}); accepted {service.accepted}"
                )
            await asking
            outcome.accepted, outcome.repeated = service.accepted, service.repeated
            await settle(stack)
            await settled(stack, reporter)
            reporting.cancel()
            await count(stack, outcome, moody)
    outcome.seconds = time.monotonic() - began
    return outcome


def _stack(folder: Path, moody: dict[str, Moody]) -> Stack:
    door = ports.free()
    known = sources(moody)
    for name, source in known.items():
        source["url"] = f"http://127.0.0.1:{door}/webhooks/aggregate/{name}"
    stack = Stack(folder, sources=known, sending={"lease": 6, "timeout": 2, "concurrency": 64})
    stack.door = door
    return stack


async def prepare(stack: Stack, client: str = "default", providers: Sequence[str] = PROVIDERS) -> str:
    """Configure the client, with quick retries; return an API key."""
    async with await EventStore.open(stack.dsn("service"), SEAL, pool=1) as store:
        await store.set_client(client, configuration(providers), "faults")
        id, token, hash = mint()
        await store.create_api_key(id, "faults", client, ["messages:write"], hash)
    return token


async def settled(stack: Stack, reporter: Reporter, within: float = 120) -> None:
    """Wait until all messages are settled, and the providers' webhooks are processed."""
    query = "SELECT count(*) FROM threadline.messages WHERE state <> ALL (%s)"
    deadline = time.monotonic() + within
    async with await psycopg.AsyncConnection.connect(stack.dsn("owner"), autocommit=True) as db:
        while time.monotonic() < deadline:
            row = await (await db.execute(query, [list(SETTLED)])).fetchone()
            if row == (0,) and reporter.done:
                break
            await asyncio.sleep(0.5)
    await settle(stack)
    await asyncio.sleep(6)  # longer than the interval of the sweep


async def count(stack: Stack, outcome: Outcome, moody: dict[str, Moody]) -> None:
    """Count what became of the messages, by our tables and by what the providers accepted."""
    async with await psycopg.AsyncConnection.connect(stack.dsn("owner")) as db:
        rows = await (await db.execute("SELECT message_id, state, channel FROM threadline.messages")).fetchall()
        sent_events = await (
            await db.execute(
                "SELECT DISTINCT message_id FROM threadline.events WHERE type = 'UserMessageSent' AND message_id IS NOT NULL"
            )
        ).fetchall()
        (outcome.dead,) = await (await db.execute("SELECT count(*) FROM threadline.dead_letters")).fetchone() or (0,)
    outcome.states = Counter(state for _, state, _ in rows)
    outcome.vanished = outcome.accepted - len(rows)
    outcome.unsettled = sum(state not in SETTLED for _, state, _ in rows)
    sent = {name for name, state, _ in rows if state == "sent"}
    outcome.twice, texts = twice(moody), taken(moody)
    for each in moody.values():
        outcome.moods += each.moods
    outcome.unsent = sum(not texts[f"number {name[1:]}"] for name in sent)
    # Accepted by the provider, and neither sent nor unanswered here; or with the event of a send, and not sent.
    outcome.unreported = sum(
        texts[f"number {name[1:]}"] > 0 and state not in ("sent", "unanswered") for name, state, _ in rows
    ) + len({name for (name,) in sent_events} - sent)
