"""A real Keycloak in memory, with the realm of `tests/acceptance/keycloak/realm.json`, where its distribution is unpacked beside the project."""

import asyncio
import hmac
import os
import re
import shutil
import struct
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

import httpx
import orjson

from app.embedded import ports
from app.embedded.process import Child

REALM = Path(__file__).resolve().parents[1] / "acceptance" / "keycloak" / "realm.json"
SECRET, PASSWORD, TOTP, ADMIN = "secret of a client", "password-of-ana", "totp-secret-of-ana-1", "admin-of-a-test"
#: Seconds until Keycloak answers: the first start builds it.
START = 600.0
#: The authenticators of the browser's flow, and what they add to `amr`.
AMR = {"auth-username-password-form": "pwd", "auth-otp-form": "otp"}


def home() -> Path | None:
    """Return the folder of an unpacked distribution: KEYCLOAK_HOME, else by `kc.sh` on PATH; None where there is none."""
    if named := os.environ.get("KEYCLOAK_HOME"):
        return Path(named)
    found = shutil.which("kc.sh")
    return Path(found).resolve().parents[1] if found else None


class Keycloak:
    """A running server."""

    def __init__(self, url: str) -> None:
        self.url, self.issuer = url, f"{url}/realms/threadline"
        self.http = httpx.AsyncClient(base_url=url, timeout=30)

    async def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Return the answer of the administration's API below the realms."""
        form = {"grant_type": "password", "client_id": "admin-cli", "username": ADMIN, "password": ADMIN}
        token = (await self.http.post("/realms/master/protocol/openid-connect/token", data=form)).raise_for_status()
        headers = {"authorization": f"Bearer {token.json()['access_token']}"}
        answer = await self.http.request(method, f"/admin/realms{path}", json=body, headers=headers)
        answer.raise_for_status()
        return answer.json() if answer.content else None

    async def set_up(self, threadline: str) -> None:
        """Import the realm, for a Threadline at this URL, and let it state how people authenticated (`amr`)."""
        text = REALM.read_text().replace("THREADLINE", threadline).replace('"SECRET"', f'"{SECRET}"')
        text = text.replace('"PASSWORD"', f'"{PASSWORD}"').replace(r"\"TOTP\"", rf"\"{TOTP}\"")
        await self.admin("POST", "", orjson.loads(text))
        for execution in await self.admin("GET", "/threadline/authentication/flows/browser/executions"):
            if (word := AMR.get(execution.get("providerId", ""))) is not None:
                config = {"default.reference.value": word, "default.reference.maxAge": "3600"}
                path = f"/threadline/authentication/executions/{execution['id']}/config"
                await self.admin("POST", path, {"alias": word, "config": config})

    async def service_token(self, client: str) -> str:
        """Return a token of a service, by client credentials."""
        form = {"grant_type": "client_credentials"}
        auth = httpx.BasicAuth(client, SECRET)
        answer = await self.http.post(f"{self.issuer}/protocol/openid-connect/token", data=form, auth=auth)
        token: str = answer.raise_for_status().json()["access_token"]
        return token

    async def rotate(self) -> None:
        """Sign with a new key from now on."""
        (realm,) = [each for each in await self.admin("GET", "") if each["realm"] == "threadline"]
        config = {
            "priority": ["200"],
            "enabled": ["true"],
            "active": ["true"],
            "algorithm": ["RS256"],
            "keySize": ["2048"],
        }
        key = {
            "name": f"rsa-{time.time()}",
            "providerId": "rsa-generated",
            "providerType": "org.keycloak.keys.KeyProvider",
        }
        await self.admin("POST", "/threadline/components", key | {"parentId": realm["id"], "config": config})

    async def end_sessions(self, user: str) -> None:
        """End all sessions of a person, as an administrator does."""
        (found,) = await self.admin("GET", f"/threadline/users?username={user}&exact=true")
        await self.admin("POST", f"/threadline/users/{found['id']}/logout")


