"""Who may call what: every route of the table, tried with every kind of credential that must not do."""

from base64 import b64decode
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx
import pytest
import pytest_asyncio

from app.http.access import Access
from app.http.issued import Tokens
from app.http.permits import ENVELOPES, ROUTES
from app.http.scopes import ALL_CLIENTS, SCOPES
from app.http.tokens import id_of, mint
from schemas.events import Handle
from tests.conftest import Dsns
from tests.integration.serving import ANA, Served, event, refused, serving
from tests.integration.test_dead_letters_api import ids_of, letter
from tests.integration.test_messages_api import SMS, URL, settings
from tests.support.issuer import Issuer, running

#: The routes that take a credential whatever the settings say; the door's own tests try the envelopes.
NEEDY = {name: need for name, need in ROUTES.items() if need.open == "never" and not name.startswith(ENVELOPES)}
MARK = "what only Ana's client may read"


@pytest_asyncio.fixture
async def served(postgres_dsn: Dsns) -> AsyncIterator[Served]:
    """The API on a database with a customer, an interaction, a message and a dead letter of the client `default`."""
    async with serving(postgres_dsn.service, settings(), tuple(SCOPES)) as api:
        await api.append(event("MessageReceived", "SM1", payload={"content": {"text": MARK}}))
        await api.append(event("MessageReceived", "SM2", handle=Handle("phone", "+15551234568")))
        await api.store.append([], [], [letter(1, "default", value=MARK.encode())])
        yield api


@pytest_asyncio.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """An issuer of tokens that is up."""
    async with running() as made:
        yield made


#: What requests have to say, by the end of their path.
BODIES: dict[str, Any] = {
    "discard": {"reason": "a test"},
    "merge": {"customerId": str(uuid4())},
    "link": {"handle": ANA.value},
    "split": {"handles": [ANA.value]},
    "unlink": {"handle": ANA.value, "validFrom": "2026-02-03T04:05:06Z"},
    "undo": {},
    "refuse": {"reason": "a test"},
    "hold": {"reason": "a test", "until": "2030-01-01T00:00:00Z"},
}


async def paths_of(served: Served) -> dict[str, str]:
    """Return the path of each route, with the ids of what the client `default` has."""
    customer = await served.customer()
    timeline = (await served.http.get(f"/api/customers/{customer}/interactions")).json()
    interaction = timeline["interactions"][0]["interactionId"]
    message = (await served.http.post(URL, json=SMS)).json()["messageId"]
    ids = {
        "/api/customers": str(customer),
        "/v1/customers": str(customer),
        "/v1/customer-changes": str(uuid4()),
        "/v1/sessions": str(uuid4()),
        "/api/interactions": interaction,
        "/v1/messages": message,
    }
    (letter_id,) = (await ids_of(served)).values()
    erased = await served.customer(Handle("phone", "+15551234568"))
    ids |= {"/v1/clients": "default", "/v1/dead-letters": letter_id, "/v1/customers": str(customer)}
    ids["/v1/erasures"] = str(await served.store.request_erasure("default", erased, "a test"))
    paths = {}
    for name in NEEDY:
        path = name.partition(" ")[2].replace(":path}", "}")
        id = next((id for beginning, id in ids.items() if path.startswith(beginning)), "")
        paths[name] = path.format(id=id, n=0, name="twilio", handle=ANA.value, channel="sms")
    return paths


async def asked(served: Served, name: str, path: str, token: str | None) -> httpx.Response:
    """Return the answer to a request of a route with this credential."""
    served.http.headers.pop("authorization", None)
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    body = (
        BODIES.get(path.rpartition("/")[2])
        if path.startswith(("/v1/customer", "/v1/dead-letters", "/v1/erasures"))
        else None
    )
    method = name.partition(" ")[0]
    query = {"reason": "a test"} if name == "DELETE /v1/customers/{id}" else None
    sent = None if method == "DELETE" else body
    return await served.http.request(method, path, headers=headers, json=sent, params=query)


