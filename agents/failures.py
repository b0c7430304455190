"""Decides what a failure means: try again in place (which is the back-pressure), or dead letter. The only such place."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

import structlog

from agents.health import Health
from sql import DATA_ERRORS

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Seconds between tries: doubling from the first to the last, each with full jitter.
FIRST_PAUSE, LAST_PAUSE = 0.1, 10.0


def is_permanent(error: BaseException) -> bool:
    """Whether the data itself is at fault, so that no later try can succeed.

    Everything else is retried: an unreachable server, a lost connection, a deadlock, and also a missing table or a
    fault of ours, since a stopped worker with an alarm loses nothing and a million dead letters help nobody.
    """
    return isinstance(error, DATA_ERRORS)


async def until_done(what: str, attempt: Callable[[], Awaitable[T]], health: Health) -> T:
    """The attempt's result, however long it takes; permanent failures are raised at once."""
    pause = FIRST_PAUSE
    while True:
        try:
            result = await attempt()
        except Exception as error:
            if is_permanent(error):
                raise
            health.failing(what, error)
            log.warning("retrying", what=what, error=f"{type(error).__name__}: {error}", pause=round(pause, 1))
            await asyncio.sleep(random.uniform(0, pause))  # noqa: S311  # jitter, no secret
            pause = min(pause * 2, LAST_PAUSE)
        else:
            health.succeeded(what)
            return result
