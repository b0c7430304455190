"""Shows where the processor time of a message goes that is sent: by part, by function of the worker, and by statement.

It starts its own PostgreSQL, Kafka, worker, and a provider that answers at once. Messages are accepted beforehand and become due
together; what is measured is from then until all are committed as sent and relayed: claims, calls, outcomes, events, the relay.
With `--sampled` the worker is sampled and statements are logged, which costs something itself: compare shares, not sums.
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import LiteralString

import httpx
import psutil
import psycopg

from app.clients.configured import Clients
from app.sending.incoming import new_message
from app.sending.requests import read_request
from bench import provider
from bench.alone import in_folder, parser_of
from bench.asking import done, request_of, sent
from bench.profile.__main__ import by_function, by_statement
from bench.profile.functions import sample
from bench.profile.statements import log_durations, spent
from bench.progress import console, say
from bench.together import processor_seconds
from sql import EventStore, NewMessage
from tests.support.keys import SEAL
from tests.support.stack import Stack

#: Messages sent before anything counts: caches, plans, the broker's compiler.
WARM_UP = 4000
#: Seconds for which the worker is sampled.
SAMPLED = 6
#: Makes all that wait due, without dead rows.
DUE: tuple[LiteralString, ...] = (
    "SET search_path = threadline",
    "UPDATE messages SET due_at = now() WHERE due_at > now() AND state = 'queued'",
    "VACUUM ANALYZE messages",
    "UPDATE lanes_due SET due_at = now()",
)
CLIENT, ACCOUNT = "shop", "resend"
#: How long messages wait until they are made due.
AHEAD = timedelta(hours=1)


async def profile(folder: Path, count: int, turns: int, sampled: bool, kept: Path) -> None:
    """Print what a message costs, for each turn."""
    async with provider.running() as url:
        source = {
            **provider.SETTINGS,
            "adapter": "resend",
            "client": CLIENT,
            "api_url": url,
            "sender": "shop@example.com",
        }
        async with Stack(folder, sources={ACCOUNT: source}, sending={"concurrency": 256}) as stack:
            async with await EventStore.open(stack.postgres.dsn("service"), SEAL, pool=1) as store:
                route = {"channel": "email", "account": ACCOUNT, "concurrency": 256}
                await store.set_client(CLIENT, {"channels": [route]}, "bench")
            await stack.start("work")
            say("warming up")
            async with (
                httpx.AsyncClient() as http,
                await EventStore.open(stack.postgres.dsn("service"), SEAL, pool=1) as store,
            ):
                one = Measured(stack, store, http)
                await one.accept("warm", WARM_UP)
                await one.send(WARM_UP)
                for turn in range(turns):
                    await one.accept(f"turn-{turn}", count)
                    found = await one.send(count)
                    say(", ".join(f"{part} {value:,.0f}" for part, value in found.items()))
                if sampled:
                    await _sampled(one, folder, count, kept)


async def _sampled(one: "Measured", folder: Path, count: int, kept: Path) -> None:
    log, superuser = folder / "postgres.log", one.stack.postgres.dsn("superuser")
    await one.accept("sampled", count)
    await log_durations(superuser, on=True)
    begins = log.stat().st_size
    sending = asyncio.create_task(one.send(count))
    functions = await sample(one.stack.children["work"].pid, SAMPLED, kept / "sending.txt")
    found = await sending
    await log_durations(superuser, on=False)
    logged = await asyncio.to_thread(log.read_bytes)
    console.print(*by_function("worker", functions, round(found["worker"])), sep="\n")
    console.print(by_statement(spent(logged[begins:].decode(errors="replace")), count))


class Measured:
    """Sends messages by a running stack."""

    def __init__(self, stack: Stack, store: EventStore, http: httpx.AsyncClient) -> None:
        self.stack, self._store, self._http = stack, store, http

    async def accept(self, name: str, count: int) -> None:
        """Accept messages that wait, and have their events relayed."""
        at = datetime.now(UTC) + AHEAD
        client = await Clients(self._store, self.stack.settings).client(CLIENT)
        for start in range(0, count, 1000):
            messages = []
            for number in range(start, min(start + 1000, count)):
                message = new_message(
                    read_request(request_of(name, number), client_id=CLIENT), client, datetime.now(UTC)
                )
                assert isinstance(message, NewMessage)
                messages.append(message._replace(due_at=at))
            await self._store.accept(messages)
        await self._relayed()

    async def send(self, count: int) -> dict[str, float]:
        """Make the messages due, and wait until all are sent and relayed. Return the microseconds of processor time of a
        message, by part, and the messages a second."""
        before = await done(self.stack, self._http)
        async with await psycopg.AsyncConnection.connect(self.stack.postgres.dsn("superuser"), autocommit=True) as db:
            for statement in DUE:
                await db.execute(statement)
        used, began = self._used(), time.perf_counter()
        await sent(self.stack, self._http, before, count)
        took = time.perf_counter() - began
        await self._relayed()
        cost = {part: (after - used[part]) / count * 1e6 for part, after in self._used().items()}
        return cost | {"a second": count / took}

    async def _relayed(self) -> None:
        while (await self._store.relay_lag())["events"]:  # noqa: ASYNC110
            await asyncio.sleep(0.2)

    def _used(self) -> dict[str, float]:
        """Return the processor time of each part so far, in seconds."""
        stack = self.stack
        pids = {
            "worker": stack.children["work"].pid, "postgres": stack.postgres.child.pid, "kafka": stack.kafka.child.pid
        }  # fmt: skip
        return {name: processor_seconds(psutil.Process(pid)) for name, pid in pids.items()}


def main() -> None:
    """Read the arguments, and profile."""
    parser = parser_of("profile.sending", __doc__)
    parser.add_argument("--count", type=int, default=15_000, help="messages of a turn (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=3, help="(default: %(default)s)")
    parser.add_argument("--sampled", action="store_true", help="one more turn, by function and statement")
    given = parser.parse_args()
    kept = Path("build") / "profile"
    kept.mkdir(parents=True, exist_ok=True)
    in_folder("stack", lambda folder: profile(folder, given.count, given.turns, given.sampled, kept))


if __name__ == "__main__":
    main()
