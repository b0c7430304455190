"""Serves `/healthz`, `/readyz` and `/metrics` of the HTTP process.

The process is ready if it can keep webhooks: in Kafka, or in a spool with room. Without PostgreSQL the door still works (the
API answers 503), so that is reported but does not make the process unready.
"""

import asyncio
import time
from typing import Any, Protocol

import psycopg
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.api.service import admit
from app.exposition import exposed
from app.http.metrics import HttpMetrics
from app.http.permits import need_of
from app.settings import Settings
from app.settings.reloading import Reloading
from webhooks.aggregate import Door

#: Seconds to wait for PostgreSQL, and for which the result is cached.
PATIENCE, BELIEVED = 1.0, 1.0


class Store(Protocol):
    """The part of the store that is used here."""

    async def horizon(self) -> int: ...


class HttpHealth:
    """The health pages of one HTTP process. `store` is None until PostgreSQL was first reached."""

    def __init__(self, door: Door, metrics: HttpMetrics, settings: Settings) -> None:
        self.store: Store | None = None
        self._door = door
        self._metrics = metrics
        self.settings = settings
        #: What is published of the settings in force; None in a process that does not follow their files.
        self.reloading: Reloading | None = None
        self._postgres = ("not reached yet", -BELIEVED)
        self._began = time.monotonic()

    def routes(self) -> list[Route]:
        """Return the three routes."""
        return [
            Route("/healthz", self.healthz, methods=["GET"]),
            Route("/readyz", self.readyz, methods=["GET"]),
            Route("/metrics", self.metrics, methods=["GET"]),
        ]

    async def healthz(self, _: Request) -> Response:
        """Answer 200 while the process responds."""
        body: dict[str, Any] = {"status": "ok", "uptime": round(time.monotonic() - self._began, 1)}
        if self.reloading is not None:
            body["settings"] = self.reloading.state()
        return JSONResponse(body)

    async def readyz(self, _: Request) -> Response:
        """Answer 200 if a webhook can be kept now, else 503, and name what is unreachable."""
        keep = self._door.keep
        spool = keep.spool
        postgres = await self._ask()
        ready = (keep.reachable and keep.held is None) or spool.has_room
        whole = keep.reachable and keep.held is None and postgres == "ok" and not spool.records
        body = {
            "status": "ok" if whole else "degraded" if ready else "not ready",
            "kafka": "ok" if keep.reachable else "away",
            "postgres": postgres,
            "held": keep.held,
            "spool": {
                "records": spool.records,
                "bytes": spool.bytes,
                "limit": spool.limit,
                "oldestSeconds": round(spool.age, 1),
            },
        }
        return JSONResponse(body, 200 if ready else 503, {"cache-control": "no-store"})

    async def metrics(self, request: Request) -> Response:
        """Serve the metrics if the setting `api.metrics` or the request's key allows it. Raises Problem."""
        await admit(request, self.settings, self.settings.api.metrics, need_of("GET", "/metrics").scope)
        return exposed(self._metrics.registry, request)

    def open_routes(self) -> list[Route]:
        """Return the routes for the operator's own port, where metrics need no key."""
        healthz, readyz, _ = self.routes()
        return [healthz, readyz, Route("/metrics", self._open_metrics, methods=["GET"])]

    async def _open_metrics(self, request: Request) -> Response:
        return exposed(self._metrics.registry, request)

    async def _ask(self) -> str:
        if self.store is None:
            return "not reached yet"
        answer, asked = self._postgres
        if time.monotonic() - asked < BELIEVED:
            return answer
        try:
            async with asyncio.timeout(PATIENCE):
                await self.store.horizon()
            answer = "ok"
        except (psycopg.Error, OSError, TimeoutError) as error:
            answer = f"away ({type(error).__name__})"
        self._postgres = (answer, time.monotonic())
        return answer
