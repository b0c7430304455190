"""What tests of the audit share: entries to seal, an owner who tampers with them, and the check that is to notice."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, LiteralString

import psycopg

from app.auditing.anchors import Anchor
from app.auditing.verify import verify
from sql import EventStore
from sql.audited import Entry
from tests.conftest import Dsns

#: Seals what is there, however young it is.
AT_ONCE = timedelta(0)


async def write(store: EventStore, entries: int) -> None:
    """Add entries of reads."""
    await store.record_audit([Entry("key:bff", "message.read", "shop", f"m{n}") for n in range(entries)])


async def note(connection: psycopg.AsyncConnection[Any], subject: str) -> None:
    """Add an entry in a transaction that is left open."""
    await connection.execute(
        "INSERT INTO threadline.audit (actor, client_id, action, subject) VALUES ('cli:eve', 'shop', 'message.read', %s)",
        [subject],
    )


async def owner(dsn: Dsns, statement: LiteralString, *values: Any) -> None:
    """Run a statement as the owner of the tables, who may do anything."""
    async with await psycopg.AsyncConnection.connect(dsn.owner, autocommit=True) as connection:
        await connection.execute(statement, values or None)


async def found(store: EventStore, anchors: Iterable[Anchor] = (), now: datetime | None = None) -> list[str]:
    """Return what the check of the whole chain finds, now or at a time."""
    return (await verify(store, list(anchors), now=now)).findings
