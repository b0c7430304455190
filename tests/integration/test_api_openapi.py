"""What the HTTP process really answers is what its description says: status, media type, headers and body."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import psycopg
from jsonschema import Draft202012Validator, FormatChecker
from pydantic import SecretStr

from app.api import openapi
from app.http.app import Http
from app.http.scopes import SCOPES
from app.http.tokens import mint
from app.settings import Kafka, Postgres, Secrets, Settings, Source
from schemas.events import Event, Handle
from tests.conftest import Dsns
from tests.integration.serving import NOON, event, failed
from tests.support.keys import KEY

DOCUMENT = openapi.document()


@asynccontextmanager
async def process(data: Path, dsn: str) -> AsyncIterator[tuple[Http, httpx.AsyncClient]]:
    """The whole HTTP process without Kafka, so that its door spools."""
    sources = {
        "twilio": Source.model_validate({"account_sid": "AC1", "auth_token": "secret"}),
        "whatsapp_cloud": Source.model_validate({"app_secret": "s", "verify_token": "v"}),
    }
    settings = Settings(
        data=data,
        postgres=Postgres(dsn=SecretStr(dsn)),
        kafka=Kafka(bootstrap="127.0.0.1:1"),
        secrets=Secrets(keys=[SecretStr(KEY)]),
        sources=sources,
    )
    http = Http(settings)
    async with http._pages.router.lifespan_context(http._pages):
        transport = httpx.ASGITransport(http, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield http, client


def check(path: str, response: httpx.Response) -> None:
    """Hold a response to what the document says of this path."""
    request = response.request
    described = DOCUMENT["paths"][path][request.method.lower()]["responses"]
    status = str(response.status_code)
    assert status in described or "default" in described, f"{request.method} {path} answered {status}"
    expected = _resolved(described.get(status) or described["default"])
    for name in expected.get("headers", {}):
        assert name.lower() in response.headers, (path, status, name)
    content = expected.get("content")
    if not content:
        assert response.content == b"", (path, status)
        return
    media = response.headers["content-type"].partition(";")[0]
    assert media in content, (path, status, media)
    if media.endswith("json"):
        schema = {**content[media]["schema"], "components": DOCUMENT["components"]}
        Draft202012Validator(schema, format_checker=FormatChecker()).validate(response.json())


def _resolved(node: dict[str, Any]) -> dict[str, Any]:
    return DOCUMENT["components"]["responses"][node["$ref"].rpartition("/")[2]] if "$ref" in node else node


EVENTS = [
    event("UserMessageSent", "SM1", payload={"content": {"text": "Hello"}}),
    failed("SM1", 2),
    event("MessageDelivered", "SM1", 3),
    event("MessageReceived", "SM2", 4, payload={"content": {"media": [{"type": "image/png", "id": "1"}]}}),
    event("MessageRead", "SM3", occurred_at=None),
    event("MessageRequested", "x", provider_message_id=None, message_id="m1", channel=None),
    event("CallFailed", "CA1", channel="voice", direction="inbound"),
    event("InteractionProcessing", "SM1"),
    event("MessageReceived", "push1", channel="push", handle=Handle("device_token", "t"), direction=None),
    Event("ProviderEventReceived", "twilio", "unknown", payload={"native": {"a": [1, None]}}),
]


async def test_answers_are_those_described(tmp_path: Path, postgres_dsn: Dsns) -> None:
    """Every route, well and badly asked: the timeline of every kind of event, refusals, handshakes, health."""
    async with process(tmp_path, postgres_dsn.service) as (http, client):
        assert http.api is not None
        store = http.api.store
        await store.append([(one, "default", NOON, str(uuid4())) for one in EVENTS])
        id, token, hash = mint()
        await store.create_api_key(id, "test", "default", sorted(SCOPES), hash)
        client.headers["authorization"] = f"Bearer {token}"

        found = await client.get("/api/customers", params={"handle": "+15551234567"})
        timeline = f"/api/customers/{found.json()['customerId']}/interactions"
        page = await client.get(timeline)
        reported = page.json()["interactions"]
        assert len(reported) == 5
        one = "/api/interactions/{id}"
        asked: list[tuple[str, httpx.Response]] = [
            ("/api/customers", found),
            ("/api/customers", await client.get("/api/customers")),
            ("/api/customers", await client.get("/api/customers?handle=nobody@example.com")),
            ("/api/customers", await client.get("/api/customers?handle=x", headers={"authorization": "none"})),
            ("/api/customers/{id}/interactions", page),
            ("/api/customers/{id}/interactions", await client.get(timeline, params={"limit": 1})),
            ("/api/customers/{id}/interactions", await client.get(f"{timeline}?limit=x")),
            (
                "/api/customers/{id}/interactions",
                await client.get(timeline, headers={"if-none-match": page.headers["etag"]}),
            ),
            ("/api/customers/{id}/interactions/stream", await client.get(f"{timeline}/stream?x=1")),
            (
                "/api/customers/{id}/interactions/stream",
                await client.get(f"{timeline}/stream", headers={"last-event-id": f"{2**60}-1"}),
            ),
            *[(one, await client.get(f"/api/interactions/{each['interactionId']}")) for each in reported],
            (one, await client.get(f"/api/interactions/{uuid4()}")),
            *await _recipients(client),
            ("/openapi.json", await client.get("/openapi.json")),
            ("/asyncapi.json", await client.get("/asyncapi.json")),
            ("/docs", await client.get("/docs")),
            ("/healthz", await client.get("/healthz")),
            ("/readyz", await client.get("/readyz")),
            ("/metrics", await client.get("/metrics")),
            *await _messages(client, postgres_dsn.owner),
            *await _clients(client),
            *[("/webhooks/aggregate", response) for response in await _door(client, "/webhooks/aggregate", token)],
            *[
                ("/webhooks/aggregate/{source}", response)
                for response in await _door(client, "/webhooks/aggregate/envelope", token)
            ],
        ]
        for path, response in asked:
            check(path, response)
        statuses = {(path, response.status_code) for path, response in asked}
        assert {("/webhooks/aggregate", 202), ("/webhooks/aggregate", 200), ("/readyz", 200)} <= statuses
        reported = {status for path, status in statuses if path.startswith("/v1/")}
        assert reported == {200, 201, 202, 204, 304, 400, 401, 404, 409, 412, 413, 415, 422}


async def _clients(client: httpx.AsyncClient) -> list[tuple[str, httpx.Response]]:
    """The answers about a client: before and after the document's own examples were put, stale, unfit and of others."""
    own, one = "/v1/clients/default", "/v1/clients/{id}"
    account, accounts = f"{own}/accounts/twilio", "/v1/clients/{id}/accounts/{name}"
    described = DOCUMENT["paths"][accounts]["put"]["requestBody"]["content"]["application/json"]["example"]
    configuration = DOCUMENT["components"]["examples"]["Configuration"]["value"]
    stale = {"if-match": '"7"'}
    return [
        (one, await client.get(own)),
        (accounts, await client.put(account, json=described)),
        (accounts, await client.put(account, json=described)),
        (accounts, await client.put(account, json={})),
        (one, await client.put(own, json=configuration)),
        (one, await client.put(own, json=configuration | {"expiresAfter": 60})),
        (one, await client.put(own, json=configuration, headers=stale)),
        (one, await client.put(own, json=configuration, headers={"if-match": "x"})),
        (one, await client.put(own, json={"channels": []})),
        (one, await client.put(own, content=b"{")),
        (one, await client.put(own, content=b"{", headers={"content-type": "application/json"})),
        (one, await client.put(own, content=b" " * (1 << 20), headers={"content-type": "application/json"})),
        (one, await client.get(own)),
        (one, await client.get(own, headers={"if-none-match": '"2"'})),
        (one, await client.get("/v1/clients/other")),
        ("/v1/clients", await client.get("/v1/clients")),
        ("/v1/clients/{id}/versions", await client.get(f"{own}/versions?limit=1")),
        ("/v1/clients/{id}/versions", await client.get(f"{own}/versions?limit=0")),
        ("/v1/clients/{id}/accounts", await client.get(f"{own}/accounts")),
        (accounts, await client.delete(account)),
        (accounts, await client.put(f"{own}/accounts/spare", json=described)),
        (accounts, await client.delete(f"{own}/accounts/spare")),
        (accounts, await client.delete(f"{own}/accounts/spare")),
    ]


