"""An interaction that cannot be decrypted is a row of its own among the changes for all streams."""

from sql import EventStore
from tests.conftest import Dsns
from tests.integration.erasures import ANA, BO, customer, read, said
from tests.support.keys import SEAL


async def test_one_that_was_changed_in_the_database(postgres_dsn: Dsns) -> None:
    """The others are read; it has its place, and nothing that is sealed."""
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        await store.append([said(1, ANA), said(2, BO)])
        ana, bo = await customer(store, ANA), await customer(store, BO)
        spoilt = """UPDATE interactions SET content = '{"text": "sealed:AAAA"}' WHERE id = (
            SELECT i.id FROM interactions AS i JOIN assignments AS a USING (handle_id) WHERE a.customer_id = '%s'
        ) RETURNING id"""
        assert len(await read(postgres_dsn.owner, spoilt % ana)) == 1
        horizon = await store.horizon()
        rows = await store.changes_since(xid=0, position=0, horizon=horizon, customers=[ana, bo], limit=10)
        found = {row["customer_id"]: row for row in rows}
        assert found[ana]["closed"] is True and found[ana]["content"] is None and found[ana]["asked_for"] == [ana]
        assert "closed" not in found[bo] and found[bo]["content"]["text"]
