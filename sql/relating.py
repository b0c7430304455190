"""Joins the handles that a range of the log links to customers, and applies the decisions on customers in it.

It runs within the transaction that appended the range, or in a rebuild's.
"""

import re
from datetime import datetime
from typing import Any
from uuid import UUID

from psycopg import AsyncConnection
from psycopg.rows import DictRow

from sql.deciding import Change, Decided, Link, decide
from sql.statements import statement

#: The events that link handles or decide on customers, and those that are opt-outs or opt-ins, as the statements list them.
RELATING, CONSENTS = (
    frozenset(re.findall(r"'(\w+)'", statement(name).decode())) for name in ("relating_types", "consent_types")
)


async def relate(connection: AsyncConnection[DictRow], span: dict[str, Any]) -> int:
    """Relate the handles of a range of the log; return how many handles the largest of the changed customers has (0: none changed)."""
    row = await one(connection, "relate_handles", span)
    changed = set(row["changed"] or ())
    if row["deciding"]:
        stated = await one(connection, "customer_changes_new", span)
        changed |= set(stated["changed"])
        if stated["cut"]:
            changed |= set((await one(connection, "cut_handles", {"cut": stated["cut"]}))["changed"])
    if not changed:
        return 0
    assigned = await one(connection, "assign_customers", {"changed": sorted(changed)})
    if assigned["decided"]:
        await _decide(connection, assigned["decided"])
    return int(assigned["most"])


async def _decide(connection: AsyncConnection[DictRow], assignments: list[UUID]) -> None:
    graph = await one(connection, "customers_graph", {"decided": assignments})
    decided = decide(
        {UUID(id): UUID(own) for id, own in graph["owns"]},
        [Link(UUID(one), UUID(other), _time(since)) for one, other, since in graph["links"]],
        [change_of(each) for each in graph["changes"]],
    )
    await one(connection, "set_customers", _parameters(decided))


def change_of(row: list[Any]) -> Change:
    """Return a change from the row of `queries/customers_graph.sql`."""
    event, position, kind, ones, others, one_id, other_id, overrides, undone = row
    return Change(
        UUID(event), position, kind, _ids(ones), _ids(others), one_id and UUID(one_id), other_id and UUID(other_id),
        _ids(overrides), undone,
    )  # fmt: skip


def _ids(texts: list[str]) -> tuple[UUID, ...]:
    return tuple(map(UUID, texts))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _parameters(decided: Decided) -> dict[str, Any]:
    ids = sorted(decided.customers)
    pairs = sorted(decided.refused)
    return {
        "ids": ids,
        "customers": [decided.customers[id][0] for id in ids],
        "events": [decided.customers[id][1] for id in ids],
        "refused_one": [one for one, _ in pairs],
        "refused_other": [other for _, other in pairs],
        "refused_by": [decided.refused[pair] for pair in pairs],
    }


async def one(connection: AsyncConnection[DictRow], name: str, parameters: dict[str, Any] | None = None) -> DictRow:
    """Return the only row of a statement."""
    row = await (await connection.execute(statement(name), parameters, prepare=True)).fetchone()
    assert row is not None
    return row
