"""/v1/sessions: the sessions of people who may act for the caller's client, to be seen and ended by its administrators."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app.api.bodies import PRIVATE, answer
from app.api.cursors import encode_page
from app.api.parameters import after_in, limit_of, read, refusal
from app.api.service import api_of, caller
from app.http.problems import Problem

#: Most characters of a person's name.
MOST = 512


async def listed(request: Request) -> Response:
    """Return the sessions that have not ended, the latest first, and the `next` page's cursor. Raises Problem."""
    key, given = caller(request), read(request, ("person", "limit", "cursor"))
    person, people = given.get("person"), api_of(request).people
    if person is not None and len(person) > MOST:
        raise refusal("person", f"person has more than {MOST} characters.")
    limit, question = limit_of(given), "\x1f".join(("sessions", key.client, person or ""))
    after = after_in(given, question)
    rows = [] if people is None else await people.sessions.of_client(key.client, person, after, limit + 1)
    last = rows[limit - 1] if len(rows) > limit else None
    following = encode_page(last["created_at"], last["id"], question) if last else None
    return answer(request, {"sessions": [_session_json(row, key.id) for row in rows[:limit]], "next": following})


async def end(request: Request) -> Response:
    """End a session, wherever its person uses it. Raises Problem."""
    key, people = caller(request), api_of(request).people
    read(request, ())
    try:
        id = UUID(request.path_params["id"])
    except ValueError as error:
        raise Problem(404, "A session's id is a UUID, as the list has it.") from error
    if people is None or not await people.sessions.end_of_client(key.client, id):
        raise Problem(404, "There is no session with this id that has not ended.")
    return Response(status_code=204, headers=PRIVATE)


def _session_json(row: Mapping[str, Any], own: UUID) -> dict[str, Any]:
    return {
        "sessionId": row["id"],
        "person": row["holder"],
        "issuer": row["issuer"],
        "scopes": row["scopes"],
        "startedAt": row["created_at"],
        "usedAt": row["used_at"],
        "current": row["id"] == own,
    }