async def test_no_route_answers_a_credential_that_does_not_do(served: Served) -> None:
    """None, an unknown one, one that is no key, an expired and a revoked one get 401; one with all scopes but that of the route 403,
    with the scope that is missing, in the body and the challenge of RFC 6750."""
    paths = await paths_of(served)
    id, expired, hash = mint()
    await served.store.create_api_key(
        id, "old", "default", list(SCOPES), hash, datetime.now(UTC) - timedelta(seconds=1)
    )
    revoked = await served.key(*SCOPES)
    await served.store.revoke_api_key(id_of(revoked))
    small = {scope: await served.key(*(SCOPES.keys() - {scope})) for scope in SCOPES}
    for name, path in paths.items():
        scope = NEEDY[name].scope
        assert scope is not None
        none = await asked(served, name, path, None)
        assert refused(none, 401)["detail"], name
        assert none.headers["www-authenticate"] == 'Bearer realm="threadline"', name
        for token in (mint()[1], mint("test")[1], "a.b.c", expired, revoked):
            wrong = await asked(served, name, path, token)
            refused(wrong, 401)
            assert wrong.headers["www-authenticate"] == 'Bearer realm="threadline", error="invalid_token"', name
        lesser = await asked(served, name, path, small[scope])
        assert refused(lesser, 403)["scope"] == scope, name
        challenge = f'Bearer realm="threadline", error="insufficient_scope", scope="{scope}"'
        assert lesser.headers["www-authenticate"] == challenge, name


async def test_no_route_shows_or_changes_what_another_client_has(served: Served) -> None:
    """What an id names is not found, as if it were not there; a list is another one. The same requests by the client's own key reach
    what they name."""
    paths = await paths_of(served)
    own = (served.http.headers["authorization"]).partition(" ")[2]
    other = await served.key(*(SCOPES.keys() - {"dead-letters:all"}), client="other")
    for name, path in paths.items():
        answer = await asked(served, name, path, other)
        assert MARK not in answer.text, name
        if "{id" in name:
            refused(answer, 404)
        if name.endswith("{id}/interactions"):
            assert MARK in (await asked(served, name, path, own)).text
    state = (await asked(served, "GET", paths["GET /v1/messages/{id:path}"], own)).json()["state"]
    assert state == "queued"
    shown = (await asked(served, "GET", paths["GET /v1/dead-letters/{id}"], own)).json()
    assert shown["state"] == "open" and b64decode(shown["record"]).decode() == MARK


async def test_a_key_for_all_clients_names_one_in_each_request(served: Served) -> None:
    """And then sees that client's; without the header, or with one that does not name a client, it gets 400. A key of one client may
    name its own only."""
    path = (await paths_of(served))["GET /api/customers/{id}/interactions"]
    every = await served.key(*SCOPES, client=ALL_CLIENTS)
    one = await served.key(*SCOPES)
    for named in (None, "", ALL_CLIENTS):
        header = {} if named is None else {"threadline-client": named}
        answer = await served.http.get(path, headers={"authorization": f"Bearer {every}"} | header)
        assert refused(answer, 400)["parameter"] == "Threadline-Client"
    for token, named, status in (
        (every, "default", 200),
        (every, "other", 404),
        (one, "default", 200),
        (one, "other", 403),
    ):
        headers = {"authorization": f"Bearer {token}", "threadline-client": named}
        assert (await served.http.get(path, headers=headers)).status_code == status


@pytest.mark.parametrize("path", ["/v1/nothing", "/api/customers/x/y", "/", "/v1/messages/"])
async def test_a_path_of_no_route_is_not_found(served: Served, path: str) -> None:
    """With and without a credential."""
    refused(await asked(served, "DELETE", path, None), 405 if path == "/v1/messages/" else 404)


async def test_a_route_takes_a_token_as_it_takes_a_key(served: Served, issuer: Issuer) -> None:
    """With the client and scopes of the token; a token without a client gets 403, one that is not valid 401, and while the issuer's
    keys are not known, 503."""
    path = (await paths_of(served))["GET /api/customers/{id}/interactions"]
    name = "GET /api/customers/{id}/interactions"
    served.api.access = Access(served.store, tokens=Tokens(issuer.identity()))
    answer = await asked(
        served, name, path, issuer.token(threadline_client="default", scope="timeline:read personal:read")
    )
    assert answer.status_code == 200 and MARK in answer.text
    refused(await asked(served, name, path, issuer.token(threadline_client="other")), 404)
    refused(await asked(served, name, path, issuer.token(threadline_client=None)), 403)
    refused(await asked(served, name, path, issuer.token(threadline_client=ALL_CLIENTS)), 403)
    lesser = await asked(served, name, path, issuer.token(threadline_client="default", scope="messages:read"))
    assert refused(lesser, 403)["scope"] == "timeline:read"
    expired = await asked(served, name, path, issuer.token(threadline_client="default", exp=1))
    assert "expired" in refused(expired, 401)["detail"] and "invalid_token" in expired.headers["www-authenticate"]
    issuer.status = 500
    served.api.access = Access(served.store, tokens=Tokens(issuer.identity()))
    away = await asked(served, name, path, issuer.token(threadline_client="default"))
    assert refused(away, 503) and away.headers["retry-after"] == "30"
