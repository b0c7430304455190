"""The HTTP process as an ASGI application: `build()` makes the door, the API, health and metrics, and what they live on.

To be served as `app.http.server` does: uvloop, httptools, no access log, no proxy headers.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter

import psycopg
import structlog
from starlette.applications import Starlette
from starlette.types import Message, Receive, Scope, Send

from app import api, telemetry
from app.clients.account_sources import AccountSources
from app.embedded.running import resolve
from app.http import door, monitor, problems
from app.http.access import Forbidden, TooManyUnknown, Unauthenticated
from app.http.health import Health
from app.http.listening.connections import Connections
from app.http.metrics import HttpMetrics
from app.kafka.holding import hold_back
from app.settings import Settings
from sql import EventStore
from webhooks.admit import KeysUnavailable, Unauthorized, Unscoped
from webhooks.aggregate import at_door
from webhooks.counters import Counters

#: The scope that an API key needs to post envelopes.
SCOPE = "webhooks:write"
#: Seconds that looking up a key may take.
PATIENCE = 2.0
#: Seconds between notes of which keys were used.
NOTE_EVERY = 60.0

log = structlog.get_logger("http")


class Http:
    """The whole of it. `close` is to be called when the process is told to end, before its connections are waited for."""

    def __init__(self, settings: Settings) -> None:
        if settings.postgres.dsn is None:
            raise ValueError(
                "no PostgreSQL is configured: set THREADLINE_POSTGRES__DSN, or start one with: threadline up"
            )
        self.settings = settings
        self._dsn = settings.postgres.dsn.get_secret_value()
        self.accounts = AccountSources(settings)
        self.door = door.make(settings, self._authenticate, self.accounts)
        self.api: api.Api | None = None
        self.counters = Counters()
        self.metrics = HttpMetrics(self.door, self.counters)
        self.health = Health(self.door, self.metrics, settings)
        self._pages = Starlette(
            routes=[*self.health.routes(), *api.routes()],
            exception_handlers={**problems.HANDLERS, **api.HANDLERS},
            lifespan=self._lifespan,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI. The door's path does not go through the router: see `webhooks.aggregate`."""
        if scope["type"] != "http":
            await self._pages(scope, receive, send)
        elif at_door(scope["path"]):
            await self.door(scope, receive, send)
        else:
            await self._page(scope, receive, send)

    def watch(self, connections: Connections) -> None:
        """Have the metrics tell of these."""
        self.metrics.connections = connections

    def close(self) -> None:
        """Let the streams of the API end."""
        if self.api is not None:
            self.api.close()

    async def _page(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = perf_counter()

        async def counted(message: Message) -> None:
            if message["type"] == "http.response.start":
                self.counters.answered[message["status"]] += 1
                self.counters.latency.observe(perf_counter() - began)
                given = {name for name, _ in message["headers"]}
                more = [(name.encode(), value.encode()) for name, value in api.answer_fields(scope).items()]
                message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in given)]
            await send(message)

        await self._pages(scope, receive, counted)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        # Returns without PostgreSQL: the door does not need it, and the API says so itself.
        store = await EventStore.open(self._dsn, pool=self.settings.postgres.pool)
        self.api = self._pages.state.api = api.Api.of(store, self.settings)
        self.health.store = store
        await self.accounts.start(store)
        await self.door.start()
        beside = [
            asyncio.create_task(_note_used_keys(self.api)),
            asyncio.create_task(hold_back(self.door.keep, self.settings)),
        ]
        log.info("serving", kafka=self.door.keep.reachable, sources=sorted(self.settings.sources))
        try:
            async with monitor.serving(self.health.open_routes(), self.settings):
                yield
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
            await self.door.stop()
            await self.accounts.stop()
            await store.close()
            telemetry.shut_down()

    async def _authenticate(self, authorization: str) -> str:
        """The client whose key may post envelopes: the door's question, answered with the API's keys."""
        if self.api is None:
            raise KeysUnavailable("not started yet")
        try:
            async with asyncio.timeout(PATIENCE):
                return (await self.api.access.check(authorization, SCOPE)).client
        except Unauthenticated as error:
            raise Unauthorized(str(error)) from None
        except Forbidden as error:
            raise Unscoped(f"The API key has no scope {error}.") from None
        except TooManyUnknown as error:
            raise KeysUnavailable(str(error)) from None
        except (psycopg.Error, OSError, TimeoutError) as error:
            raise KeysUnavailable(f"the API keys cannot be read: {type(error).__name__}") from None


async def _note_used_keys(served: api.Api) -> None:
    """Note when keys were used, for ever: a write a minute and not one a request."""
    while True:
        await asyncio.sleep(NOTE_EVERY)
        used = served.access.take_used()
        try:
            await served.store.used_api_keys(used)
        except (psycopg.Error, OSError) as error:  # not worth keeping: the next minute notes what is in use then
            log.warning("keys_not_noted", error=type(error).__name__)


def build(settings: Settings | None = None) -> Http:
    """The application, by default of the settings found, or of the system that runs embedded here.

    Raises ValueError where a setting does not fit (no Kafka, a source without an adapter)."""
    return Http(settings or resolve(Settings()))
