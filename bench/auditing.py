"""Measures what the audit costs a worker that appends: processor time of PostgreSQL's processes, and of ours.

An append writes nothing to the audit. What the audit takes from the worker is its sealing: every five seconds it looks whether there
are entries, seals them, and asks how old they are. Databases of the same content take turns, as in `bench.separation`: one appends and
does no more, one looks after each turn's events and finds nothing, one seals what reads of the API have left meanwhile.
"""

import argparse
import os
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import LiteralString

import psycopg
import uvloop

from app import memory
from app.embedded.postgres import Postgres
from bench.separation import Side, Work, compare
from bench.store import rows_of
from bench.timeline import fill
from sql import EventStore
from sql.migrate import migrate
from tests.support.keys import SEAL

#: Events in the log beforehand; batches of a turn, and events of a batch: 300 events a second at a look every five seconds.
EVENTS, BATCHES, BATCH = 200_000, 5, 300
#: Entries that reads leave in a turn: one for five events.
ENTRIES = BATCHES * BATCH // 5
NEVER, ONE, PLAIN = "with looks that find nothing", f"with looks that seal {ENTRIES} entries", "without looks"
#: Entries as the HTTP process writes them of reads.
READS: LiteralString = """INSERT INTO threadline.audit (actor, client_id, action, subject, detail, key_id, address, request_id)
SELECT 'key:bff', 'default', 'timeline.read', gen_random_uuid()::text, '{"at": "2026-11-29T12:00:00.000+00:00"}',
    'c7a1f0e2-5b1d-4c52-9d2c-0d1d6f3f2a11', '10.0.0.7', md5(n::text)
FROM generate_series(1, %s) AS n"""


@dataclass(slots=True)
class Audited(Side):
    """A database; `looks`: whether the worker looks for entries to seal, and `entries`, how many there are."""

    looks: bool = False
    entries: int = 0

    async def turn(self, work: Work, number: int) -> None:
        """Let reads leave their entries, which is not measured, and do one turn."""
        if self.entries:
            await self.watch.execute(READS, [self.entries])
        await Side.turn(self, work, number)


async def appending(side: Side, number: int) -> None:
    """Append the batches of a turn, the same on each side, and do what the sealer does in one look."""
    assert isinstance(side, Audited)
    for batch in range(number * BATCHES, (number + 1) * BATCHES):
        if (await side.store.append(side.rows[batch * BATCH : (batch + 1) * BATCH])).appended != BATCH:
            raise RuntimeError("the batch was not new")
    if side.looks:
        if await side.store.seal_audit(timedelta(0)) != side.entries:
            raise RuntimeError("not all entries were sealed")
        await side.store.audit_state(["file"])


async def measure(folder: Path, turns: int) -> None:
    """Measure, and print."""
    server = Postgres(folder / "postgres", folder / "postgres.log")
    await server.start()
    async with AsyncExitStack() as opened:
        opened.push_async_callback(server.stop)
        await migrate(server.dsn("owner"))
        await fill(server, "threadline", EVENTS)
        rows = rows_of((turns + 5) * BATCHES * BATCH)
        memory.settle()  # as the processes do
        sides: dict[str, Side] = {}
        for number, (name, looks, entries) in enumerate(((PLAIN, False, 0), (NEVER, True, 0), (ONE, True, ENTRIES))):
            await server.execute("copy_database", name=f"side_{number}", template="threadline")
            store = await opened.enter_async_context(
                await EventStore.open(server.dsn("service", f"side_{number}"), SEAL, pool=1)
            )
            dsn = server.dsn("superuser", f"side_{number}")
            watch = await opened.enter_async_context(await psycopg.AsyncConnection.connect(dsn, autocommit=True))
            sides[name] = Audited(store, watch, None, rows, 0, "", looks=looks, entries=entries)
        await compare(
            f"append of {BATCHES} times {BATCH} events", sides, appending, turns, BATCHES * BATCH, plain=PLAIN
        )


def main() -> None:
    """Measure in a folder that is removed."""
    parser = argparse.ArgumentParser(prog="python -m bench.auditing", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=100, help="turns that count")
    with tempfile.TemporaryDirectory(prefix="threadline-bench-") as temporary:
        os.chmod(temporary, 0o711)  # the embedded PostgreSQL may run under another account
        uvloop.run(measure(Path(temporary) / "auditing", parser.parse_args().turns))


if __name__ == "__main__":
    main()
