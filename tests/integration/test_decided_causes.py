"""Why people decided on customers: sealed at rest, and gone with whoever took part."""

from pathlib import Path

from sql import Deciding, EventStore
from sql.rebuild import rebuild
from tests.conftest import Dsns
from tests.integration.erasures import ANA, ANA_MAIL, BO, customer, erased, places, read, said
from tests.support.keys import SEAL


async def test_the_reasons_of_decisions_are_sealed_and_go(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """People name people in them. They stand nowhere in clear, and an erasure removes those of decisions that its customer took part
    in, also of the other one's; a rebuild gives the same."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        why = "Ana Krautkopf wrote from her brother's telephone"
        await store.append([said(1, ANA), said(2, BO), said(3, ANA_MAIL, channel="email")])
        ana, bo, mail = [await customer(store, one) for one in (ANA, BO, ANA_MAIL)]
        handles = await store.customer_of("shop", ANA.kind, ANA.value)
        await store.merge_customers("shop", bo, ana, Deciding("operator", "x", why))
        await store.split_customer("shop", bo, [handles[0]["id"]], Deciding("operator", "x", why))
        await store.merge_customers("shop", bo, mail, Deciding("operator", "x", "theirs"))

        async def causes() -> list[str | None]:
            side = await store.customer_assignments("shop", bo)
            assert side is not None
            return [row["decided_cause"] for row in await store.customer_changes_of("shop", side.ids)]

        assert await causes() == ["theirs", why, why]
        assert await places(postgres_dsn, "Ana Krautkopf") == {}
        await erased(store, tmp_path, await customer(store, ANA))
        assert await causes() == ["theirs", None, None]
        assert await read(postgres_dsn.owner, "SELECT count(*) FROM events WHERE payload ? 'cause'") == [1]
        await rebuild(postgres_dsn.owner)
        assert await causes() == ["theirs", None, None]
