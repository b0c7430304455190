"""People and services with a real Keycloak: the realm is imported, a person has a second factor (TOTP), log-ins go by forms over HTTP,
and Threadline is a process of its own on real servers. Skipped where there is no Keycloak."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import orjson
import pytest
import pytest_asyncio

from app.cli.login import device, loopback
from app.login.sessions import COOKIE
from tests.support.keycloak import SECRET, Keycloak, Person, home, keycloak
from tests.support.stack import Stack
from tests.support.waiting import eventually

HOW = "there is no Keycloak: unpack keycloak-quarkus-dist (Maven Central) and set KEYCLOAK_HOME, or put its bin on PATH"
#: What only a person or service with these rights may read.
CLERKS, DEVELOPERS = "/v1/messages?state=held", "/v1/clients"
ROLES = {"support-agents": ["clerk"], "developer": ["developer"]}

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    pytest.mark.skipif(home() is None, reason=HOW),
]


class Both(NamedTuple):
    """A Threadline whose people log in by a Keycloak."""

    stack: Stack
    keycloak: Keycloak

    @property
    def url(self) -> str:
        """Threadline's URL."""
        return self.stack.url


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def both(servers_folder: Path) -> AsyncIterator[Both]:
    """Both, running; Threadline demands the second factor."""
    distribution, folder = home(), servers_folder / "keycloak"
    assert distribution is not None
    folder.mkdir()
    async with keycloak(folder, distribution) as provider, Stack(folder / "threadline", {}) as stack:
        await provider.set_up(stack.url)
        identity = {
            "issuer": provider.issuer,
            "audience": ["threadline"],
            "leeway": 1,
            "roles": ROLES,
            "amr": ["otp"],
            "login_client_id": "threadline-web",
            "login_client_secret": SECRET,
            "cli_client_id": "threadline-cli",
        }
        given = {
            f"THREADLINE_IDENTITY__{name.upper()}": value if isinstance(value, str) else orjson.dumps(value).decode()
            for name, value in identity.items()
        }
        await stack.start("serve", THREADLINE_LOGIN__URL=stack.url, **given)
        yield Both(stack, provider)


async def bearer(both: Both, token: str, path: str = DEVELOPERS) -> httpx.Response:
    """Return the answer to a request with a token."""
    async with httpx.AsyncClient(base_url=both.url) as http:
        return await http.get(path, headers={"authorization": f"Bearer {token}"})


async def read(both: Both, person: Person) -> int:
    """Return the status of a read with a person's session."""
    return (await person.request("GET", both.url + CLERKS)).status_code


async def test_a_person_with_a_second_factor_logs_in_works_and_logs_out(both: Both) -> None:
    """The issuer asks for the password and the code; the session has the role that the group stands for; the log-out ends both."""
    ana = Person("ana")
    page = await ana.go(f"{both.url}/login?next=/")
    assert page.status_code == 200 and "<h1>Logged in</h1>" in page.text and "<dd>shop</dd>" in page.text, page.text
    forms = [url for url in ana.visited if "login-actions/authenticate" in url]
    assert len(forms) == 2  # password, code
    assert await read(both, ana) == 200
    assert (await ana.request("GET", both.url + DEVELOPERS)).status_code == 403
    again = await ana.go(f"{both.url}/login")  # the issuer's own session is there
    assert "<h1>Logged in</h1>" in again.text and len([u for u in ana.visited if "login-actions" in u]) == 2
    secret = ana.cookies[both.url.removeprefix("http://")][COOKIE]
    out = await ana.request("POST", f"{both.url}/logout", **{"sec-fetch-site": "same-origin"})
    assert out.status_code == 303 and out.headers["location"].startswith(
        f"{both.keycloak.issuer}/protocol/openid-connect/logout?"
    )
    asked = await ana.request("GET", out.headers["location"])
    assert asked.status_code == 200 and "logout" in asked.text.lower()
    ana.cookies[both.url.removeprefix("http://")][COOKIE] = secret
    assert await read(both, ana) == 401


async def test_a_person_without_the_second_factor_is_not_let_in(both: Both) -> None:
    """Though the issuer does: the settings demand it (amr), and the refusal is in the audit."""
    ben = Person("ben")
    page = await ben.go(f"{both.url}/login")
    assert page.status_code == 403 and "amr must have otp" in page.text
    assert await read(both, ben) == 401
    query = "SELECT actor, detail FROM threadline.audit WHERE action = 'session.refused'"

    async def noted() -> bool:
        return bool(await both.stack.rows(query))

    await eventually(noted, within=10)
    ((actor, detail),) = await both.stack.rows(query)
    assert detail["why"] == "a stronger log-in is demanded" and actor.startswith("person:")


