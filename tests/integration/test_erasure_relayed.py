"""The relay publishes nothing of an erased customer from the memory of its process, whichever process erased; and keeps nothing there."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from schemas.events import Handle
from schemas.recorded import write_recorded
from sql import EventStore
from sql.relay import RelaySession
from tests.conftest import Dsns
from tests.integration.erasures import ANA, BO, customer, erased, said
from tests.support.keys import SEAL

HERS, HIS = "hers alone: Krautkopf", "his alone: Schnittlauch"


@pytest_asyncio.fixture
async def stores(postgres_dsn: Dsns) -> AsyncIterator[tuple[EventStore, EventStore]]:
    """Of two processes; the first relays."""
    async with (
        await EventStore.open(postgres_dsn.service, SEAL, pool=4) as first,
        await EventStore.open(postgres_dsn.service, SEAL, pool=4) as second,
    ):
        yield first, second


async def published(relay: RelaySession) -> bytes:
    """Return all of the log as it would be published now."""
    return b"\n".join(write_recorded(row, 1 << 20) for row in await relay.page((0, 0), 1000))


def words(number: int, handle: Handle, text: str) -> Any:
    """An answer of someone."""
    payload = {"content": {"text": text}, "from": handle.value, "to": "+15550000000", "native": {"list": [text]}}
    return said(number, handle, payload=payload)


@pytest.mark.parametrize("by", [0, 1], ids=["by the process that relays", "by another"])
async def test_a_backlog_has_nothing_of_who_was_erased(
    stores: tuple[EventStore, EventStore], tmp_path: Path, by: int
) -> None:
    """With all of it in memory, before and after it was looked at."""
    relaying = stores[0]
    async with relaying.relay() as relay:
        assert relay is not None
        await relaying.append([words(n, ANA, HERS) for n in range(1, 9)] + [words(n, BO, HIS) for n in range(11, 19)])
        assert relaying._keys.recent  # or nothing is tested
        before = await published(relay)
        assert before.count(HERS.encode()) == before.count(HIS.encode()) > 0
        await erased(stores[by], tmp_path, await customer(relaying, ANA))
        after = await published(relay)
    assert HERS.encode() not in after and ANA.value.encode() not in after
    assert after.count(HIS.encode()) == before.count(HIS.encode())


async def test_what_was_sealed_for_an_erased_handle_is_forgotten(
    stores: tuple[EventStore, EventStore], tmp_path: Path
) -> None:
    """A process that knows a handle's key still, and is refused, keeps nothing of what it had sealed with it."""
    relaying, other = stores
    async with relaying.relay() as relay:
        assert relay is not None
        await relaying.append([words(1, ANA, HERS)])
        place, sealed = next(at for at in relaying._keys.recent._young if at[0] == b"payload.content.text")
        assert relaying._keys.recent.get((place, sealed)) == HERS
        await erased(other, tmp_path, await customer(other, ANA))
        await relaying.append([words(2, ANA, HERS)])
        assert relaying._keys.recent.get((place, sealed)) is None
        assert relaying._keys.recent  # of the new handle


async def test_who_relays_no_more_keeps_nothing(stores: tuple[EventStore, EventStore], postgres_dsn: Dsns) -> None:
    """Once the lock is lost another process reads what this one appends, and this one would keep it for nobody."""
    relaying = stores[0]
    with pytest.raises(psycopg.OperationalError):
        async with relaying.relay() as relay:
            assert relay is not None
            await relaying.append([words(1, ANA, HERS)])
            assert relaying._keys.recent
            await relay._connection.close()
            await published(relay)
    await asyncio.sleep(0)
    await relaying.append([words(2, ANA, HERS)])
    assert len(relaying._keys.recent) == 0
