"""Serves the worker's `/healthz` (is it alive), `/readyz` (state of each part) and `/metrics`."""

import time
from typing import Any

from prometheus_client import PROCESS_COLLECTOR, CollectorRegistry
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from agents.health import WorkerHealth
from app.exposition import exposed
from app.settings.reloading import Reloading


def readiness(health: WorkerHealth) -> dict[str, Any]:
    """Return the body of `/readyz`. `status` is `ok`, `alarm` (it works, but an operator must act) or `not ready`."""
    parts = {
        part: {"status": "failing" if failing else "ok" if health.ready else "not ready", "failing": dict(failing)}
        for part, failing in sorted(health.parts.items())
    }
    ready = health.ready and not health.failures
    return {
        "status": "not ready" if not ready else "alarm" if health.alarms else "ok",
        "parts": parts,
        "failing": health.failures,
        "alarms": sorted(health.alarms.values()),
        "lag": health.lag,
        "idle": health.idle,
        "unknown": health.drift.by_source(),
        "tenants": [
            {"client": client, "what": what, "why": why} for (client, what), why in sorted(health.tenants.items())
        ],
    }


def pages(health: WorkerHealth, stall_after: float, reloading: Reloading | None = None) -> Starlette:
    """Return the application with the three pages; `reloading` is what follows the settings' files, if anything does."""
    registry = CollectorRegistry()
    registry.register(health)
    registry.register(PROCESS_COLLECTOR)

    async def healthz(_: Request) -> Response:
        stalled = max(health.idle.values(), default=0.0)
        ok = stalled <= stall_after and health.fault is None
        uptime = round(time.time() - health.started, 1)
        body: dict[str, Any] = {"status": "ok" if ok else "stalled", "stalledFor": stalled, "uptime": uptime}
        if reloading is not None:
            body["settings"] = reloading.state()
        return JSONResponse(body, 200 if ok else 503)

    async def readyz(_: Request) -> Response:
        body = readiness(health)
        return JSONResponse(body, 503 if body["status"] == "not ready" else 200)

    async def metrics(request: Request) -> Response:
        return exposed(registry, request)

    return Starlette(routes=[Route("/healthz", healthz), Route("/readyz", readyz), Route("/metrics", metrics)])
