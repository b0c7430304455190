"""Runs the sender in a process of its own, which kills itself (kill -9) at one step of a send."""

import asyncio
import os
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

from adapters import ADAPTERS
from adapters.contract import Response
from agents.health import WorkerHealth
from agents.sender import guards
from agents.sender.due import Due
from agents.transport import Transport
from agents.transport.oauth import Tokens
from app.clients.configured import Clients
from app.settings.loading import load
from sql import EventStore
from tests.support.adapted import asked_after
from tests.support.keys import SEAL

#: Seconds until Postmark is asked, in place of minutes: the simulated one's records are complete at once.
LOOKUP_AFTER = 1.0
#: Most look-ups: so many that even a moody provider answers; otherwise the client's policy decides, which may be to
#: resend.
CHECKS = 12


class Dying:
    """Kills its own process at one step, the `times`th time it comes; passes all other calls through."""

    def __init__(self, step: str, side: str, times: int) -> None:
        self.step, self.side, self.left = step, side, times

    def around(self, step: str, work: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """Return `work`, with the kill before or after it if this is the step."""

        async def stepped(*given: Any, **named: Any) -> Any:
            if step == self.step and self.side == "before":
                self._perhaps_die()
            done = await work(*given, **named)
            if step == self.step and self.side == "after":
                self._perhaps_die()
            return done

        return stepped

    def _perhaps_die(self) -> None:
        self.left -= 1
        if self.left <= 0:
            os.kill(os.getpid(), 9)


async def send(step: str, side: str, times: int, within: float) -> None:
    """Send until the process kills itself, until nothing is left to send, or for `within` seconds."""
    settings, dying = load(), Dying(step, side, times)
    ADAPTERS["postmark"] = asked_after("postmark", LOOKUP_AFTER)
    guards.CHECKS = CHECKS
    assert settings.postgres.dsn is not None
    transport = Transport(timeout=settings.sending.timeout)

    async def carry(*given: Any, **named: Any) -> Response:
        response: Response = await dying.around("carry", transport.carry)(*given, **named)
        return response

    async with await EventStore.open(settings.postgres.dsn.get_secret_value(), SEAL, pool=4) as store:
        for name in ("claim", "begin", "settle"):
            setattr(store, name, dying.around(name, getattr(store, name)))
        due = Due(store, Clients(store, settings), carry, Tokens(transport.carry), WorkerHealth(), settings.sending)
        running = asyncio.create_task(due.run())
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            counts = {row["state"]: row["messages"] for row in await store.sending_counts()}
            if not any(state != "unanswered" for state in counts):
                break
            await asyncio.sleep(0.1)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    await transport.close()


if __name__ == "__main__":
    asyncio.run(send(sys.argv[1], sys.argv[2], int(sys.argv[3]), float(sys.argv[4])))
