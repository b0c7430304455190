"""Kills the worker, the HTTP process, Kafka and PostgreSQL (kill -9) in turn while requests come by HTTP and Kafka and leave
by two moody providers, then counts.

Every request is repeated until it is acknowledged, as a service would. At the end each accepted request is in exactly one
state, and none has vanished; what counts as sent was taken by the provider; the provider that has idempotency keys took
none twice, and the other none, as the client's policy is to hold what nobody answered. What the providers' webhooks tell
settles the rest.
"""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import orjson
import psycopg
from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError
from rich.console import Console

from app.access import mint
from app.embedded import ports
from app.kafka import client_args
from app.simulator import SIMULATED
from app.simulator.base import Sent
from bench.stack import Stack
from sql import EventStore
from tests.faults.faults import VICTIMS, kill, settle
from tests.faults.moody import Moody
from tests.faults.steps import PROVIDERS, RETRY, SENDERS
from tests.fixtures import accounts

BATCH = 10
#: States in which nobody has to do anything, but where a person releases or cancels.
SETTLED = ("sent", "failed", "expired", "cancelled", "unanswered")


@dataclass
class Outcome:
    """What a run counted."""

    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(VICTIMS, 0))
    accepted: int = 0
    repeated: int = 0
    states: Counter[str] = field(default_factory=Counter)
    vanished: int = 0
    unsettled: int = 0
    twice: dict[str, int] = field(default_factory=dict)
    unsent: int = 0
    untold: int = 0
    dead: int = 0
    moods: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def good(self) -> bool:
        """Whether nothing vanished, was left over, sent twice, or called sent that was not."""
        return not (
            self.vanished or self.unsettled or sum(self.twice.values()) or self.unsent or self.untold or self.dead
        )


def asked(number: int) -> dict[str, Any]:
    """One request; every other one by each provider."""
    channel, to, _ = list(PROVIDERS.values())[number % 2]
    return {
        "messageId": f"m{number}",
        "channel": channel,
        "to": to,
        "content": {"text": f"number {number}", "subject": "Hello"},
    }


