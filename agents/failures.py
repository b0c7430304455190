"""Decides for every failure whether to retry in place, which gives back-pressure, or to make a dead letter."""

import random
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import orjson
import structlog
from aiokafka.errors import (
    InvalidMessageError,
    KafkaError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnsupportedCodecError,
)

from agents.health import WorkerHealth, part_of, worded
from agents.process.within import WITHIN, Within
from sql import DATA_ERRORS, is_transient
from webhooks.backoff import exponential
from webhooks.cancelled import pass_on, rest

log = structlog.get_logger(__name__)

T = TypeVar("T")

#: Seconds between retries, doubling from the first to the last, with full jitter.
FIRST_PAUSE, LAST_PAUSE = 0.1, 10.0

#: Errors of the data itself: PostgreSQL, Kafka or JSON will never accept its size or form.
_PERMANENT = (
    *DATA_ERRORS,
    orjson.JSONEncodeError,
    UnicodeError,
    InvalidMessageError,
    MessageSizeTooLargeError,
    RecordListTooLargeError,
    UnsupportedCodecError,
)


def is_permanent(error: BaseException) -> bool:
    """Return whether the data itself is at fault, so that no retry can succeed. (Faust wraps what its producer raises.)

    Everything else is retried: an unreachable server, a lost connection, a deadlock, and also a missing table or a
    fault of ours, since a stopped worker with an alarm loses nothing, while a million dead letters help no operator.
    """
    return isinstance(error, _PERMANENT) or (
        isinstance(error.__cause__, KafkaError) and isinstance(error.__cause__, _PERMANENT)
    )


async def until_done(what: str, attempt: Callable[[], Awaitable[T]], health: WorkerHealth) -> T:
    """Retry an attempt until it succeeds, and return its result. Permanent failures are raised at once."""
    failures = 0
    while True:
        try:
            result = await attempt()
        except Exception as error:
            pass_on(error)
            if is_permanent(error):
                raise
            health.failing(what, error)
            pause = exponential(FIRST_PAUSE, LAST_PAUSE, failures)
            log.warning("retrying", what=what, error=worded(error), pause=round(pause, 1))
            await rest(random.uniform(0, pause))  # noqa: S311  # jitter, no secret
            failures += 1
        else:
            health.works(what)
            return result


async def keep_on(what: str, work: Callable[[], Awaitable[None]], health: WorkerHealth) -> None:
    """Run endless work and restart it after any failure. Never raises.

    A failure shows in the health of the part that `what` belongs to.
    """
    WITHIN.set(Within(part_of(what)))
    failures = 0
    while True:
        began = time.monotonic()
        try:
            await work()
        except Exception as error:
            pass_on(error)
            health.fails(what, error)
            away = is_transient(error) or isinstance(error, KafkaError | OSError)
            log.warning("starting again", what=what, error=worded(error), exc_info=not away)
        # Work that ran for long restarts at once; work that fails early waits longer each time.
        failures = 0 if time.monotonic() - began > LAST_PAUSE else failures + 1
        pause = exponential(FIRST_PAUSE, LAST_PAUSE, failures)
        await rest(random.uniform(pause / 2, pause))  # noqa: S311  # jitter, no secret
