"""/v1/dead-letters: records that could not be processed, as a list, in groups, and one with its record.

A key sees its own client's dead letters. With the scope `dead-letters:all` it sees those of all clients and those of none,
whose records could not be read so far. A record and a whole reason, which may quote it, may hold personal data, and no mask fits what
could not be read: they need the scopes that read it elsewhere, `timeline:read` and `personal:read`.
"""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app.api.audited import of_clients
from app.api.bodies import answer
from app.api.cursors import encode_page
from app.api.parameters import after_in, limit_of, one_of, read, time_in
from app.api.service import api_of, caller, lacking
from app.http.access import Key
from app.http.problems import Problem
from app.http.scopes import RECORDS
from sql import Filter

ALL = "dead-letters:all"
FILTERS = ("client", "topic", "source", "reason", "since", "until")
PARAMETERS = (*FILTERS, "handled", "limit", "cursor")
HANDLED = {"true": True, "false": False}


async def listed(request: Request) -> Response:
    """Return dead letters, newest first, and the `next` page's cursor. Raises Problem."""
    key = caller(request)
    given = read(request, PARAMETERS)
    which, limit = filter_of(key, given), limit_of(given)
    question = question_of("list", which)
    rows = await api_of(request).store.dead_letters(which, after_in(given, question), limit + 1)
    of_clients(request, (row["client_id"] for row in rows[:limit]))
    body = {
        "deadLetters": [letter_json(row, key) for row in rows[:limit]],
        "next": next_of(rows, limit, question),
    }
    return answer(request, body)


async def grouped(request: Request) -> Response:
    """Return the groups of dead letters by source, topic, reason and shape, the largest first. Raises Problem."""
    key = caller(request)
    given = read(request, (*FILTERS, "handled"))
    rows, seen = await api_of(request).store.dead_letter_groups(filter_of(key, given))
    groups = [
        {
            "source": row["source"],
            "topic": row["topic"],
            "reason": row["reason"],
            "shape": row["shape"],
            "count": row["letters"],
            "firstAt": row["first_at"],
            "lastAt": row["last_at"],
            "example": str(row["example"]),
        }
        for row in rows
    ]
    return answer(request, {"groups": groups, "counted": seen})


async def shown(request: Request) -> Response:
    """Return one dead letter, with its record if the key may read that. Raises Problem."""
    key = caller(request)
    read(request, ())
    row = await letter_of(request, key)
    of_clients(request, [row["client_id"]])
    body = letter_json(row, key)
    if key.scopes >= RECORDS:
        body["detail"], body["record"] = (
            row["detail"],
            None if row["value"] is None else b64encode(row["value"]).decode(),
        )
        body["items"] = row["items"]
    return answer(request, body)


async def letter_of(request: Request, key: Key) -> dict[str, Any]:
    """Return the dead letter in the path. Raises Problem 404 if there is none, or if it is another client's."""
    row = None
    try:
        row = await api_of(request).store.dead_letter(UUID(request.path_params["id"]), scope_of(key))
    except ValueError:
        pass
    if row is None:
        raise Problem(404, "There is no dead letter of this id that this API key may see.")
    return row


def scope_of(key: Key) -> str | None:
    """Return the client whose dead letters a key may see; None for all and none."""
    return None if ALL in key.scopes else key.client


def filter_of(key: Key, given: Mapping[str, str]) -> Filter:
    """Return the filter that the parameters name, within what the key may see. Raises Problem 400, and 403 for another client."""
    client = scope_of(key)
    if (asked := given.get("client")) is not None and asked != client:
        if client is not None:
            raise lacking(ALL, f"This API key is of another client, and has no scope {ALL}.")
        client = asked
    handled = one_of(given, "handled", tuple(HANDLED))
    return Filter(
        client=client,
        topic=given.get("topic"),
        source=given.get("source"),
        reason=given.get("reason"),
        since=time_in(given, "since"),
        until=time_in(given, "until"),
        handled=None if handled is None else HANDLED[handled],
    )


def question_of(what: str, which: Filter) -> str:
    """Return what a cursor belongs to: the route and the filter."""
    return "\x1f".join(("dead-letters", what, *(str(value) for value in which.parameters.values())))


def next_of(rows: list[dict[str, Any]], limit: int, question: str) -> str | None:
    """Return the cursor after the first `limit` rows, None if there are no more."""
    return encode_page(rows[limit - 1]["recorded_at"], rows[limit - 1]["id"], question) if len(rows) > limit else None


def state_of(row: Mapping[str, Any]) -> str:
    """Return the state of a dead letter."""
    return "discarded" if row["discarded_at"] else "replayed" if row["replayed_at"] else "open"


def letter_json(row: Mapping[str, Any], key: Key) -> dict[str, Any]:
    """Return the JSON of a dead letter, without its record."""
    replay = row["replayed_at"] and {
        "at": row["replayed_at"],
        "by": row["replayed_by"],
        "number": row["replays"],
        "outcome": row["outcome"],
        "outcomeAt": row["outcome_at"],
        "events": row["outcome_events"],
        "deadLetterId": row["became"] and str(row["became"]),
    }
    discard = row["discarded_at"] and {
        "at": row["discarded_at"],
        "by": row["discarded_by"],
        "reason": row["discard_reason"],
        "recordRemoved": row["record_removed"],
    }
    return {
        "id": str(row["id"]),
        "state": state_of(row),
        "clientId": row["client_id"],
        "source": row["source"],
        "topic": row["topic"],
        "partition": row["partition"],
        "offset": row["offset"],
        "webhookId": row["webhook_id"] and str(row["webhook_id"]),
        "reason": row["reason"] if key.scopes >= RECORDS else row["general"],
        "shape": row["shape"],
        "badItems": row["bad"],
        "size": row["size"],
        "digest": row["digest"],
        "recordKept": row["whole"] and row["unopenable"] is None,
        "recordedAt": row["recorded_at"],
        "replayOf": row["replay_of"] and str(row["replay_of"]),
        "replay": replay,
        "discard": discard,
        "links": {"self": f"/v1/dead-letters/{row['id']}"},
    }
