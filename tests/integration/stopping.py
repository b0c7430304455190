"""The sending half of a worker as a process of its own, which stops itself (SIGSTOP) once, between its attempt and the call."""

import asyncio
import os
import signal
import sys
from typing import Any

from adapters import ADAPTERS
from adapters.contract import Response
from agents.health import WorkerHealth
from agents.sender.due import Due
from agents.transport import Transport
from agents.transport.oauth import Tokens
from app.clients.configured import Clients
from app.settings import Settings
from sql import EventStore
from tests.support.adapted import asked_after
from tests.support.keys import SEAL

#: Seconds after which Postmark is asked here, in place of minutes.
LOOKUP_AFTER = 0.3


async def send(seconds: float) -> None:
    """Work for so many seconds; stop before the first call."""
    settings = Settings()
    ADAPTERS["postmark"] = asked_after("postmark", LOOKUP_AFTER)
    assert settings.postgres.dsn is not None
    transport = Transport(timeout=settings.sending.timeout)
    stopped = False

    def stop() -> None:
        nonlocal stopped
        if not stopped:
            stopped = True
            os.kill(os.getpid(), signal.SIGSTOP)

    async def carry(*given: Any, **named: Any) -> Response:
        stop()
        return await transport.carry(*given, **named)

    async with await EventStore.open(settings.postgres.dsn.get_secret_value(), SEAL, pool=4) as store:
        due = Due(store, Clients(store, settings), carry, Tokens(transport.carry), WorkerHealth(), settings.sending)
        running = asyncio.create_task(due.run())
        await asyncio.sleep(seconds)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await transport.close()


if __name__ == "__main__":
    asyncio.run(send(float(sys.argv[1])))
