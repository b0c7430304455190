"""/v1/clients: a client's configuration with its versions, and its accounts. A key sees and changes its own client."""

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from app.access import Key
from app.api.bodies import answer, write
from app.api.parameters import limit_of, read, refusal
from app.api.payload import json_of
from app.api.service import api_of, caller
from app.problems import Problem
from app.sending.accounts import UnknownAccount, configured, opened, shown
from app.sending.changes import Changes, InUse
from app.sending.clients import implied_document
from app.sending.seal import NoKey, Seal
from schemas import SchemaError

READ, WRITE = "clients:read", "clients:write"
#: Bytes of a document.
MOST = 256 << 10
#: Headers of what is told of a client: a shared cache must keep none of it.
_PRIVATE = {"cache-control": "private, no-cache", "vary": "authorization"}
_TAG = re.compile(r'"([0-9]{1,9})"')


async def clients(request: Request) -> Response:
    """The clients that the key may see: its own. Raises Problem."""
    key = await caller(request, READ)
    read(request, ())
    one = await _current(request, key.client)
    return answer(request, {"clients": [one] if one else []})


async def client(request: Request) -> Response:
    """A client's configuration, its version as the ETag. Raises Problem."""
    key = await _own(request, READ)
    read(request, ())
    one = await _current(request, key.client)
    if one is None:
        raise Problem(404, "This client has no configuration yet; PUT one here.")
    tag = f'"{one["version"]}"'
    headers = _PRIVATE | {"etag": tag}
    # Version 0 is what the settings say, which may change without a new number.
    if one["version"] and tag in _tags(request, "if-none-match"):
        return Response(status_code=304, headers=headers)
    return Response(write(one), headers=headers, media_type="application/json")


async def put_client(request: Request) -> Response:
    """A new version; `If-Match` names the one it replaces. The same document again changes nothing. Raises Problem."""
    key = await _own(request, WRITE)
    read(request, ())
    expected = _expected(request)
    document = _object(await json_of(request, MOST))
    async with _refusing():
        row = await _changes(request, key).set_client(key.client, document, expected)
    if expected is not None and row["before"] != expected:
        detail = f"The version that counts is {row['before']}: read it, and change that."
        raise Problem(412, detail, headers={"etag": f'"{row["before"]}"'})
    api_of(request).clients.forget(key.client)
    body = write(_told(key.client, row))
    status = 201 if row["added"] and row["version"] == 1 else 200
    return Response(body, status, _PRIVATE | {"etag": f'"{row["version"]}"'}, "application/json")


async def versions(request: Request) -> Response:
    """The versions of a client's configuration, newest first. Raises Problem."""
    key = await _own(request, READ)
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
        "versions": [_told(key.client, row) for row in found[:limit]],
        "next": found[limit - 1]["version"] if more else None,
    }
    return answer(request, body)


async def accounts(request: Request) -> Response:
    """A client's accounts, without their secrets. Raises Problem."""
    key = await _own(request, READ)
    read(request, ())
    api = api_of(request)
    seal, told = Seal.of(api.settings), {}
    for name, source in api.settings.sources.items():
        if source.client == key.client and (account := configured(name, source)):
            told[name] = shown(account) | {"origin": "settings", "changedAt": None}
    for row in await api.store.accounts(key.client):
        try:
            one = shown(opened(row, seal))
        except UnknownAccount:  # its key or its adapter is not there
            one = {name: row[name] for name in ("name", "adapter", "source", "url", "trusted")}
            one |= {"settings": None, "secrets": None}
        told[row["name"]] = one | {"origin": "store", "changedAt": row["changed_at"]}
    return answer(request, {"clientId": key.client, "accounts": list(told.values())})


async def put_account(request: Request) -> Response:
    """Add or replace an account. Raises Problem."""
    key = await _own(request, WRITE)
    read(request, ())
    document = _object(await json_of(request, MOST))
    name = request.path_params["name"]
    async with _refusing():
        account, state = await _changes(request, key).set_account(key.client, name, document)
    api_of(request).clients.forget(key.client, name)
    return Response(write(shown(account)), 201 if state == "added" else 200, _PRIVATE, "application/json")


async def delete_account(request: Request) -> Response:
    """Remove an account. Raises Problem."""
    key = await _own(request, WRITE)
    read(request, ())
    name = request.path_params["name"]
    if "\x00" in name or not await _remove(request, key, name):
        raise Problem(404, "This client has no such account.")
    api_of(request).clients.forget(key.client, name)
    return Response(status_code=204)


async def _remove(request: Request, key: Key, name: str) -> bool:
    try:
        return await _changes(request, key).remove_account(key.client, name)
    except InUse as error:
        raise Problem(409, f"{error}.") from error


async def _own(request: Request, scope: str) -> Key:
    """The key, which must be that of the client in the path: of others it is not told whether they exist."""
    key = await caller(request, scope)
    if request.path_params["id"] != key.client:
        raise Problem(404, "There is no client of this id that this API key acts for.")
    return key


async def _current(request: Request, client_id: str) -> dict[str, Any] | None:
    api = api_of(request)
    if row := await api.store.client(client_id):
        return _told(client_id, row)
    if (document := implied_document(client_id, api.settings)) is None:
        return None
    return _told(client_id, {"version": 0, "created_at": None, "actor": None, "document": document})


def _told(client_id: str, row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "clientId": client_id,
        "version": row["version"],
        "createdAt": row["created_at"],
        "actor": row["actor"],
        "configuration": row["document"],
    }


def _changes(request: Request, key: Key) -> Changes:
    api = api_of(request)
    return Changes(api.store, api.settings, f"key:{key.name}")


def _object(document: Any) -> dict[str, Any]:
    if not isinstance(document, dict):
        raise Problem(422, "$: must be an object", path="$")
    return document


def _tags(request: Request, header: str) -> list[str]:
    return [tag.strip() for tag in request.headers.get(header, "").split(",") if tag.strip()]


def _expected(request: Request) -> int | None:
    """The version that `If-Match` (RFC 9110 section 13.1.1) or `If-None-Match: *` says must count; None for any."""
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
async def _refusing() -> AsyncIterator[None]:
    """What does not fit is told with its path; what the operator must mend, as such."""
    try:
        yield
    except SchemaError as error:
        raise Problem(422, str(error), path=error.path) from error
    except NoKey as error:
        raise Problem(503, "Accounts cannot be kept here: no key is configured to encrypt them with.") from error
