"""/v1/customers: customers with all that they consist of, and the links that a person has to decide on."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app.api.audited import about
from app.api.bodies import PRIVATE, answer, write
from app.api.customers import customer_id, searched_handle
from app.api.lookups import holder_of
from app.api.parameters import read, refusal
from app.api.service import api_of, caller, sees_consents
from app.customers.shown import conflicts_json, customer_json
from app.http.problems import Problem

#: Most conflicts that are listed, and how many are by default.
CONFLICTS_MAX, CONFLICTS = 500, 100


async def find(request: Request) -> Response:
    """Return the customer who has a handle now. Raises Problem."""
    key = caller(request)
    handle = searched_handle(read(request, ("handle",)).get("handle"))
    rows = await holder_of(request, handle)
    return await _shown(request, key.client, rows[0]["customer_id"])


async def show(request: Request) -> Response:
    """Return a customer; 301 with the canonical id for one that was merged into another. Raises Problem."""
    key = caller(request)
    read(request, ())
    return await _shown(request, key.client, customer_id(request))


async def conflicts(request: Request) -> Response:
    """Return the links that contradict a split. Raises Problem."""
    key = caller(request)
    given = read(request, ("limit",)).get("limit", str(CONFLICTS))
    if not (given.isdecimal() and len(given) < 4 and 1 <= int(given) <= CONFLICTS_MAX):
        raise refusal("limit", f"limit is a number from 1 to {CONFLICTS_MAX}.")
    return answer(request, {"conflicts": await conflicts_json(api_of(request).store, key.client, int(given))})


async def _shown(request: Request, client: str, customer: UUID) -> Response:
    found = await customer_json(api_of(request).store, client, customer, consents=sees_consents(request))
    if found is None:
        raise Problem(404, "There is no customer with this id.")
    present = found["customerId"]
    about(request, str(present))
    if present != customer:
        headers = {"location": f"/v1/customers/{present}", **PRIVATE}
        return Response(write({"customerId": present}), 301, headers, "application/json")
    return answer(request, found)
