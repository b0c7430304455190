"""DELETE /v1/customers/{id} requests an erasure, or asks for one that waits for a second person (`app.api.approvals`); GET
/v1/erasures/{id} shows it and its receipt; a legal hold forbids it."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app.api.bodies import PRIVATE, answer, write
from app.api.customers import customer_id
from app.api.parameters import read, refusal, time_of
from app.api.payload import json_of
from app.api.service import api_of, caller
from app.http.problems import Problem
from sql import EventStore
from sql.erasures import Held

#: Characters of a reason; bytes of a body; the longest hold.
MOST, BODY, LONGEST = 500, 4096, timedelta(days=3653)
NO_ERASURE = "There is no erasure with this id."
_GONE = "There is no customer with this id who is not erased."


async def erase(request: Request) -> Response:
    """Request the erasure of a customer; a worker does it, once it is approved where the settings demand that. Raises Problem, 423
    under a legal hold."""
    key, customer = caller(request), customer_id(request)
    reason = reason_in(read(request, ("reason",)).get("reason"), "reason")
    store, settings = api_of(request).store, api_of(request).settings.erasure
    try:
        if settings.approval:
            lasts = timedelta(days=settings.approval_days)
            id = await store.ask_erasure(key.client, customer, reason, lasts)
        else:
            id = await store.request_erasure(key.client, customer, reason)
    except Held as held:
        raise held_problem(held) from held
    if id is None:
        raise Problem(404, _GONE)
    return await taken(request, id)


async def erasure(request: Request) -> Response:
    """Return how far an erasure is, and its receipt at the end. Raises Problem."""
    key = caller(request)
    read(request, ())
    return answer(request, await found_json(api_of(request).store, erasure_id(request), key.client))


async def taken(request: Request, id: UUID) -> Response:
    """Return 202 with an erasure, and where it is."""
    body = await found_json(api_of(request).store, id, caller(request).client)
    return Response(write(body), 202, PRIVATE | {"location": f"/v1/erasures/{id}"}, "application/json")


def erasure_id(request: Request) -> UUID:
    """Return the id of an erasure in the path. Raises Problem 404 if it is not a UUID."""
    try:
        return UUID(request.path_params["id"])
    except ValueError as error:
        raise Problem(404, "An erasure's id is a UUID, as the answer to the request had it.") from error


async def found_json(store: EventStore, id: UUID, client: str) -> dict[str, Any]:
    """Return the JSON of an erasure, also of one that waits. Raises Problem 404."""
    asked = await store.erasure_request(id, client)
    found = await store.erasure(id, client)
    if found is None and asked is None:
        raise Problem(404, NO_ERASURE)
    return erasure_json(found or asked or {}, asked)


async def hold(request: Request) -> Response:
    """Set or change a customer's legal hold. Raises Problem."""
    key, customer = caller(request), customer_id(request)
    read(request, ())
    document = await json_of(request, BODY)
    if not isinstance(document, dict) or document.keys() - {"reason", "until"}:
        raise Problem(422, "The body is an object with reason and until.")
    reason = reason_in(document.get("reason"), "reason")
    until = _until(document.get("until"))
    held = await api_of(request).store.set_hold(key.client, customer, reason, until)
    if held is None:
        raise Problem(404, _GONE)
    body = {"customerId": held["customer_id"], "reason": held["reason"], "until": held["until"]}
    return Response(write(body), 200, PRIVATE, "application/json")


async def unhold(request: Request) -> Response:
    """End a customer's legal hold. Raises Problem."""
    key, customer = caller(request), customer_id(request)
    read(request, ())
    if not await api_of(request).store.end_hold(key.client, customer):
        raise Problem(404, "This customer is under no legal hold.")
    return Response(status_code=204, headers=PRIVATE)


def erasure_json(row: Mapping[str, Any], asked: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Return the JSON of an erasure, the same in every route and command. `asked`: its row of those that wait or waited for a second
    person; `row` is the same while there is no other."""
    return {
        "erasureId": row["id"],
        "customerId": row["customer_id"],
        "state": row["state"],
        "waits": row.get("waits"),
        "asked": row.get("asked", []),
        "requestedAt": row["requested_at"],
        "fencedAt": row.get("fenced_at"),
        "destroyedAt": row.get("destroyed_at"),
        "completedAt": row.get("completed_at"),
        "receipt": row.get("receipt"),
        "approval": asked
        and {
            "askedBy": asked["actor"],
            "reason": asked["reason"],
            "expiresAt": asked["expires_at"],
            "decidedBy": asked["decided_by"],
            "decidedAt": asked["decided_at"],
            "refusalReason": asked["why"],
        },
    }


def held_problem(held: Held) -> Problem:
    """Return the problem of a customer under a legal hold."""
    detail = f"This customer is {held}."
    return Problem(423, detail, reason=held.reason, until=held.until.isoformat())


def reason_in(text: Any, name: str) -> str:
    """Return a reason that can be kept. Raises Problem 400."""
    if not isinstance(text, str) or not text.strip() or len(text) > MOST or not text.isprintable():
        raise refusal(name, f"{name}: say why, in one line of 1 to {MOST} characters, without names or addresses.")
    return text.strip()


def _until(text: Any) -> datetime:
    until = time_of("until", text) if isinstance(text, str) else None
    now = datetime.now(UTC)
    if until is None or not now < until < now + LONGEST:
        raise refusal("until", "until is a future time within ten years, like 2027-02-03T04:05:06Z.")
    return until
