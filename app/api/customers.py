"""GET /api/customers?handle=…, and GET /api/customers/{id}/interactions: whose handle is it, and what was said."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app.api.bodies import answer, interaction
from app.api.parameters import page, read, refusal
from app.api.service import Api, api_of, caller
from app.http.access import Key
from app.http.problems import Problem
from schemas.handles import handle_of


async def find(request: Request) -> Response:
    """The customer of a handle. Raises Problem."""
    key = await caller(request, "timeline:read")
    text = read(request, ("handle",)).get("handle")
    if text is None:
        raise refusal(
            "handle", "Which customer? Give a handle: ?handle=%2B15551234567, ana@example.com, or kind:value."
        )
    try:
        handle = handle_of(text)
    except ValueError as error:
        raise refusal("handle", f"handle: {error}.") from error
    rows = await api_of(request).store.customer_of(key.client, handle.kind, handle.value)
    if not rows:
        raise Problem(404, f"Nothing is known of {handle.kind}:{handle.value}.")
    handles = [{"kind": row["kind"], "value": row["value"]} for row in rows]
    return answer(request, {"customerId": rows[0]["customer_id"], "handles": handles})


async def timeline(request: Request) -> Response:
    """A page of a customer's interactions, newest first. Raises Problem."""
    key = await caller(request, "timeline:read")
    customer = customer_id(request)
    wanted = page(request, client=key.client, customer=str(customer))
    store = api_of(request).store
    # One more than is told, to know whether there is a next page.
    rows = await store.timeline(
        client_id=key.client,
        customer_id=customer,
        channel=wanted.channel,
        direction=wanted.direction,
        status=wanted.status,
        delivery=wanted.delivery,
        since=wanted.since,
        until=wanted.until,
        before=wanted.after,
        limit=wanted.limit + 1,
    )
    if not rows:
        await must_exist(api_of(request), key, customer)
    told = rows[: wanted.limit]
    more = len(rows) > wanted.limit
    return answer(
        request,
        {
            "customerId": customer,
            "interactions": [interaction(row) for row in told],
            "next": wanted.cursor(told[-1]["timestamp"], told[-1]["id"]) if more else None,
        },
    )


def customer_id(request: Request) -> UUID:
    """The customer of the path. Raises Problem 404 where it is no id at all."""
    try:
        return UUID(request.path_params["id"])
    except ValueError as error:
        detail = "A customer's id is a UUID; /api/customers?handle=… finds it for a phone number or an e-mail address."
        raise Problem(404, detail) from error


async def must_exist(api: Api, key: Key, customer: UUID) -> None:
    """Raises Problem 404 for a customer that no event of this client ever named."""
    if not await api.store.handles(key.client, customer):
        raise Problem(404, "There is no customer with this id.")
