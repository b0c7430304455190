"""DELETE /v1/customers/{id} requests an erasure, GET /v1/erasures/{id} shows it and its receipt; a legal hold forbids it."""

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
from sql.erasures import Held

#: Characters of a reason; bytes of a body; the longest hold.
MOST, BODY, LONGEST = 500, 4096, timedelta(days=3653)
_GONE = "There is no customer with this id who is not erased."


async def erase(request: Request) -> Response:
    """Request the erasure of a customer; a worker does it. Raises Problem, 423 under a legal hold."""
    key, customer = caller(request), customer_id(request)
    reason = _reason(read(request, ("reason",)).get("reason"), "reason")
    store = api_of(request).store
    try:
        id = await store.request_erasure(key.client, customer, reason)
    except Held as held:
        raise _held(held) from held
    if id is None:
        raise Problem(404, _GONE)
    found = await store.erasure(id, key.client)
    assert found is not None
    headers = PRIVATE | {"location": f"/v1/erasures/{id}"}
    return Response(write(erasure_json(found)), 202, headers, "application/json")


async def erasure(request: Request) -> Response:
    """Return how far an erasure is, and its receipt at the end. Raises Problem."""
    key = caller(request)
    read(request, ())
    try:
        id = UUID(request.path_params["id"])
    except ValueError as error:
        raise Problem(404, "An erasure's id is a UUID, as the answer to the request had it.") from error
    found = await api_of(request).store.erasure(id, key.client)
    if found is None:
        raise Problem(404, "There is no erasure with this id.")
    return answer(request, erasure_json(found))


async def hold(request: Request) -> Response:
    """Set or change a customer's legal hold. Raises Problem."""
    key, customer = caller(request), customer_id(request)
    read(request, ())
    document = await json_of(request, BODY)
    if not isinstance(document, dict) or document.keys() - {"reason", "until"}:
        raise Problem(422, "The body is an object with reason and until.")
    reason = _reason(document.get("reason"), "reason")
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


def erasure_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON of an erasure, the same in every route and command."""
    return {
        "erasureId": row["id"],
        "customerId": row["customer_id"],
        "state": row["state"],
        "waits": row["waits"],
        "asked": row["asked"],
        "requestedAt": row["requested_at"],
        "fencedAt": row["fenced_at"],
        "destroyedAt": row["destroyed_at"],
        "completedAt": row["completed_at"],
        "receipt": row["receipt"],
    }


def _held(held: Held) -> Problem:
    detail = f"This customer is {held}."
    return Problem(423, detail, reason=held.reason, until=held.until.isoformat())


def _reason(text: Any, name: str) -> str:
    if not isinstance(text, str) or not text.strip() or len(text) > MOST or not text.isprintable():
        raise refusal(name, f"{name}: say why, in one line of 1 to {MOST} characters, without names or addresses.")
    return text.strip()


def _until(text: Any) -> datetime:
    until = time_of("until", text) if isinstance(text, str) else None
    now = datetime.now(UTC)
    if until is None or not now < until < now + LONGEST:
        raise refusal("until", "until is a future time within ten years, like 2027-02-03T04:05:06Z.")
    return until
