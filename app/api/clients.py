"""/v1/clients: a client's configuration and its versions. An API key reads and changes its own client only."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.api.bodies import PRIVATE, answer, write
from app.api.negotiation import has
from app.api.parameters import limit_of, read, refusal
from app.api.payload import json_of, refused
from app.api.service import api_of, caller
from app.clients.changes import Changes
from app.http.access import Key
from app.http.problems import Problem
from schemas import SchemaError
from sql.sealing import NoKey

#: Bytes of a document.
MOST = 256 << 10
_TAG = re.compile(r'"([0-9]{1,9})"')


async def clients(request: Request) -> Response:
    """Return the clients that the API key may read: its own. Raises Problem."""
    key = caller(request)
    read(request, ())
    one = await _current(request, key.client)
    return answer(request, {"clients": [one] if one else []})


async def client(request: Request) -> Response:
    """Return a client's configuration, with its version as the ETag. Raises Problem."""
    key = own(request)
    read(request, ())
    one = await _current(request, key.client)
    if one is None:
        raise Problem(404, "This client has no configuration yet; PUT one here.")
    tag = f'"{one["version"]}"'
    headers = PRIVATE | {"etag": tag}
    # Version 0 comes from the settings, which may change without a new number.
    if one["version"] and has(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(write(one), headers=headers, media_type="application/json")


async def put_client(request: Request) -> Response:
    """Add a version; `If-Match` names the version it replaces. The same document again changes nothing. Raises
    Problem."""
    key = own(request)
    read(request, ())
    expected = _expected(request)
    document = object_of(await json_of(request, MOST))
    async with refusing():
        row = await changes_of(request, key).set_client(key.client, document, expected)
    if expected is not None and row["before"] != expected:
        detail = f"The version that counts is {row['before']}: read it, and change that."
        raise Problem(412, detail, headers={"etag": f'"{row["before"]}"'})
    api_of(request).clients.forget(key.client)
    body = write(_version_json(key.client, row))
    status = 201 if row["added"] and row["version"] == 1 else 200
    return Response(body, status, PRIVATE | {"etag": f'"{row["version"]}"'}, "application/json")


async def versions(request: Request) -> Response:
    """Return the versions of a client's configuration, newest first. Raises Problem."""
    key = own(request)
    given = read(request, ("limit", "before"))
    limit, before = limit_of(given), given.get("before")
    if before is not None and not re.fullmatch(r"[0-9]{1,9}", before, re.ASCII):
        raise refusal("before", "before is a version: a whole number.")
    found = await api_of(request).store.client_versions(
        key.client, before=None if before is None else int(before), limit=limit + 1
    )
    more = len(found) > limit
    body = {
        "clientId": key.client,
        "versions": [_version_json(key.client, row) for row in found[:limit]],
        "next": found[limit - 1]["version"] if more else None,
    }
    return answer(request, body)


def own(request: Request) -> Key:
    """Return the API key, which must belong to the client in the path. Raises Problem 404 for any other client, so that
    no caller learns which clients exist."""
    key = caller(request)
    if request.path_params["id"] != key.client:
        raise Problem(404, "There is no client of this id that this API key acts for.")
    return key


async def _current(request: Request, client_id: str) -> dict[str, Any] | None:
    api = api_of(request)
    if row := await api.store.client(client_id):
        return _version_json(client_id, row)
    if (document := api.clients.implied_document(client_id)) is None:
        return None
    return _version_json(client_id, {"version": 0, "created_at": None, "actor": None, "document": document})


def _version_json(client_id: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "clientId": client_id,
        "version": row["version"],
        "createdAt": row["created_at"],
        "actor": row["actor"],
        "configuration": row["document"],
    }


def changes_of(request: Request, key: Key) -> Changes:
    """Return the service that makes changes, with the API key as the actor."""
    api = api_of(request)
    return Changes(api.store, api.settings, key.actor)


def object_of(document: Any) -> dict[str, Any]:
    """Return the document. Raises Problem 422 if it is not an object."""
    if not isinstance(document, dict):
        raise Problem(422, "$: must be an object", path="$")
    return document


def _tags(request: Request, header: str) -> list[str]:
    return [tag.strip() for tag in request.headers.get(header, "").split(",") if tag.strip()]


def _expected(request: Request) -> int | None:
    """Return the version that must be current by `If-Match` (RFC 9110 section 13.1.1) or `If-None-Match: *` (0: none);
    None for any. Raises Problem 400."""
    if _tags(request, "if-none-match") == ["*"]:
        return 0
    tags = _tags(request, "if-match")
    if not tags:
        return None
    match = _TAG.fullmatch(tags[0])
    if len(tags) > 1 or match is None:
        raise Problem(400, 'If-Match is the ETag of one version, as "3".', parameter="If-Match")
    return int(match[1])


@asynccontextmanager
async def refusing() -> AsyncIterator[None]:
    """Raise Problem 422 for a document that does not match its schema, and 503 if no key is configured."""
    try:
        yield
    except SchemaError as error:
        raise refused(error) from error
    except NoKey as error:
        raise Problem(503, "Accounts cannot be stored: no key to encrypt them is configured.") from error
