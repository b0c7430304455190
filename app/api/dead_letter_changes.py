"""POST /v1/dead-letters/…: replays and discards dead letters, one, or all that pass a filter, a number at a time."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.api.bodies import PRIVATE, write
from app.api.bulk import Bulk, bulk_of, flag_in, members_of, unfit
from app.api.dead_letters import FILTERS, filter_of, letter_json, letter_of, next_of, question_of, state_of
from app.api.parameters import after_in, read
from app.api.service import api_of, caller
from app.http.access import Key
from app.http.problems import Problem

#: Characters of the reason for a discard.
WHY = 500


async def replay_one(request: Request) -> Response:
    """Have a dead letter's record processed again: 202, with the dead letter. One that was replayed stays as it is, unless the body
    says `again`. Raises Problem, 409 if it cannot be replayed."""
    key = caller(request)
    read(request, ())
    again = flag_in(await members_of(request, ("again",), optional=True), "again")
    row = await letter_of(request, key)
    store = api_of(request).store
    if not await store.replay_dead_letters([row["id"]], key.actor, key.audited_id, again=again):
        row = await letter_of(request, key)
        if state_of(row) == "discarded":
            raise Problem(409, "It was discarded.", state="discarded")
        if not row["whole"]:
            raise Problem(409, "Its record was not kept, so it cannot be replayed.", state=state_of(row))
    return _written(letter_json(await letter_of(request, key), key), 202)


async def discard_one(request: Request) -> Response:
    """Discard a dead letter, for a reason. Raises Problem, 409 if it was replayed; repeating it changes nothing."""
    key = caller(request)
    read(request, ())
    body = await members_of(request, ("reason", "removeRecord"))
    why, remove = _why(body), flag_in(body, "removeRecord")
    row = await letter_of(request, key)
    discarded = await api_of(request).store.discard_dead_letters(
        [row["id"]], why, key.actor, key.audited_id, remove=remove
    )
    row = await letter_of(request, key)
    if not discarded and state_of(row) == "replayed":
        raise Problem(409, "It was replayed, so it is not discarded: see its outcome.", state="replayed")
    if not discarded and remove and not row["record_removed"]:
        raise Problem(409, "It was discarded before, and its record was kept.", state="discarded")
    return _written(letter_json(row, key))


async def replay_many(request: Request) -> Response:
    """Have the records of dead letters processed again that pass a filter and were not handled. Raises Problem."""
    key = caller(request)
    bulk = await bulk_of(request, FILTERS, ("lost",))
    lost = flag_in(bulk.more, "lost")
    rows, following = await _page(request, key, bulk, "replay", lost=lost)
    whole = [row["id"] for row in rows if row["whole"]]
    if bulk.dry:
        return _written({"replayed": len(whole), "notKept": len(rows) - len(whole), "next": following})
    # The oldest first, as they came.
    done = await api_of(request).store.replay_dead_letters(whole[::-1], key.actor, key.audited_id, again=lost)
    return _written({"replayed": len(done), "notKept": len(rows) - len(whole), "next": following})


async def discard_many(request: Request) -> Response:
    """Discard the dead letters that pass a filter and were not handled, for a reason. Raises Problem."""
    key = caller(request)
    bulk = await bulk_of(request, FILTERS, ("reason", "removeRecord"))
    why, remove = _why(bulk.more), flag_in(bulk.more, "removeRecord")
    rows, following = await _page(request, key, bulk, "discard")
    if bulk.dry:
        return _written({"discarded": len(rows), "next": following})
    ids = [row["id"] for row in rows]
    done = await api_of(request).store.discard_dead_letters(ids, why, key.actor, key.audited_id, remove=remove)
    return _written({"discarded": len(done), "next": following})


async def _page(
    request: Request, key: Key, bulk: Bulk, what: str, *, lost: bool = False
) -> tuple[list[dict[str, Any]], str | None]:
    """Return the next dead letters of a bulk change, and the cursor of those after them. Dead letters that come meanwhile, as
    replays that failed again, are newer, so no call reaches them."""
    given = filter_of(key, bulk.filter)
    which = replace(given, handled=None if lost else False, lost=lost)
    question = question_of(what, which)
    rows = await api_of(request).store.dead_letters(which, after_in(bulk.cursor, question), bulk.limit + 1)
    return rows[: bulk.limit], next_of(rows, bulk.limit, question)


def _why(body: Mapping[str, Any]) -> str:
    """Return the reason of a discard. Raises Problem 422."""
    why = body.get("reason")
    if not isinstance(why, str) or not why.strip() or len(why) > WHY or "\0" in why:
        raise unfit("$.reason", f"must be a text of 1 to {WHY} characters that says why they are discarded")
    return why.strip()


def _written(body: Any, status: int = 200) -> Response:
    return Response(write(body), status, PRIVATE, "application/json")