class Service:
    """Asks for messages: half by HTTP, half by Kafka, at a steady rate, each until it is acknowledged."""

    def __init__(self, stack: Stack, key: str, count: int, rate: float, outcome: Outcome) -> None:
        self.stack, self.key, self.count, self.rate, self.outcome = stack, key, count, rate, outcome
        self.began = 0.0

    async def run(self) -> None:
        """Until all are acknowledged."""
        self.began = time.monotonic()
        await asyncio.gather(self._by_http(), self._by_kafka())

    async def _pace(self, done: int) -> None:
        await asyncio.sleep(max(0.0, self.began + 2 * done / self.rate - time.monotonic()))

    async def _by_http(self) -> None:
        async with httpx.AsyncClient(timeout=15) as client:
            for start in range(0, self.count // 2, BATCH):
                await self._pace(start)
                numbers = range(start, min(start + BATCH, self.count // 2))
                headers = {"authorization": f"Bearer {self.key}", "idempotency-key": f"batch-{start}"}
                body = orjson.dumps([asked(number) for number in numbers])
                while not await self._posted(client, body, headers | {"content-type": "application/json"}):
                    self.outcome.repeated += 1
                    await asyncio.sleep(random.uniform(0.05, 0.5))
                self.outcome.accepted += len(numbers)

    async def _posted(self, client: httpx.AsyncClient, body: bytes, headers: dict[str, str]) -> bool:
        try:
            answer = await client.post(f"{self.stack.url}/v1/messages", content=body, headers=headers)
        except httpx.TransportError:
            return False
        if answer.status_code < 500 and answer.status_code not in (202, 409, 429):
            raise RuntimeError(f"refused for good: {answer.status_code} {answer.text[:500]}")
        return answer.status_code == 202

    async def _by_kafka(self) -> None:
        number, first = 0, self.count // 2
        while first + number < self.count:
            try:
                async with AIOKafkaProducer(**client_args(self.stack.settings.kafka), acks="all") as producer:
                    while first + number < self.count:
                        await self._pace(number)
                        document = asked(first + number) | {"clientId": "default"}
                        async with asyncio.timeout(10):
                            await producer.send_and_wait("messages.requested", orjson.dumps(document))
                        self.outcome.accepted += 1
                        number += 1
            except (KafkaError, OSError, TimeoutError):
                self.outcome.repeated += 1
                await asyncio.sleep(0.3)


class Teller:
    """Posts the webhooks of what the providers took, until the door acknowledges them."""

    def __init__(self, stack: Stack, moody: dict[str, Moody]) -> None:
        self.stack, self.moody = stack, moody
        self.told = dict.fromkeys(moody, 0)

    async def run(self) -> None:
        """Until cancelled."""
        async with httpx.AsyncClient(timeout=15) as client:
            while True:
                for name, each in self.moody.items():
                    for sent in each.sent[self.told[name] :]:
                        while not await self._posted(client, name, each, sent):  # noqa: ASYNC110
                            await asyncio.sleep(0.2)
                        self.told[name] += 1
                await asyncio.sleep(0.2)

    async def _posted(self, client: httpx.AsyncClient, name: str, each: Moody, sent: Sent) -> bool:
        url, now = f"{self.stack.url}/webhooks/aggregate/{name}", datetime.now(UTC)
        post = SIMULATED[name].sign(SIMULATED[name].status(sent, "MessageDelivered", now, url), each.settings, now)
        try:
            return (await client.request(post.method, post.url, content=post.body, headers=post.headers)).is_success
        except httpx.TransportError:
            return False

    @property
    def done(self) -> bool:
        """Whether all was told."""
        return all(self.told[name] == len(each.sent) for name, each in self.moody.items())


async def run(
    folder: Path, *, messages: int, rate: float, kills: int, seed: int, console: Console, share: float = 0.1
) -> Outcome:
    """One whole run. `share` of the providers' answers are moody."""
    rng, outcome, began = random.Random(seed), Outcome(), time.monotonic()
    moody = {
        name: Moody(name, accounts(name).settings, idempotent=idempotent, share=share, seed=seed)
        for name, (_, _, idempotent) in PROVIDERS.items()
    }
    async with moody["resend"], moody["twilio"]:
        async with _stack(folder, moody) as stack:
            key = await _prepare(stack)
            await asyncio.gather(stack.start("serve"), stack.start("work"))
            asking = asyncio.create_task(Service(stack, key, messages, rate, outcome).run())
            teller = Teller(stack, moody)
            telling = asyncio.create_task(teller.run())
            for number in range(kills):
                await asyncio.sleep(rng.uniform(1, 4))
                await kill(stack, VICTIMS[number % len(VICTIMS)], rng)
                outcome.kills[VICTIMS[number % len(VICTIMS)]] += 1
                console.print(
                    f"killed {VICTIMS[number % len(VICTIMS)]} ({number + 1} of {kills}); accepted {outcome.accepted}"
                )
            await asking
            await settle(stack)
            await _settled(stack, teller)
            telling.cancel()
            await _count(stack, outcome, moody)
    outcome.seconds = time.monotonic() - began
    return outcome


def _stack(folder: Path, moody: dict[str, Moody]) -> Stack:
    door = ports.free()
    sources = {name: {**accounts(name).settings, "api_url": each.url} for name, each in moody.items()}
    for name, source in sources.items():
        source["url"] = f"http://127.0.0.1:{door}/webhooks/aggregate/{name}"
    stack = Stack(folder, sources=sources, sending={"lease": 6, "timeout": 2, "concurrency": 64})
    stack.door = door
    return stack


async def _prepare(stack: Stack) -> str:
    """The client's configuration, which tries again quickly, and an API key."""
    routes = [
        {"channel": channel, "account": name, "sender": SENDERS[name]} for name, (channel, _, _) in PROVIDERS.items()
    ]
    async with await EventStore.open(stack.postgres.dsn("service"), pool=1) as store:
        await store.set_client("default", {"channels": routes, "retry": RETRY}, "faults")
        id, token, hash = mint()
        await store.create_api_key(id, "faults", "default", ["messages:write"], hash)
    return token


async def _settled(stack: Stack, teller: Teller, within: float = 120) -> None:
    """Wait until nothing is on its way any more, and what the providers told has been taken in."""
    query = "SELECT count(*) FROM threadline.messages WHERE state <> ALL (%s)"
    deadline = time.monotonic() + within
    async with await psycopg.AsyncConnection.connect(stack.postgres.dsn("owner"), autocommit=True) as db:
        while time.monotonic() < deadline:
            row = await (await db.execute(query, [list(SETTLED)])).fetchone()
            if row == (0,) and teller.done:
                break
            await asyncio.sleep(0.5)
    await settle(stack)
    await asyncio.sleep(6)  # the sweep's turn


async def _count(stack: Stack, outcome: Outcome, moody: dict[str, Moody]) -> None:
    async with await psycopg.AsyncConnection.connect(stack.postgres.dsn("owner")) as db:
        rows = await (await db.execute("SELECT message_id, state, channel FROM threadline.messages")).fetchall()
        told = await (
            await db.execute("SELECT DISTINCT message_id FROM threadline.events WHERE type = 'UserMessageSent'")
        ).fetchall()
        (outcome.dead,) = await (await db.execute("SELECT count(*) FROM threadline.dead_letters")).fetchone() or (0,)
    outcome.states = Counter(state for _, state, _ in rows)
    outcome.vanished = outcome.accepted - len(rows)
    outcome.unsettled = sum(state not in SETTLED for _, state, _ in rows)
    sent = {name for name, state, _ in rows if state == "sent"}
    taken: Counter[str] = Counter()
    for name, each in moody.items():
        outcome.twice[name] = sum(times > 1 for times in each.taken.values())
        outcome.moods += each.moods
        taken += each.taken
    outcome.unsent = sum(not taken[f"number {name[1:]}"] for name in sent)
    # Taken by the provider, and neither called sent nor held for doubt.
    outcome.untold = sum(
        taken[f"number {name[1:]}"] > 0 and state not in ("sent", "unanswered") for name, state, _ in rows
    ) + len({name for (name,) in told} - sent)
