"""Readers go on while the tables of a rebuild are swapped in: one that has a table and waits for another, which the swap has, is asked again."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

import psycopg
import pytest

from sql import EventStore
from tests.conftest import Dsns
from tests.integration.erasures import ANA, customer, said
from tests.support.keys import SEAL

TABLES = ("interactions", "assignments")


async def timeline(store: EventStore, whose: Any) -> int:
    """Read a page; its query names the assignments first."""
    return len(await store.timeline("shop", whose))


async def relayed(store: EventStore, _: Any) -> int:
    """Read a page of the log as the relay does."""
    async with store.relay() as relay:
        assert relay is not None
        return len([row for row in await relay.page((0, 0), 100) if row["customer_id"] is not None])


@pytest.mark.parametrize("order", [TABLES, TABLES[::-1]], ids=["as the swap", "the other way round"])
@pytest.mark.parametrize("ask", [timeline, relayed])
async def test_a_reader_amid_the_swap(
    postgres_dsn: Dsns, ask: Callable[[EventStore, Any], Coroutine[Any, Any, int]], order: tuple[str, str]
) -> None:
    """In whichever order the two lock: the reader that PostgreSQL ends so that the other can go on is nobody's error."""
    async with (
        await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store,
        await psycopg.AsyncConnection.connect(postgres_dsn.owner) as swap,
    ):
        await store.append([said(1, ANA)])
        whose = await customer(store, ANA)
        await swap.execute(f"LOCK TABLE threadline.{order[0]} IN ACCESS EXCLUSIVE MODE")
        asked = asyncio.create_task(ask(store, whose))
        await asyncio.sleep(0.5)
        await swap.execute(f"LOCK TABLE threadline.{order[1]} IN ACCESS EXCLUSIVE MODE")
        await swap.commit()
        assert await asyncio.wait_for(asked, 30) == 1
