"""/v1/clients/{id}/accounts: a client's accounts at providers, never with their secrets."""

from starlette.requests import Request
from starlette.responses import Response

from app.api.bodies import PRIVATE, answer, write
from app.api.clients import MOST, changes_of, object_of, own, refusing
from app.api.parameters import read
from app.api.payload import json_of
from app.api.service import api_of
from app.clients.account_sources import webhook_path
from app.clients.accounts import account_json
from app.clients.changes import InUse
from app.clients.shown_accounts import accounts_json
from app.http.access import Key
from app.http.problems import Problem


async def accounts(request: Request) -> Response:
    """Return a client's accounts, without their secrets. Raises Problem."""
    key = own(request)
    read(request, ())
    api = api_of(request)
    by_name = {one["name"]: one for one, _ in await accounts_json(api.store, api.settings, key.client)}
    return answer(request, {"clientId": key.client, "accounts": list(by_name.values())})


async def put_account(request: Request) -> Response:
    """Add or replace an account. Raises Problem."""
    key = own(request)
    read(request, ())
    document = object_of(await json_of(request, MOST))
    name = request.path_params["name"]
    async with refusing():
        account, state = await changes_of(request, key).set_account(key.client, name, document)
    api_of(request).clients.forget(key.client, name)
    body = account_json(account) | {"webhookPath": webhook_path(key.client, name)}
    return Response(write(body), 201 if state == "added" else 200, PRIVATE, "application/json")


async def delete_account(request: Request) -> Response:
    """Remove an account. Raises Problem."""
    key = own(request)
    read(request, ())
    name = request.path_params["name"]
    if "\x00" in name or not await _remove(request, key, name):
        raise Problem(404, "This client has no such account.")
    api_of(request).clients.forget(key.client, name)
    return Response(status_code=204)


async def _remove(request: Request, key: Key, name: str) -> bool:
    try:
        return await changes_of(request, key).remove_account(key.client, name)
    except InUse as error:
        raise Problem(409, f"{error}.") from error
