"""The security headers of every route of the HTTP process, whatever it answers."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from starlette.routing import Route

from app.http import secured
from app.http.app import Http
from app.login.pages import _HASH
from app.settings import Kafka, Postgres, Settings


@asynccontextmanager
async def process(data: Path, scheme: str = "http") -> AsyncIterator[tuple[Http, httpx.AsyncClient]]:
    """The whole HTTP process, and a client of it; PostgreSQL and Kafka are away."""
    dsn = SecretStr("postgresql://x@127.0.0.1:1/x")
    http = Http(Settings(data=data, postgres=Postgres(dsn=dsn), kafka=Kafka(bootstrap="127.0.0.1:1")))
    async with http._pages.router.lifespan_context(http._pages):
        transport = httpx.ASGITransport(http, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://test") as client:
            yield http, client


def requests(http: Http) -> list[tuple[str, str]]:
    """Each method and path of each route, with invented parameters; the door; and what there is none of."""
    routes = [route for route in http._pages.routes if isinstance(route, Route)]
    assert len(routes) > 40
    found = [
        (method, route.path.replace(":path", "").replace("{", "").replace("}", ""))
        for route in routes
        for method in sorted(route.methods or ())
    ]
    door = [(method, "/webhooks/aggregate/twilio") for method in ("GET", "POST", "PUT", "OPTIONS", "HEAD")]
    return [*found, *door, ("GET", "/"), ("GET", "/none"), ("DELETE", "/healthz"), ("TRACE", "/healthz")]


@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_every_answer_has_the_headers_of_the_table(tmp_path: Path, scheme: str) -> None:
    """Of each route, answered well or not: the table's headers, each once; over TLS that browsers stay with it. Personal data
    is stored by no cache."""
    async with process(tmp_path, scheme) as (http, client):
        for method, path in requests(http):
            answer = await client.request(method, path)
            table = secured.DOOR if path.startswith("/webhooks") else secured.PAGES
            if path in ("/", "/login"):
                table = {**table, **secured.form_policy("", _HASH)}
            described = path in ("/openapi.json", "/asyncapi.json") or path.startswith("/docs")
            for name, value in table.items():
                found = answer.headers.get_list(name)
                assert len(found) == 1, (method, path, name, found)
                if not (described and name in ("cache-control", "content-security-policy")):
                    assert found == [value], (method, path, name, answer.status_code)
            stays = answer.headers.get("strict-transport-security")
            assert stays == (secured.HTTPS["strict-transport-security"] if scheme == "https" else None), path


async def test_the_page_may_load_its_own_files_only(tmp_path: Path) -> None:
    """/docs has a policy of its own: its scripts are from here, nothing frames it, and it loads no object."""
    async with process(tmp_path) as (_, client):
        policy = (await client.get("/docs")).headers["content-security-policy"]
    own = ("default-src 'none'", "script-src 'self'", "object-src 'none'", "base-uri 'none'", "frame-ancestors 'none'")
    assert [part for part in own if part not in policy] == []
