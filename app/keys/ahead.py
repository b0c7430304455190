"""Keeps the keys of raw records ahead of their hours, so that the door goes on while the database is away."""

import asyncio
import random
import time
from collections.abc import Callable
from datetime import UTC, datetime

import psycopg
import structlog

from sql import EventStore
from sql.hour_keys import HOUR
from sql.sealing import NoKey
from webhooks.cancelled import pass_on, rest

log = structlog.get_logger(__name__)

#: Seconds for the first look, which a process waits for when it starts; and between two looks while the database is away.
PATIENCE, AGAIN = 2.0, 10.0


async def first_keys(store: EventStore) -> None:
    """Take the keys of this hour and those ahead, before the door opens. Without the database it opens all the same, and its records
    have a key of their own with them until the next look succeeds."""
    try:
        async with asyncio.timeout(PATIENCE):
            await store.keys_ahead()
    except (psycopg.Error, OSError, TimeoutError, NoKey) as error:
        log.warning("hour_keys_away", error=type(error).__name__, effect="records are sealed by a key of their own")


async def keep_ahead(store: EventStore, oldest: Callable[[], float]) -> None:
    """Take keys ahead, once in each hour, without end. `oldest`: the age in seconds of the oldest webhook that is not on Kafka yet, 0
    without one: the keys since then are noted as needed."""
    while True:
        try:
            await store.keys_ahead()
            if age := oldest():
                await store.need_hour_keys(datetime.fromtimestamp(time.time() - age, UTC))
            pause = HOUR * random.uniform(0.5, 1)  # noqa: S311  # so that processes do not ask at once; no secret
        except (psycopg.Error, OSError, NoKey) as error:
            pass_on(error)
            log.warning("hour_keys_away", error=type(error).__name__, hours_left=store.hours.hours_ahead("records"))
            pause = AGAIN
        await rest(pause)
