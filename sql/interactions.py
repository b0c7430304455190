"""Makes the rows of the queries that read interactions, whose columns are those of `queries/shown.sql` and some more."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import orjson
from psycopg import AsyncCursor
from psycopg.rows import RowMaker, no_result

from sql.facts import CHANGES, FACTS

Interaction = dict[str, Any]

_NAMES = [fact.name for fact in FACTS]


def interaction_row(cursor: AsyncCursor[Any]) -> RowMaker[Interaction]:
    """Return the function that makes an interaction from a row's values: psycopg's row factory for these queries. Each row of a page has
    two dozen facts, most of them null; null facts never become keys of a dict."""
    if (result := cursor.pgresult) is None or not result.nfields:
        return no_result
    names = [(result.fname(column) or b"").decode() for column in range(result.nfields)]
    first = names.index(FACTS[0].column)
    after = first + len(FACTS)
    head, tail = names[:first], names[after:]

    def make(values: Sequence[Any]) -> Interaction:
        row = dict(zip(head, values, strict=False))  # as many of them as there are names
        row |= zip(tail, values[after:], strict=True)
        facts = {name: at for name, at in zip(_NAMES, values[first:after], strict=True) if at is not None}
        row["facts"] = facts
        if changes := row.pop("changes"):
            facts |= {fact.name: datetime.fromisoformat(changes[fact.name]) for fact in CHANGES if fact.name in changes}
            if "text" in changes:  # the keys of the last edit replace those of the message
                row["content"] = (row["content"] or {}) | orjson.loads(changes["text"].partition("\x1f")[2])
        return row

    return make
