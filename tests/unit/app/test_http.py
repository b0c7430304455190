"""Health, metrics and problem documents of the HTTP process."""

import asyncio
from types import SimpleNamespace
from typing import Any

import httpx
import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.http.health import HttpHealth
from app.http.metrics import HttpMetrics
from app.http.problems import HANDLERS, Problem, problem
from app.settings import Settings
from webhooks.counters import Counters


class Store:
    """Answers, takes too long, or is away."""

    def __init__(self, error: Exception | None = None, seconds: float = 0) -> None:
        self.error = error
        self.seconds = seconds
        self.asked = 0

    async def horizon(self) -> int:
        self.asked += 1
        await asyncio.sleep(self.seconds)
        if self.error:
            raise self.error
        return 1


def door(*, reachable: bool = True, has_room: bool = True, records: int = 0) -> Any:
    """What health and metrics read of a door."""
    spool = SimpleNamespace(
        has_room=has_room,
        records=records,
        bytes=10 * records,
        limit=1000,
        age=1.5,
        written=0,
        failed=0,
        aside=0,
        aside_bytes=0,
    )
    keep = SimpleNamespace(reachable=reachable, held=None, spool=spool, sent=3, drained=0)
    return SimpleNamespace(keep=keep, counters=Counters(), in_flight=2, held=7)


async def get(routes: list[Route], path: str) -> httpx.Response:
    """One GET, without a network."""
    transport = httpx.ASGITransport(Starlette(routes=routes, exception_handlers=HANDLERS), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        return await client.get(path)


def health(of: Any, store: Store | None) -> list[Route]:
    """The routes of health over a door and a store."""
    made = HttpHealth(of, HttpMetrics(of, Counters()), Settings())
    made.store = store
    return made.routes()


@pytest.mark.parametrize(
    ("state", "store", "code", "status"),
    [
        ({}, Store(), 200, "ok"),
        ({"records": 5}, Store(), 200, "degraded"),
        ({"reachable": False}, Store(), 200, "degraded"),
        ({}, Store(psycopg.OperationalError()), 200, "degraded"),
        ({}, None, 200, "degraded"),
        ({"reachable": False, "has_room": False}, Store(), 503, "not ready"),
    ],
)
async def test_ready(state: dict[str, Any], store: Store | None, code: int, status: str) -> None:
    """Ready is who can keep a webhook; whole is who has all its parts. What is away is named."""
    answer = await get(health(door(**state), store), "/readyz")
    assert (answer.status_code, answer.json()["status"]) == (code, status)
    assert (answer.json()["kafka"] == "ok") is state.get("reachable", True)
    assert (answer.json()["postgres"] == "ok") is (store is not None and store.error is None)


async def test_ready_does_not_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A PostgreSQL that does not answer in time counts as away; and it is asked once for many who ask."""
    monkeypatch.setattr("app.http.health.PATIENCE", 0.05)
    store = Store(seconds=5)
    routes = health(door(), store)
    for _ in range(3):
        assert "TimeoutError" in (await get(routes, "/readyz")).json()["postgres"]
    assert store.asked == 1


async def test_alive() -> None:
    """Alive is whatever answers, whether or not its servers are there."""
    answer = await get(health(door(reachable=False, has_room=False), None), "/healthz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")


async def test_metrics() -> None:
    """Every count of the door is a metric that Prometheus can read, each with a help text."""
    counted = door(records=4)
    counted.counters.kept["twilio"] = 8
    counted.counters.refused["-", 404] = 2
    counted.counters.answered[200] = 8
    for seconds in (0.0001, 0.003, 100.0):
        counted.counters.latency.observe(seconds)
    page = (await get(health(counted, None), "/metrics")).text
    families = {family.name: family for family in text_string_to_metric_families(page)}
    assert all(family.documentation for name, family in families.items() if name.startswith("threadline_"))
    samples = {(s.name, *sorted(s.labels.values())): s.value for family in families.values() for s in family.samples}
    assert samples["threadline_webhooks_kept_total", "twilio"] == 8
    assert samples["threadline_webhooks_refused_total", "-", "404"] == 2
    assert samples["threadline_door_answers_total", "200"] == 8
    assert samples["threadline_spool_records",] == 4
    assert samples["threadline_kafka_reachable",] == 1
    assert samples["threadline_uptime_seconds",] >= 0
    assert samples["threadline_door_seconds_bucket", "0.001"] == 1
    assert samples["threadline_door_seconds_bucket", "+Inf"] == samples["threadline_door_seconds_count",] == 3
    assert samples["process_resident_memory_bytes",] > 0


async def test_problems() -> None:
    """Whatever a route raises, and what no route answers, ends as a problem document (RFC 9457)."""

    async def ours(_: Request) -> Response:
        raise Problem(400, "limit is a number", parameter="limit")

    async def theirs(_: Request) -> Response:
        raise HTTPException(409)

    async def unforeseen(_: Request) -> Response:
        raise RuntimeError("a secret")

    routes = [Route("/ours", ours), Route("/theirs", theirs), Route("/unforeseen", unforeseen)]
    reported = {path: await get(routes, path) for path in ("/ours", "/theirs", "/unforeseen", "/nowhere")}
    assert {answer.headers["content-type"] for answer in reported.values()} == {"application/problem+json"}
    assert [answer.status_code for answer in reported.values()] == [400, 409, 500, 404]
    assert reported["/ours"].json() == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "limit is a number",
        "parameter": "limit",
    }
    assert reported["/theirs"].json() == {"type": "about:blank", "title": "Conflict", "status": 409}
    assert reported["/unforeseen"].json() == {"type": "about:blank", "title": "Internal Server Error", "status": 500}


def test_problem() -> None:
    """A problem may have a type, a title and headers of its own."""
    made = problem(429, "Slow down", type="https://example.com/slow", headers={"retry-after": "3"})
    assert (made.status_code, made.headers["retry-after"]) == (429, "3")
    assert b'"title":"Slow down"' in bytes(made.body)
