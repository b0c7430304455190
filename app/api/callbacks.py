"""/v1/callback: the callback of the API key's client, its secret, and its deliveries."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from starlette.requests import Request
from starlette.responses import Response

from app.api.bodies import PRIVATE, answer, write
from app.api.clients import object_of
from app.api.parameters import limit_of, read, refusal
from app.api.payload import json_of, refused
from app.api.service import api_of, caller
from app.clients.callbacks import ClientCallbacks
from app.http.access import Key
from app.http.problems import Problem
from app.keys import seal_of
from schemas import SchemaError
from schemas.events import EVENT_TYPES
from schemas.times import instant
from sql.sealing import NoKey
from webhooks.subscribers import GRACE

STATES = ("waiting", "delivered", "failed")
#: Most bytes of a body, most ids in it, and the number of deliveries shown with the callback.
MOST, IDS, LAST = 64 << 10, 1000, 20


async def callback(request: Request) -> Response:
    """Return the callback, its state, and its last deliveries. Raises Problem."""
    key = caller(request)
    read(request, ())
    row = await _current(request, key)
    last = await api_of(request).store.deliveries(key.client, None, LAST)
    return answer(request, callback_json(row) | {"deliveries": [delivery_json(one) for one in last]})


async def deliveries(request: Request) -> Response:
    """Return the latest deliveries, all or those in one state. Raises Problem."""
    key = caller(request)
    given = read(request, ("state", "limit"))
    state = given.get("state")
    if state is not None and state not in STATES:
        raise refusal("state", f"state is one of: {', '.join(STATES)}.")
    rows = await api_of(request).store.deliveries(key.client, state, limit_of(given))
    return answer(request, {"deliveries": [delivery_json(row) for row in rows]})


async def secret(request: Request) -> Response:
    """Create a secret and return it, this once; the secrets before it still sign for a day. Raises Problem."""
    key = caller(request)
    read(request, ())
    await _current(request, key)
    try:
        made = await callbacks_of(request).rotate(key.client, key.actor)
    except NoKey as error:
        detail = "Secrets cannot be stored: no key to encrypt them is configured."
        raise Problem(503, detail, headers={"retry-after": "60"}) from error
    if made is None:
        raise _no_callback()
    body = {"secret": made, "othersUntil": datetime.now(UTC) + GRACE}
    return Response(write(body), 201, {"cache-control": "no-store"}, "application/json")


async def enable(request: Request) -> Response:
    """Enable a disabled callback; its waiting deliveries are due at once. Raises Problem."""
    key = caller(request)
    read(request, ())
    await _current(request, key)
    waiting = await api_of(request).store.enable_callback(key.client, key.actor)
    if waiting is None:
        raise _no_callback()
    return _written({"waiting": waiting})


async def replay(request: Request) -> Response:
    """Deliver events again, given by their ids or by the time of their recording. Raises Problem."""
    key = caller(request)
    read(request, ())
    document = object_of(await json_of(request, MOST))
    await _current(request, key)
    store, following = api_of(request).store, None
    try:
        if "ids" in document:
            replayed = await store.replay_ids(key.client, _ids(document))
        else:
            replayed, following = await store.replay_span(key.client, *_span(document))
    except SchemaError as error:
        raise refused(error) from error
    return _written({"replayed": replayed, "next": following})


def callbacks_of(request: Request) -> ClientCallbacks:
    """Return the service that stores callbacks."""
    api = api_of(request)
    return ClientCallbacks(api.store, api.clients, seal_of(api.settings))


def callback_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON of a callback."""
    state = "disabled" if row["disabled_at"] else "failing" if row["failing_since"] else "enabled"
    return {
        "clientId": row["client_id"],
        "url": row["url"],
        "types": [EVENT_TYPES.get(type, type) for type in row["types"]],
        "concurrency": row["concurrency"],
        "state": state,
        "failingSince": row["failing_since"],
        "disabledAt": row["disabled_at"],
        "disabledReason": row["disabled_reason"],
    }


def delivery_json(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the JSON of a delivery. `dueAt` is null once it is over."""
    return {
        "eventId": row["event_id"],
        "messageId": row["message_id"],
        "type": EVENT_TYPES[row["type"]],
        "recordedAt": row["recorded_at"],
        "state": row["state"],
        "attempts": row["attempts"],
        "attemptedAt": row["attempted_at"],
        "dueAt": row["due_at"] if row["state"] == "waiting" else None,
        "status": row["last_status"],
        "error": row["last_error"],
        "secretVersion": row["secret_version"],
    }


async def _current(request: Request, key: Key) -> dict[str, Any]:
    row = await callbacks_of(request).of(key.client)
    if row is None:
        raise _no_callback()
    return row


def _no_callback() -> Problem:
    return Problem(
        404, 'This client has no callback: its configuration names one, as "callback": {"url": "https://…"}.'
    )


def _written(body: Any) -> Response:
    return Response(write(body), 200, PRIVATE, "application/json")


def _ids(document: Mapping[str, Any]) -> list[UUID]:
    """Read the event ids to replay. Raises SchemaError."""
    ids = document["ids"]
    if len(document) > 1:
        raise SchemaError("$", "is to have either ids, or since and until")
    if not isinstance(ids, list) or not 1 <= len(ids) <= IDS:
        raise SchemaError("$.ids", f"must be an array of 1 to {IDS} event ids")
    found = []
    for index, id in enumerate(ids):
        try:
            found.append(UUID(id))
        except (ValueError, TypeError, AttributeError) as error:
            raise SchemaError(f"$.ids[{index}]", "must be the id of an event, a UUID") from error
    return found


def _span(document: Mapping[str, Any]) -> tuple[datetime, datetime]:
    """Read the times to replay, from and to. Raises SchemaError."""
    if document.keys() - {"since", "until"}:
        raise SchemaError("$", "has members that are unknown here; there are ids, or since and until")
    if "since" not in document:
        raise SchemaError("$.since", "is required, or ids")
    return _time(document, "since"), _time(document, "until") if "until" in document else datetime.now(UTC)


def _time(document: Mapping[str, Any], name: str) -> datetime:
    try:
        if isinstance(document[name], str):
            return instant(document[name])
    except ValueError:
        pass
    raise SchemaError(f"$.{name}", "must be a time with its offset (RFC 3339), such as 2026-02-03T04:05:06Z")
