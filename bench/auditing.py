"""Measures what the audit costs a worker that appends: processor time of PostgreSQL's processes, and of ours.

An append writes nothing to the audit. What the audit takes from the worker is its sealing: every five seconds it looks whether entries
are to be sealed, a thousand at once or after a minute, and asks how old they are. Databases of the same content take turns, as in
`bench.separation`: one appends and does no more, one looks and finds nothing, one has what reads of the API have left meanwhile.
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
from bench.separation import Side, compare
from bench.store import rows_of
from bench.timeline import fill
from sql import EventStore
from sql.migrate import migrate
from tests.support.keys import SEAL

#: Events in the log beforehand; looks of a turn, batches between two looks, and events of a batch: as at 300 events a second.
EVENTS, LOOKS, BATCHES, BATCH = 200_000, 4, 5, 300
TURN = LOOKS * BATCHES * BATCH
#: Entries that reads leave before each look: one for six events, so that each turn seals a whole batch of the audit.
ENTRIES = 250
NEVER, ONE, PLAIN = (
    "with looks that find nothing",
    f"with looks and an entry for {TURN // LOOKS // ENTRIES} events",
    "without looks",
)
#: Entries as the HTTP process writes them of reads.
READS: LiteralString = """INSERT INTO threadline.audit (actor, client_id, action, subject, detail, key_id, address, request_id)
SELECT 'key:bff', 'default', 'timeline.read', gen_random_uuid()::text, '{"at": "2026-11-29T12:00:00.000+00:00"}',
    'c7a1f0e2-5b1d-4c52-9d2c-0d1d6f3f2a11', '10.0.0.7', md5(n::text)
FROM generate_series(1, %s) AS n"""


@dataclass(slots=True)
class Audited(Side):
    """A database; `looks`: whether the worker looks for entries to seal; `entries`: how many come before each look."""

    looks: bool = False
    entries: int = 0


async def appending(side: Side, number: int) -> None:
    """Append the batches of a turn, the same on each side, and do what the sealer does in a look after each few of them."""
    assert isinstance(side, Audited)
    sealed = 0
    for batch in range(number * LOOKS * BATCHES, (number + 1) * LOOKS * BATCHES):
        if (await side.store.append(side.rows[batch * BATCH : (batch + 1) * BATCH])).appended != BATCH:
            raise RuntimeError("the batch was not new")
        if batch % BATCHES == BATCHES - 1:
            # By another process of PostgreSQL, which does not count: reads are the HTTP process's.
            await side.watch.execute(READS, [side.entries])
            if side.looks:
                sealed += await side.store.seal_audit(timedelta(minutes=1))
                await side.store.audit_state(["file"])
    if sealed != LOOKS * side.entries:
        raise RuntimeError("not all entries were sealed")


async def measure(folder: Path, turns: int) -> None:
    """Measure, and print."""
    server = Postgres(folder / "postgres", folder / "postgres.log")
    await server.start()
    async with AsyncExitStack() as opened:
        opened.push_async_callback(server.stop)
        await migrate(server.dsn("owner"))
        await fill(server, "threadline", EVENTS)
        rows = rows_of((turns + 5) * TURN)
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
        await compare(f"append of {LOOKS * BATCHES} times {BATCH} events", sides, appending, turns, TURN, plain=PLAIN)


def main() -> None:
    """Measure in a folder that is removed."""
    parser = argparse.ArgumentParser(prog="python -m bench.auditing", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--turns", type=int, default=50, help="turns that count")
    with tempfile.TemporaryDirectory(prefix="threadline-bench-") as temporary:
        os.chmod(temporary, 0o711)  # the embedded PostgreSQL may run under another account
        uvloop.run(measure(Path(temporary) / "auditing", parser.parse_args().turns))


if __name__ == "__main__":
    main()