async def _messages(client: httpx.AsyncClient, owner: str) -> list[tuple[str, httpx.Response]]:
    """Messages taken, refused and repeated, after the document's own examples; one followed, cancelled and released."""
    path, one = "/v1/messages", "/v1/messages/{id}"
    examples = DOCUMENT["components"]["examples"]
    (single, many, by_channel) = (examples[name]["value"] for name in ("Message", "Messages", "MessageByChannel"))
    json, key = {"content-type": "application/json"}, {"idempotency-key": "k"}
    asked = [
        (path, await client.post(path, json=single, headers=key)),
        (path, await client.post(path, json=single, headers=key)),
        (path, await client.post(path, json=many, headers=key)),
        (path, await client.post(path, json=many, headers={"idempotency-key": "a b"})),
        (path, await client.post(path, json=many)),
        (path, await client.post(path, json=[single, {}])),
        (path, await client.post(path, json=[{}, 1])),
        (path, await client.post(path, json={"to": "x"})),
        (path, await client.post(path, json=single | {"body": "Another"})),
        (path, await client.post(path, content=b"{", headers=json)),
        (path, await client.post(path, content=b"{")),
        (path, await client.post(path, content=b" " * (2 << 20), headers=json)),
        (path, await client.post(path, json=single, headers={"authorization": "none"})),
        ("/v1/{channel}/messages", await client.post("/v1/sms/messages", json=by_channel)),
        ("/v1/{channel}/messages", await client.post("/v1/pigeon/messages", json=by_channel)),
    ]
    id = f"{path}/{single['messageId']}"
    got = await client.get(id)
    asked += [(one, got), (one, await client.get(id, headers={"if-none-match": got.headers["etag"]}))]
    asked += [(one, await client.get(f"{path}/none")), (one, await client.get(f"{id}?x=1"))]
    for state in ("held", "sending", "retrying", "unanswered", "watched", "sent", "failed", "queued"):
        async with await psycopg.AsyncConnection.connect(owner) as connection:
            await connection.execute("UPDATE threadline.messages SET state = %s, cancelled = false", [state])
        asked += [
            (one, await client.get(id)),
            (f"{one}/explain", await client.get(f"{id}/explain")),
            (f"{one}/release", await client.post(f"{id}/release", json={"resend": state == "unanswered"})),
            (f"{one}/cancel", await client.post(f"{id}/cancel")),
        ]
    release, cancel = f"{one}/release", f"{one}/cancel"
    asked += [
        (release, await client.post(f"{id}/release", json=[])),
        (release, await client.post(f"{id}/release", content=b"x")),
        (release, await client.post(f"{path}/none/release")),
        (cancel, await client.post(f"{path}/none/cancel")),
        (cancel, await client.post(f"{id}/cancel?x=1")),
    ]
    found = {(where, response.status_code) for where, response in asked}
    assert {(path, 202), (path, 409), (path, 422), (one, 304), (release, 200), (release, 409)} <= found
    assert {(cancel, 200), (cancel, 202), (cancel, 409), ("/v1/{channel}/messages", 404)} <= found
    return asked