def totp(secret: str, at: float) -> str:
    """Return the code of a time (RFC 6238, with SHA-1, six digits, thirty seconds)."""
    mac = hmac.digest(secret.encode(), struct.pack(">Q", int(at // 30)), "sha1")
    offset = mac[-1] & 15
    return f"{(int.from_bytes(mac[offset : offset + 4], 'big') & 0x7FFFFFFF) % 1_000_000:06}"


class Person:
    """A browser, and who sits before it: it keeps cookies by host and port, also secure ones on loopback as browsers do, follows
    redirects, and fills in Keycloak's forms."""

    def __init__(self, name: str = "ana") -> None:
        self.name = name
        self.cookies: dict[str, dict[str, str]] = {}
        self.visited: list[str] = []

    async def request(self, method: str, url: str, data: Any = None, **headers: str) -> httpx.Response:
        """Return the answer to one request."""
        kept = self.cookies.setdefault(urlsplit(url).netloc, {})
        if kept:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in kept.items())
        self.visited.append(url)
        async with httpx.AsyncClient(timeout=60) as http:
            answer = await http.request(method, url, data=data, headers=headers)
        for field in answer.headers.get_list("set-cookie"):
            name, _, value = field.partition(";")[0].partition("=")
            gone = not value.strip('"') or "max-age=0" in field.lower()
            kept.pop(name, None) if gone else kept.__setitem__(name, value)
        return answer

    async def go(self, url: str, until: str | None = None) -> httpx.Response:
        """Go to a URL and wherever it leads, filling in the forms; return the last answer, or the one that leads to a URL that begins
        with `until`."""
        answer, filled = await self.request("GET", url), 0
        while True:
            if answer.is_redirect:
                url = urljoin(url, answer.headers["location"])
                if until is not None and url.startswith(until):
                    return answer
                answer = await self.request("GET", url)
            elif (form := self._form(answer.text)) is not None and filled < 6:
                filled += 1
                url = urljoin(url, form[0])
                answer = await self.request("POST", url, form[1])
            else:
                return answer

    def _form(self, text: str) -> tuple[str, dict[str, str]] | None:
        """Return where Keycloak's form goes, and what is filled in; None for any other page."""
        filled = {
            'id="kc-form-login"': {"username": self.name, "password": PASSWORD},
            'id="kc-otp-login-form"': {"otp": totp(TOTP, time.time()), "login": "Sign In"},
            "/login-actions/consent": {"accept": "Yes"},
        }
        for form in re.findall(r"<form[^>]*>", text):
            action = re.search(r'action="([^"]*)"', form)
            values = next((values for mark, values in filled.items() if mark in form), None)
            if action is not None and values is not None:
                hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', text))
                return unescape(action[1]), {name: unescape(value) for name, value in hidden.items()} | values
        return None


@asynccontextmanager
async def keycloak(folder: Path, distribution: Path) -> AsyncIterator[Keycloak]:
    """Run a server."""
    port, management = ports.free(), ports.free()
    url = f"http://127.0.0.1:{port}"
    command = [
        str(distribution / "bin" / "kc.sh"), "start", "--db=dev-mem", "--health-enabled=true", "--http-enabled=true",
        "--http-host=127.0.0.1", f"--http-port={port}", f"--http-management-port={management}", f"--hostname={url}", "--cache=local",
    ]  # fmt: skip
    given = os.environ | {
        "KC_BOOTSTRAP_ADMIN_USERNAME": ADMIN,
        "KC_BOOTSTRAP_ADMIN_PASSWORD": ADMIN,
        "JAVA_OPTS_APPEND": "-Xmx700m",
    }
    child = Child("keycloak", command, folder / "keycloak.log", environment=given)
    child.start()
    try:
        made, end = Keycloak(url), time.monotonic() + START
        while True:
            try:
                if (await made.http.get("/realms/master")).status_code == 200:
                    break
            except httpx.TransportError:
                pass
            if not child.alive or time.monotonic() > end:
                raise RuntimeError(f"Keycloak did not start:\n{(folder / 'keycloak.log').read_text()[-2000:]}")
            await asyncio.sleep(0.5)
        yield made
        await made.http.aclose()
    finally:
        await child.stop()
