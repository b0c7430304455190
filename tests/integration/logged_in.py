"""The whole HTTP process with people who log in by a provider of the test's own, and a browser that does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import SecretStr

from app.http.app import Http
from app.login.sessions import COOKIE
from app.settings import Kafka, Login, Postgres, Secrets, Settings
from app.settings.identity import Identity
from tests.support.keys import KEY
from tests.support.provider import SECRET, WEB, Provider

HERE = "https://threadline.example"
SAME = {"sec-fetch-site": "same-origin"}


def identity(provider: Provider, **more: Any) -> Identity:
    """Return the settings by which people log in by a provider."""
    provider.redirects.add(f"{HERE}/login/callback")
    return provider.identity(login_client_id=WEB, login_client_secret=SecretStr(SECRET), **more)


@asynccontextmanager
async def process(dsn: str, data: Path, login: Login | None = None, **settings: Any) -> AsyncIterator[Http]:
    """Yield the HTTP process on a database; Kafka is away."""
    given = Settings(
        data=data,
        postgres=Postgres(dsn=SecretStr(dsn)),
        kafka=Kafka(bootstrap="127.0.0.1:1"),
        secrets=Secrets(keys=[SecretStr(KEY)]),
        login=login or Login(url=HERE),
        **settings,
    )
    http = Http(given)
    async with http._pages.router.lifespan_context(http._pages):
        yield http


class Browser:
    """A browser: it keeps cookies, and goes where it is sent, here and at the provider."""

    def __init__(self, http: Http) -> None:
        self.http = http
        transport = httpx.ASGITransport(http, raise_app_exceptions=True, client=("198.51.100.7", 1))
        self.here = httpx.AsyncClient(transport=transport, base_url=HERE)

    async def get(self, url: str, **headers: str) -> httpx.Response:
        """Return the answer to one request, wherever it is."""
        if url.startswith("/") or url.startswith(HERE):
            return await self.here.get(url, headers=headers)
        async with httpx.AsyncClient() as there:
            return await there.get(url)

    async def until_callback(self, path: str = "/login") -> str:
        """Go to the provider, and return the URL by which it sends the browser back, without going there."""
        url = (await self.get(path)).headers["location"]
        back: str = (await self.get(url)).headers["location"]
        assert urlsplit(back).path == "/login/callback", back
        return back

    async def log_in(self, path: str = "/login") -> httpx.Response:
        """Log in, and return the answer to the callback."""
        return await self.get(await self.until_callback(path))

    @property
    def secret(self) -> str | None:
        """The cookie of the session."""
        return self.here.cookies.get(COOKIE)