async def _recipients(client: httpx.AsyncClient) -> list[tuple[str, httpx.Response]]:
    """The answers about a recipient: read, changed, and refused."""
    path, one = "/v1/recipients/%2B15551234567", "/v1/recipients/{handle}"
    consents, consent = f"{path}/consents", f"{one}/consents/{{channel}}"
    got = await client.get(path)
    return [
        (one, got),
        (one, await client.get(path, headers={"if-none-match": got.headers["etag"]})),
        (one, await client.get("/v1/recipients/a@b@c")),
        (one, await client.put(path, json={"zone": "Europe/Lisbon"})),
        (one, await client.put(path, json={"zone": "Lisbon"})),
        (one, await client.put(path, content=b"x" * 5000, headers={"content-type": "application/json"})),
        (one, await client.put(path, content=b"zone")),
        (consent, await client.put(f"{consents}/sms", json={"state": "out"})),
        (consent, await client.put(f"{consents}/*", json={"state": "in"})),
        (consent, await client.put(f"{consents}/pigeon", json={"state": "in"})),
        (consent, await client.put(f"{consents}/sms", json={"state": "in"}, headers={"authorization": "none"})),
        (one, await client.get(path)),
    ]


async def _door(client: httpx.AsyncClient, path: str, token: str) -> list[httpx.Response]:
    """What the door answers: to the document's own example, to a handshake, and to what it refuses."""
    example = DOCUMENT["components"]["examples"]["Envelope"]["value"]
    form = {"MessageSid": "SM1", "MessageStatus": "sent"}
    shake = {"hub.mode": "subscribe", "hub.verify_token": "v", "hub.challenge": "7"}
    return [
        await client.post(path, json=example),
        await client.post(path, json=example, headers={"authorization": f"Bearer {mint()[1]}"}),
        await client.post(path, data=form, headers={"x-twilio-signature": "x"}),
        await client.post(path, content=b"\xff", headers={"content-type": "application/json"}),
        await client.post(path, content=b"x" * (2 << 20)),
        await client.get(path, params=shake),
        await client.get(path),
    ]
