"""GET /api/customers?handle=… finds a customer; GET /api/customers/{id}/interactions returns the timeline."""

from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app.api.audited import about
from app.api.bodies import answer, interaction
from app.api.lookups import holder_of
from app.api.parameters import page, read, refusal
from app.api.service import Api, api_of, caller
from app.http.access import Key
from app.http.problems import Problem
from schemas.events import Handle
from schemas.typed_handles import searched


async def find(request: Request) -> Response:
    """Return the customer who has a handle. Raises Problem."""
    key = caller(request)
    handle = searched_handle(read(request, ("handle",)).get("handle"))
    rows = await holder_of(request, handle)
    customer = rows[0]["customer_id"]
    about(request, str(customer))
    unapplied = await api_of(request).store.unapplied_links(key.client, customer)
    return answer(
        request,
        {
            "customerId": customer,
            "handles": [{"kind": row["kind"], "value": row["value"]} for row in rows],
            "linksNotApplied": [
                {
                    "handle": {"kind": row["of_kind"], "value": row["of_value"]},
                    "other": {"kind": row["kind"], "value": row["value"]},
                }
                for row in unapplied
            ],
        },
    )


async def timeline(request: Request) -> Response:
    """Return a page of a customer's interactions, newest first. Raises Problem."""
    key = caller(request)
    customer = customer_id(request)
    wanted = page(request, client=key.client, customer=str(customer))
    store = api_of(request).store
    # One more than the page has, to know whether there is a next page.
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
        known = await must_exist(api_of(request), key, customer)
    shown = rows[: wanted.limit]
    more = len(rows) > wanted.limit
    return answer(
        request,
        {
            "customerId": rows[0]["customer_id"] if rows else known,
            "interactions": [interaction(row) for row in shown],
            "next": wanted.cursor(shown[-1]["timestamp"], shown[-1]["id"]) if more else None,
        },
    )


def searched_handle(text: str | None) -> Handle:
    """Return the handle that a caller names. Raises Problem."""
    if text is None:
        raise refusal(
            "handle", "Which customer? Give a handle: ?handle=%2B15551234567, ana@example.com, or kind:value."
        )
    try:
        return searched(text)
    except ValueError as error:
        raise refusal("handle", f"handle: {error}.") from error


def customer_id(request: Request) -> UUID:
    """Return the customer id in the path. Raises Problem 404 if it is not a UUID."""
    try:
        return UUID(request.path_params["id"])
    except ValueError as error:
        detail = "A customer's id is a UUID; /api/customers?handle=… finds it for a phone number or an e-mail address."
        raise Problem(404, detail) from error


async def must_exist(api: Api, key: Key, customer: UUID) -> UUID:
    """Return the customer's present id: an id that was given out before the customer was joined to another is still valid.
    Raise Problem 404 if the client has no such customer."""
    if not (handles := await api.store.handles(key.client, customer)):
        raise Problem(404, "There is no customer with this id.")
    present: UUID = handles[0]["customer_id"]
    return present
