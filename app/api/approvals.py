"""/v1/erasures: those that wait for a second person, which approves or refuses them."""

from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.api.bodies import PRIVATE, answer, write
from app.api.bulk import members_of
from app.api.erasures import NO_ERASURE, erasure_id, erasure_json, found_json, held_problem, reason_in, taken
from app.api.parameters import limit_of, read
from app.api.service import api_of, caller
from app.http.problems import Problem
from sql.approvals import NothingLeft, NotWaiting, SameParty, Withdrawn
from sql.erasures import Held


async def listed(request: Request) -> Response:
    """Return the latest erasures that wait for a second person, or were refused or not approved in time. Raises Problem."""
    key, limit = caller(request), limit_of(read(request, ("limit",)))
    rows = await api_of(request).store.erasure_requests(key.client, limit)
    return answer(request, {"erasures": [erasure_json(row, row) for row in rows]})


async def approve(request: Request) -> Response:
    """Approve an erasure, which a worker then does. Raises Problem: 403 for who asked for it, or may be the same person, and whose
    credential is not in force any more; 409 if it does not wait, 423 under a legal hold."""
    read(request, ())
    await members_of(request, (), optional=True)
    asked = await _asked(request)
    try:
        id = await api_of(request).store.approve_erasure(asked)
    except (SameParty, Withdrawn) as error:
        raise Problem(403, str(error)) from error
    except NotWaiting as error:
        raise Problem(409, str(error), state=error.state) from error
    except NothingLeft as error:
        raise Problem(409, "There is nothing left of this customer to erase.", state="waiting") from error
    except Held as held:
        raise held_problem(held) from held
    return await taken(request, id)


async def refuse(request: Request) -> Response:
    """Refuse an erasure that waits, or withdraw one's own, for a reason. Raises Problem, 409 if it does not wait."""
    read(request, ())
    body = await members_of(request, ("reason",))
    why, asked = reason_in(body.get("reason"), "reason"), await _asked(request)
    store = api_of(request).store
    try:
        await store.refuse_erasure(asked, why)
    except NotWaiting as error:
        raise Problem(409, str(error), state=error.state) from error
    body = await found_json(store, asked["id"], asked["client_id"])
    return Response(write(body), 200, PRIVATE, "application/json")


async def _asked(request: Request) -> Mapping[str, Any]:
    """Return the erasure of the path as it was asked for. Raises Problem 404, also for one that never waited."""
    found = await api_of(request).store.erasure_request(erasure_id(request), caller(request).client)
    if found is None:
        raise Problem(404, NO_ERASURE)
    return found