async def test_a_wrong_code_verifier_is_refused(both: Both) -> None:
    """By the issuer: the code was asked for with another challenge."""
    ana = Person("ana")
    to = httpx.URL((await ana.request("GET", f"{both.url}/login")).headers["location"])
    changed = str(to.copy_set_param("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"))
    page = await ana.go(changed)
    assert page.status_code == 401 and "PKCE" in page.text, page.text
    plain = str(to.copy_set_param("code_challenge_method", "plain"))
    refusal = await Person("ana").go(plain, until=both.url)
    assert "error=invalid_request" in refusal.headers["location"]
    without = str(to.copy_remove_param("code_challenge").copy_remove_param("code_challenge_method"))
    refusal = await Person("ana").go(without, until=both.url)
    assert "error=invalid_request" in refusal.headers["location"]


async def test_tokens_of_services(both: Both) -> None:
    """Client credentials: one for us is good until it expires; one for another audience, and a person's ID token, are not."""
    began = time.monotonic()
    token = await both.keycloak.service_token("shop-service")
    assert (await bearer(both, token)).status_code == 200
    assert (await bearer(both, token, CLERKS)).status_code == 200  # developers read messages too
    assert (await bearer(both, token, "/v1/audit")).status_code == 403
    other = await bearer(both, await both.keycloak.service_token("another-service"))
    assert other.status_code == 401 and "audience" in other.json()["detail"]
    head, body, signature = token.split(".")
    forged = await bearer(both, f"{head}.{body}.{signature[:-8]}{signature[:8]}")
    assert forged.status_code == 401
    await asyncio.sleep(max(0.0, 27.5 - (time.monotonic() - began)))
    expired = await bearer(both, token)
    assert expired.status_code == 401 and "expired" in expired.json()["detail"]


async def test_keys_that_the_issuer_rotated_are_taken_over(both: Both) -> None:
    """Tokens by the new key are good within half a minute of the last fetch, and people log in."""
    await both.keycloak.rotate()
    began = time.monotonic()

    async def good() -> bool:
        return (await bearer(both, await both.keycloak.service_token("shop-service"))).status_code == 200

    await eventually(good, within=45)
    ana = Person("ana")
    assert "<h1>Logged in</h1>" in (await ana.go(f"{both.url}/login")).text
    assert time.monotonic() - began < 45


async def test_the_issuer_ends_sessions_by_the_back_channel(both: Both) -> None:
    """An administrator ends those of a person: both of hers here end within seconds, by the issuer's logout tokens."""
    people = [Person("ana"), Person("ana")]
    for person in people:
        await person.go(f"{both.url}/login")
        assert await read(both, person) == 200
    await both.keycloak.end_sessions("ana")

    async def over() -> bool:
        return [await read(both, person) for person in people] == [401, 401]

    await eventually(over, within=10)
    rows = await both.stack.rows(
        "SELECT actor FROM threadline.audit WHERE action = 'session.end' AND detail->>'why' = 'back-channel'"
    )
    assert len(rows) >= 2 and {actor for (actor,) in rows} == {f"issuer:{both.keycloak.issuer}"}


async def test_the_command_line_logs_in(both: Both, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a port of loopback and by the device flow, with the second factor; the tokens are good at the API."""
    said: asyncio.Queue[str] = asyncio.Queue()
    for module in (loopback, device):
        monkeypatch.setattr(module, "print_note", said.put_nowait)
    issuer: tuple[str, str, list[Any]] = (both.keycloak.issuer, "threadline-cli", [])

    async def url(command: asyncio.Task[Any], nth: int) -> str:
        """Return the URL of the nth line that the command prints."""
        for _ in range(nth):
            line = asyncio.ensure_future(said.get())
            await asyncio.wait((line, command), timeout=30, return_when=asyncio.FIRST_COMPLETED)
            if not line.done():
                pytest.fail(f"it printed nothing: {command}")
        return line.result().rpartition(" ")[2]

    running = asyncio.create_task(loopback.by_browser(*issuer, open=False))
    page = await Person("ana").go(await url(running, 1))
    assert "close this page" in page.text, page.text
    answer = await asyncio.wait_for(running, 30)
    assert (await bearer(both, answer["access_token"], CLERKS)).status_code == 200 and answer["refresh_token"]
    running = asyncio.create_task(device.by_device(*issuer))
    page = await Person("ana").go(await url(running, 2))
    assert "successful" in page.text.lower(), page.text
    answer = await asyncio.wait_for(running, 30)
    assert (await bearer(both, answer["access_token"], CLERKS)).status_code == 200
