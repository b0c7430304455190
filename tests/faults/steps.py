"""Kills the sending half of a worker (kill -9) between every two steps of a send, again and again, then counts.

A small process runs only the sender, and kills itself at one step; each kill interrupts all sends in progress. The
providers are moody too. At the end every message is in exactly one state, none is lost, and none was accepted twice by
a provider with idempotency keys or a look-up; for the other the client's policy decides, and its cost is counted.
"""

import contextlib
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import orjson
import psycopg

from app.clients.configured import Clients
from app.embedded.postgres import Postgres
from app.embedded.process import Child
from app.sending.incoming import new_message
from app.sending.requests import read_request
from app.settings import Settings
from sql import EventStore, NewMessage
from sql.migrate import migrate
from tests.faults.moody import Moody
from tests.faults.senders import configuration, moody_providers, request_of, sources, taken, twice
from tests.support.keys import SEAL

#: The steps before and after which the process kills itself.
STEPS = ("claim", "begin", "carry", "settle")
SIDES = ("before", "after")
#: A provider with idempotency keys, one with a look-up, and one with neither.
PROVIDERS = ("onesignal", "postmark", "twilio")


@dataclass
class Outcome:
    """The counts of a run; `twice`: by provider."""

    kills: Counter[str] = field(default_factory=Counter)
    interrupted: int = 0
    messages: int = 0
    states: Counter[str] = field(default_factory=Counter)
    vanished: int = 0
    unreported: int = 0
    twice: dict[str, int] = field(default_factory=dict)
    unsent: int = 0
    calls: int = 0
    moods: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0


async def run(
    folder: Path, *, messages: int, kills: int, seed: int, share: float = 0.15, unanswered: str = "hold"
) -> Outcome:
    """Run once; return the counts. `share`: the fraction of moody answers."""
    rng, outcome, began = random.Random(seed), Outcome(messages=messages), time.monotonic()
    postgres = Postgres(folder / "postgres", folder / "postgres.log")
    await postgres.start()
    moody = moody_providers(PROVIDERS, share, seed)
    try:
        await migrate(postgres.dsn("owner"))
        async with contextlib.AsyncExitStack() as listening:
            for each in moody.values():
                await listening.enter_async_context(each)
            given = _environment(postgres, moody, folder)
            await _ask(postgres, messages, unanswered)
            for number in range(kills):
                step, side = STEPS[number // 2 % len(STEPS)], SIDES[number % 2]
                times = rng.randint(1, 40) if step == "carry" else rng.randint(1, 4)
                since = datetime.now(UTC)
                outcome.kills[f"{side} {step}"] += await _life(folder, given, step, side, times, within=30)
                outcome.interrupted += await _under_way(postgres, since)
            # It ends with the last message. This may take long, as the pauses between look-ups double.
            await _life(folder, given, "none", "", 0, within=600)
        await _count(postgres, outcome, moody)
    finally:
        await postgres.stop()
    outcome.seconds = time.monotonic() - began
    return outcome


def _environment(postgres: Postgres, moody: dict[str, Moody], folder: Path) -> dict[str, str]:
    return {
        "THREADLINE_DATA": str(folder),
        "THREADLINE_POSTGRES__DSN": postgres.dsn("service"),
        "THREADLINE_SOURCES": orjson.dumps(sources(moody)).decode(),
        "THREADLINE_SENDING__LEASE": "5",
        "THREADLINE_SENDING__TIMEOUT": "1.5",
        "THREADLINE_SENDING__CONCURRENCY": "48",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }


async def _ask(postgres: Postgres, messages: int, unanswered: str) -> None:
    """Accept them all, by a client whose configuration retries quickly."""
    settings = Settings.model_validate({"postgres": {"dsn": postgres.dsn("service")}})
    async with await EventStore.open(postgres.dsn("service"), SEAL, pool=2) as store:
        await store.set_client("default", configuration(PROVIDERS, unanswered=unanswered), "faults")
        client = await Clients(store, settings).client("default")
        for start in range(0, messages, 500):
            accepted = []
            for number in range(start, min(start + 500, messages)):
                request = read_request(request_of(PROVIDERS, number), client_id="default")
                message = new_message(request, client, datetime.now(UTC))
                assert isinstance(message, NewMessage)
                accepted.append(message)
            await store.accept(accepted)


async def _life(folder: Path, given: dict[str, str], step: str, side: str, times: int, *, within: float) -> bool:
    """Run the process once; return whether it killed itself."""
    program = [sys.executable, "-m", "tests.faults.dying", step, side, str(times), str(within)]
    child = Child("sender", program, folder / "sender.log", environment=given)
    child.start()
    await child.wait()
    return "SIGKILL" in child.how_it_ended()


async def _under_way(postgres: Postgres, since: datetime) -> int:
    """Return the number of messages that a process started at `since` left in the state `sending`."""
    query = "SELECT count(*) FROM threadline.messages WHERE state = 'sending' AND changed_at > %s"
    async with await psycopg.AsyncConnection.connect(postgres.dsn("owner")) as db:
        return int((await (await db.execute(query, [since])).fetchone() or (0,))[0])


async def _count(postgres: Postgres, outcome: Outcome, moody: dict[str, Moody]) -> None:
    async with await psycopg.AsyncConnection.connect(postgres.dsn("owner")) as db:
        rows = await (await db.execute("SELECT message_id, state, channel FROM threadline.messages")).fetchall()
        reported = await (
            await db.execute(
                "SELECT DISTINCT message_id FROM threadline.events WHERE type IN "
                "('UserMessageSent', 'MessageFailed', 'MessageRejected', 'MessageExpired', 'MessageHeld')"
            )
        ).fetchall()
    outcome.states = Counter(state for _, state, _ in rows)
    outcome.vanished = outcome.messages - len(rows)
    outcome.unreported = len({name for name, _, _ in rows} - {name for (name,) in reported})
    for each in moody.values():
        outcome.calls += each.calls
        outcome.moods += each.moods
    outcome.twice, texts = twice(moody), taken(moody)
    outcome.unsent = sum(not texts[f"number {name[1:]}"] for name, state, _ in rows if state == "sent")
