"""The API on a database of a test's own: a store to fill, keys to ask with, and a client or a real server to ask."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import httpx
import uvicorn
from starlette.applications import Starlette

from app import api
from app.blobs import blobs_of
from app.embedded.ports import free
from app.http import problems
from app.http.tokens import mint
from app.settings import Settings
from schemas.events import Error, Event, Handle
from sql import EventStore
from tests.support.keys import SEAL

NOON = datetime(2026, 2, 3, 12, tzinfo=UTC)
ANA = Handle("phone", "+15551234567")


@dataclass
class Served:
    """The parts of one API; `http` calls it without a network, with an API key."""

    store: EventStore
    app: Starlette
    http: httpx.AsyncClient
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def api(self) -> api.Api:
        """The API's state, which its routes use."""
        found: api.Api = self.app.state.api
        return found

    async def key(self, *scopes: str, client: str = "default") -> str:
        """Create an API key and return its token."""
        id, token, hash = mint()
        await self.store.create_api_key(id, "test", client, scopes, hash)
        return token

    async def ask_as(self, *scopes: str, client: str = "default") -> None:
        """Make `http` use a new key from now on."""
        self.http.headers["authorization"] = f"Bearer {await self.key(*scopes, client=client)}"

    async def customer(self, handle: Handle = ANA, client: str = "default") -> UUID:
        """Return the id of a handle's customer."""
        rows = await self.store.customer_of(client, handle.kind, handle.value)
        found: UUID = rows[0]["customer_id"]
        return found

    async def append(self, *events: Event, client: str = "default", at: datetime | None = None) -> None:
        """Append events that came at `at`."""
        received = at or NOON + timedelta(days=1)
        await self.store.append([(event, client, received, None) for event in events])

    async def path(self, handle: Handle = ANA) -> str:
        """Return the path of a customer's interactions."""
        return f"/api/customers/{await self.customer(handle)}/interactions"


def event(type: str, id: str, minute: float = 0, **more: Any) -> Event:
    """Return an event of Ana's message or call with this provider's id, so many minutes after noon."""
    fields: dict[str, Any] = {
        "channel": "sms",
        "direction": "inbound" if type == "MessageReceived" else "outbound",
        "provider_message_id": id,
        "handle": ANA,
        "occurred_at": NOON + timedelta(minutes=minute),
    }
    return Event(type, "twilio", f"{type} {id}", **(fields | more))


def failed(id: str, minute: float = 0, **more: Any) -> Event:
    """Return the event of a failed message."""
    error = Error("30003", "Unreachable destination handset", "unreachable")
    return event("MessageFailed", id, minute, error=error, **more)


@asynccontextmanager
async def serving(
    dsn: str,
    settings: Settings | None = None,
    scopes: Sequence[str] = ("timeline:read", "personal:read"),
    client: str = "default",
) -> AsyncIterator[Served]:
    """Yield the API on the database at `dsn`; `http` uses a key of the client with these scopes."""
    async with await EventStore.open(dsn, SEAL, pool=4) as store:
        app = Starlette(routes=api.routes(), exception_handlers={**problems.HANDLERS, **api.HANDLERS})
        given = settings or Settings()
        app.state.api = api.Api.of(store, given, blobs_of(given))
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as http:
            served = Served(store, app, http)
            await served.ask_as(*scopes, client=client)
            yield served


def refused(response: httpx.Response, status: int) -> dict[str, Any]:
    """Return the problem document of a refusal."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = response.json()
    assert body["status"] == status
    assert body["title"]
    return body


class Server(uvicorn.Server):
    """uvicorn's server. It says when it is up, and leaves the signals to the test run."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, and set `up`."""
        await super().startup(sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave all signals alone."""
        yield


@asynccontextmanager
async def listening(served: Served) -> AsyncIterator[httpx.AsyncClient]:
    """Serve the API by a real server on a free port, for tests that need a connection: of streams, and of callers that
    hang up."""
    config = uvicorn.Config(served.app, port=free(), http="httptools", ws="none", log_config=None, lifespan="off")
    server = Server(config)
    serve = asyncio.create_task(server.serve())
    await asyncio.wait_for(server.up.wait(), 10)
    try:
        url = f"http://127.0.0.1:{config.port}"
        async with httpx.AsyncClient(base_url=url, headers=served.http.headers, timeout=10) as http:
            yield http
    finally:
        served.api.close()
        server.should_exit = True
        await asyncio.wait_for(serve, 10)
