"""/v1/customers/{id}/merge, link, split, unlink, and undo: decisions on customers."""

from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app.api.audited import about, looks
from app.api.bodies import answer
from app.api.customers import customer_id, searched_handle
from app.api.lookups import holder_of, succeeds, tries
from app.api.parameters import read, refusal, time_of
from app.api.payload import json_of
from app.api.service import api_of, caller, sees_consents
from app.customers.shown import decision_json, handle_ids
from app.http.access import Key
from app.http.problems import Problem
from sql import Deciding, Decision, Refused
from sql.showing import showing

#: Most bytes of a body, and most handles in one.
MOST, MOST_HANDLES = 65_536, 1000
_STATUS = {"not_found": 404, "conflict": 409, "too_many": 422}


async def merge(request: Request) -> Response:
    """Merge another customer into this one. Raises Problem."""
    key, given, preview = await _asked(request, "customerId")
    store = api_of(request).store
    other = _uuid(given["customerId"], "customerId")
    return await _answered(
        request,
        store.merge_customers(key.client, customer_id(request), other, _by(key, given), only_look=preview),
        preview,
    )


async def link(request: Request) -> Response:
    """Merge the customer who has a handle into this one. Raises Problem."""
    key, given, preview = await _asked(request, "handle")
    store = api_of(request).store
    handle = searched_handle(_text(given["handle"], "handle"))
    rows = await holder_of(request, handle)
    made = store.merge_customers(
        key.client, customer_id(request), rows[0]["customer_id"], _by(key, given), only_look=preview
    )
    return await _answered(request, made, preview)


async def split(request: Request) -> Response:
    """Make a new customer of some of the handles. Raises Problem."""
    key, given, preview = await _asked(request, "handles")
    handles = given["handles"]
    if not isinstance(handles, list) or not 0 < len(handles) <= MOST_HANDLES:
        raise refusal("handles", f"handles is a list of 1 to {MOST_HANDLES} handles or their ids.")
    ids = await _of_customer(request, key, [_text(one, "handles") for one in handles])
    made = api_of(request).store.split_customer(
        key.client, customer_id(request), ids, _by(key, given), only_look=preview
    )
    return await _answered(request, made, preview)


async def unlink(request: Request) -> Response:
    """Give a handle to a new customer from a time on. Raises Problem."""
    key, given, preview = await _asked(request, "handle", "validFrom")
    since = time_of("validFrom", _text(given["validFrom"], "validFrom"))
    (id,) = await _of_customer(request, key, [_text(given["handle"], "handle")])
    made = api_of(request).store.unlink_handle(
        key.client, customer_id(request), id, since, _by(key, given), only_look=preview
    )
    return await _answered(request, made, preview)


async def undo(request: Request) -> Response:
    """Undo a merge, a split or an unlinking by its event. Raises Problem."""
    key, given, _ = await _asked(request, previews=False)
    event = _uuid(request.path_params["id"], "id")
    try:
        undone = await api_of(request).store.undo_customer_change(key.client, event, _by(key, given))
    except Refused as error:
        raise Problem(_STATUS[error.code], str(error)) from error
    return answer(request, {"eventId": undone, "undoes": event})


async def _asked(request: Request, *needed: str, previews: bool = True) -> tuple[Key, dict[str, Any], bool]:
    """Return who asks, the body, and whether it is only to be looked at. Raises Problem, also for `preview` where there is none."""
    key = caller(request)
    read(request, ())
    body = await json_of(request, MOST)
    optional = ("reason", "preview") if previews else ("reason",)
    allowed = {*needed, *optional}
    if not isinstance(body, dict) or not set(needed) <= body.keys() <= allowed:
        words = ", ".join(needed) or "no member"
        raise Problem(400, f"The body is an object with {words}; and, where wanted, {' and '.join(optional)}.")
    if not isinstance(body.get("reason"), str | None) or len(body.get("reason") or "") > 1024:
        raise refusal("reason", "reason is a text of at most 1,024 characters.")
    if not isinstance(preview := body.get("preview", False), bool):
        raise refusal("preview", "preview is true or false.")
    return key, body, preview


def _by(key: Key, given: dict[str, Any]) -> Deciding:
    kind = "client_api" if key.kind == "key" else "operator"
    return Deciding(kind, f"{key.kind}:{key.id}", given.get("reason"))


async def _answered(request: Request, made: Any, preview: bool) -> Response:
    try:
        decision: Decision = await made
    except Refused as error:
        raise Problem(_STATUS[error.code], str(error)) from error
    about(request, str(decision.becomes if not preview else decision.stays.customer_id))
    if preview:
        looks(request)
    store, consents = api_of(request).store, sees_consents(request)
    return answer(request, await decision_json(store, decision, preview=preview, consents=consents))


async def _of_customer(request: Request, key: Key, named: list[str]) -> list[UUID]:
    with showing(True):  # to compare them with those that are named; none is given out
        side = await api_of(request).store.customer_assignments(key.client, customer_id(request))
    if side is None:
        raise Problem(404, "There is no customer with this id.")
    tries(request)
    try:
        found = handle_ids(side, named)
    except ValueError as error:
        raise refusal("handle", f"handle: {error}.") from error
    except LookupError as error:
        raise Problem(409, f"{str(error).capitalize()}.") from error
    succeeds(request)
    return found


def _text(value: Any, name: str) -> str:
    if not isinstance(value, str):
        raise refusal(name, f"{name} is a text.")
    return value


def _uuid(value: Any, name: str) -> UUID:
    try:
        return UUID(_text(value, name))
    except ValueError as error:
        raise refusal(name, f"{name} is a UUID.") from error
