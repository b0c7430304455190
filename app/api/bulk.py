"""Reads the bodies of bulk changes: a filter, the number of rows of one call, and the cursor of the call before."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request

from app.api.parameters import read
from app.api.payload import json_of
from app.http.problems import Problem

#: Rows of one call: by default, and at most. Bytes of a body.
CALL, CALL_MAX, MOST = 200, 500, 16 << 10


@dataclass(frozen=True, slots=True)
class Bulk:
    """The body of a bulk change. `filter`: texts by name, as in a query; `more`: the members that are particular to the change;
    `dry`: only count."""

    filter: dict[str, str]
    limit: int
    cursor: dict[str, str]
    dry: bool
    more: dict[str, Any] = field(default_factory=dict)


async def bulk_of(request: Request, filters: Collection[str], more: Collection[str] = ()) -> Bulk:
    """Read a body: `filter` with members of `filters`, `limit`, `cursor`, `dryRun`, and members of `more`. Raises Problem 422 with
    the path of the fault."""
    read(request, ())
    body = await members_of(request, ("filter", "limit", "cursor", "dryRun", *more))
    given = body.get("filter")
    if not isinstance(given, dict) or not given:
        raise unfit("$.filter", f"must be an object with one at least of: {', '.join(filters)}")
    for name, value in given.items():
        if name not in filters:
            raise unfit(f"$.filter.{name[:64]}", f"is not known here; there are: {', '.join(filters)}")
        if not isinstance(value, str) or not value or "\0" in value:
            raise unfit(f"$.filter.{name}", "must be a text")
    limit, cursor = body.get("limit", CALL), body.get("cursor")
    if type(limit) is not int or not 1 <= limit <= CALL_MAX:
        raise unfit("$.limit", f"must be a whole number from 1 to {CALL_MAX}")
    if cursor is not None and not isinstance(cursor, str):
        raise unfit("$.cursor", "must be the next of the answer before, a text")
    dry = flag_in(body, "dryRun")
    return Bulk(
        given,
        limit,
        {} if cursor is None else {"cursor": cursor},
        dry,
        {name: body[name] for name in more if name in body},
    )


async def members_of(request: Request, known: Collection[str], *, optional: bool = False) -> dict[str, Any]:
    """Read a body, an object with members of `known`; with `optional` no body is an empty object. Raises Problem 422."""
    if optional and "transfer-encoding" not in request.headers and request.headers.get("content-length", "0") == "0":
        return {}
    body = await json_of(request, MOST)
    if not isinstance(body, dict):
        raise unfit("$", "must be an object")
    for name in body.keys() - set(known):
        raise unfit(f"$.{name[:64]}", f"is not known here; there are: {', '.join(known)}")
    return body


def flag_in(body: Mapping[str, Any], name: str) -> bool:
    """Return a member that is true or false, False if it is left out. Raises Problem 422."""
    value = body.get(name, False)
    if not isinstance(value, bool):
        raise unfit(f"$.{name}", "must be true or false")
    return value


def unfit(path: str, words: str) -> Problem:
    """Return the problem of a body's member."""
    return Problem(422, f"{path}: {words}", path=path)
