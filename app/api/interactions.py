"""GET /api/interactions/{id}: one interaction and all of its events."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app.api.bodies import answer, event, interaction
from app.api.parameters import read
from app.api.service import api_of, caller
from app.http.problems import Problem


async def history(request: Request) -> Response:
    """Return the interaction with its events in the order of the log. Raises Problem.

    The id of an interaction that was merged into another, because a late event linked the two, gives that other. Months of which events may be
    missing, since they are archived, are named.
    """
    key = caller(request)
    read(request, ())
    store = api_of(request).store
    missing = Problem(404, "There is no interaction with this id.")
    try:
        id = UUID(request.path_params["id"])
    except ValueError as error:
        raise missing from error
    row = await store.interaction(key.client, id)
    if row is None:
        raise missing
    events = await store.history(key.client, row["id"])
    archived = await store.archived_months(row["timestamp"])
    shown = interaction(row) | {"events": [event(one) for one in events]}
    return answer(request, shown | {"archivedMonths": archived} if archived else shown)
