"""An approval in a process that is killed at each of its steps, and approvals by several processes at once."""

import asyncio
import signal
import sys
from datetime import timedelta
from pathlib import Path

from sql import EventStore
from sql.origin import ORIGIN, Origin
from tests.conftest import Dsns
from tests.integration.erasures import filled, read
from tests.support.keys import SEAL

ROOT = Path(__file__).parents[2]
#: Approves the one that waits, and says how it went: the database's login is on standard input.
APPROVES = """
import asyncio, sys
from uuid import UUID
from psycopg import AsyncConnection
from sql import EventStore
from sql.approvals import NotWaiting
from sql.origin import ORIGIN, Origin
from tests.support.keys import SEAL
from tests.support.killed import kill_before

id, step, who = UUID(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
dsn = sys.stdin.read()

async def main():
    async with await EventStore.open(dsn, SEAL, pool=1) as store:
        waits = await store.erasure_request(id)
        kill_before(step, (AsyncConnection, ["execute", "commit"]))
        ORIGIN.set(Origin(who))
        try:
            await store.approve_erasure(waits)
        except NotWaiting as error:
            print(error.state)
        else:
            print("approved by me")

asyncio.run(main())
"""


async def approving(dsn: str, id: object, step: int, who: str) -> tuple[int | None, str]:
    """Approve in a process of its own; return how it ended."""
    pipe = asyncio.subprocess.PIPE
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", APPROVES, str(id), str(step), who), stdin=pipe, stdout=pipe, stderr=pipe, cwd=ROOT
    )
    out, err = await child.communicate(dsn.encode())
    assert b"Traceback" not in err, err
    return child.returncode, out.decode().strip()


async def test_an_approval_is_whole_or_was_none(postgres_dsn: Dsns) -> None:
    """Killed before each statement in turn: it still waits and nothing is requested or noted. In the end both are there, once, though
    four approve at once."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=1) as store:
        whose = await filled(store)
        ORIGIN.set(Origin("person:clerk"))
        id = await store.ask_erasure("shop", whose, "a test", timedelta(days=1))
    made = (
        "SELECT (SELECT count(*) FROM erasures) + (SELECT count(*) FROM erasure_requests WHERE decision IS NOT NULL) "
        "+ (SELECT count(*) FROM audit WHERE action IN ('erasure.approve', 'customer.erase'))"
    )
    for step in range(3):
        assert (await approving(postgres_dsn.service, id, step, "person:officer"))[0] == -signal.SIGKILL
        assert await read(postgres_dsn.owner, made) == [0]
    ran = await asyncio.gather(*(approving(postgres_dsn.service, id, 99, f"person:officer {n}") for n in range(4)))
    assert sorted(out for _, out in ran) == ["approved"] * 3 + ["approved by me"]
    assert await read(postgres_dsn.owner, made) == [4]
    decided = "SELECT r.decided_by = a.actor FROM erasure_requests AS r JOIN audit AS a ON a.action = 'customer.erase'"
    assert await read(postgres_dsn.owner, decided) == [True]
