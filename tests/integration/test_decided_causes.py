"""Why people decided on customers: sealed at rest, and gone with whoever took part."""

import asyncio
import json
from binascii import a2b_base64
from pathlib import Path

import pytest

from app.archive import InFolder
from app.erasing.steps import Eraser
from schemas.events import Handle
from sql import Deciding, EventStore
from sql.known import KnownHandles
from sql.personal.keys import HandleKeys, handle_of
from sql.personal.opened import open_value
from sql.rebuild import rebuild
from sql.sealed import DECIDED
from tests.conftest import Dsns
from tests.integration.erasures import ANA, ANA_MAIL, BO, customer, erased, places, read, said, settings
from tests.integration.test_archive import APRIL, MARCH, MOVED, RELAYED, execute, log_of
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


async def test_an_archived_reason_is_gone_with_its_key(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """The file of the archive keeps it sealed; its key is destroyed, and no other's. A rebuild, which restores the month, shows none."""
    pytest.importorskip("pyarrow", reason="the extra `archive` is not installed")
    pytest.importorskip("duckdb")
    from sql.archive.months import Archive
    from tests.integration.test_erasure_archived import rows_of

    files = InFolder(tmp_path / "archive")
    first, second, third = (Handle("phone", f"+1555000000{n}") for n in (1, 2, 3))
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        await store.append(log_of(0, 60))
        ids = [
            (await store.customer_of("default", each.kind, each.value))[0]["customer_id"]
            for each in (first, second, third)
        ]
        await store.merge_customers("default", ids[1], ids[0], Deciding("operator", "x", "Ana Krautkopf asked"))
        handle = (await store.customer_of("default", first.kind, first.value))[0]["id"]
        await store.split_customer("default", ids[1], [handle], Deciding("operator", "x", "it was not Krautkopf"))
        await store.merge_customers("default", ids[2], ids[1], Deciding("operator", "x", "theirs"))
        await execute(postgres_dsn.owner, MOVED)
        await execute(postgres_dsn.owner, RELAYED)

        def archive() -> None:
            with Archive.open(postgres_dsn.owner, files) as opened:
                opened.archive(2)

        def restore() -> None:
            with Archive.open(postgres_dsn.owner, files) as opened:
                for month in (MARCH, APRIL):
                    opened.restore(month)

        await asyncio.to_thread(archive)
        sealed = [json.loads(row["payload"]).get("cause") for row in rows_of(tmp_path / "archive").values()]
        reasons = [one for one in sealed if one]
        assert len(reasons) == 3 and await read(
            postgres_dsn.owner, "SELECT count(*) FROM events WHERE payload ? 'cause'"
        ) == [0]

        async def opened() -> list[str | None]:
            store._keys, store._known = HandleKeys(), KnownHandles()
            keys = await store._keys_by_id({handle_of(a2b_base64(one.removeprefix("sealed:"))) for one in reasons})
            return [open_value(one, DECIDED, lambda sealed: keys[handle_of(sealed)]) for one in reasons]

        assert await opened() == ["Ana Krautkopf asked", "it was not Krautkopf", "theirs"]
        whose = (await store.customer_of("default", first.kind, first.value))[0]["customer_id"]
        id = await store.request_erasure("default", whose, "asked for it")
        assert id is not None
        await Eraser(store, settings(tmp_path)).run(id)
        left = [json.loads(row["payload"]).get("cause") for row in rows_of(tmp_path / "archive").values()]
        assert {one for one in left if one} == {*reasons}
        assert await opened() == [None, None, "theirs"]
        await asyncio.to_thread(restore)
        await rebuild(postgres_dsn.owner)
        assert await opened() == [None, None, "theirs"]
        side = await store.customer_assignments("default", ids[2])
        assert side is not None
        causes = [row["decided_cause"] for row in await store.customer_changes_of("default", side.ids)]
        assert [one for one in causes if one] == ["theirs"] and len(causes) > 1
