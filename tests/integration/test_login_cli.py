"""`threadline login` and `logout`: by the browser and by a device, the file that is kept, and the commands that use it. The provider and the
API are real servers."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from app.http.access import Access
from app.http.issued import Tokens
from tests.conftest import Dsns
from tests.integration import command_line
from tests.integration.command_line import Ran
from tests.integration.serving import listening, serving
from tests.support.provider import CLI, Provider, providing

#: A browser that goes where it is sent, and back to the command.
BROWSER = (
    f"{sys.executable} -c 'import sys, httpx; httpx.get(sys.argv[1], follow_redirects=True).raise_for_status()' %s"
)


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[Provider]:
    """A provider that is up."""
    async with providing() as made:
        yield made


@pytest_asyncio.fixture
async def api(postgres_dsn: Dsns, provider: Provider) -> AsyncIterator[str]:
    """The URL of an API that takes the provider's tokens."""
    async with serving(postgres_dsn.service) as served:
        served.api.access = Access(served.store, tokens=Tokens(provider.identity()))
        async with listening(served) as http:
            yield str(http.base_url).rstrip("/")


def home(folder: Path) -> dict[str, str]:
    """Return the environment of a person whose files are in this folder, and who has no settings."""
    return {"XDG_CONFIG_HOME": str(folder), "THREADLINE_DATA": str(folder / "data"), "BROWSER": BROWSER}


def kept(folder: Path) -> dict[str, Any]:
    """Return what is kept of the log-in; only its owner may read it."""
    path = folder / "threadline" / "login.json"
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    assert [each.name for each in path.parent.iterdir() if each.name not in ("login.json", "login.lock")] == []
    found: dict[str, Any] = json.loads(path.read_text())
    return found


async def by_device(provider: Provider, folder: Path, *more: str) -> Ran:
    """Log in by the device flow, in this process."""
    arguments = ("login", "--device", "--issuer", provider.url, "--client-id", CLI, *more)
    return await command_line.command(*arguments, environment=home(folder))


async def listed(folder: Path, *more: str, **environment: str) -> Ran:
    """List messages that are held."""
    arguments = ("messages", "list", "--state", "held", *more)
    return await command_line.command(*arguments, environment=home(folder) | environment)


async def test_a_person_logs_in_with_the_browser_and_works(provider: Provider, api: str, tmp_path: Path) -> None:
    """By PKCE and a port of loopback; then commands call the API that was named, until the log-out, which the issuer is told."""
    provider.person["roles"] = ["clerk"]
    arguments = ("login", "--issuer", provider.url, "--client-id", CLI, "--url", api, "--scope", "offline_access")
    ran = await command_line.process(*arguments, environment=home(tmp_path))
    assert ran.code == 0 and f"Logged in by {provider.url}, to {api}" in ran.err, ran.err
    (asked,) = provider.requests
    assert asked["code_challenge_method"] == "S256" and asked["scope"] == "offline_access"
    assert asked["redirect_uri"].startswith("http://127.0.0.1:")
    login = kept(tmp_path)
    assert login["access_token"] not in ran.err + ran.out and login["refresh_token"]
    found = await listed(tmp_path)
    assert found.code == 0 and "No message is held" in found.out, found.err
    elsewhere = await listed(tmp_path, "--url", "http://127.0.0.1:1")
    assert elsewhere.code == 1 and "No API key" in elsewhere.err  # the token goes nowhere else
    with_key = await listed(tmp_path, "--url", api, THREADLINE_API_KEY="tl_live_x")
    assert with_key.code == 1 and "API key" in with_key.err  # a key comes first
    out = await command_line.command("logout", environment=home(tmp_path))
    assert out.code == 0 and "Logged out." in out.err and provider.revoked == [login["refresh_token"]]
    assert not (tmp_path / "threadline" / "login.json").exists()
    assert "Nobody was logged in" in (await command_line.command("logout", environment=home(tmp_path))).err


async def test_with_a_browser_elsewhere(provider: Provider, api: str, tmp_path: Path) -> None:
    """The command prints a URL and a code, and asks until the person has entered it."""
    provider.approved = False
    running = asyncio.create_task(by_device(provider, tmp_path, "--url", api))
    await asyncio.sleep(0.5)
    assert not running.done()
    provider.approved = True
    ran = await running
    assert ran.code == 0 and f"Open {provider.url}/device and enter the code ABCD-EFGH" in ran.err, ran.err
    assert (await listed(tmp_path)).code == 0


async def test_a_token_that_expires_is_renewed_once_however_many_commands_run(
    provider: Provider, api: str, tmp_path: Path
) -> None:
    """A refresh token counts once here, as with careful issuers; when none is left, the person logs in again."""
    provider.lifetime = 30  # less than what is left before it is renewed
    await by_device(provider, tmp_path, "--url", api)
    first = kept(tmp_path)
    provider.lifetime = 300
    runs = await asyncio.gather(
        *(command_line.process("messages", "list", "--state", "held", environment=home(tmp_path)) for _ in range(3))
    )
    assert [ran.code for ran in runs] == [0, 0, 0], [ran.err for ran in runs]
    second = kept(tmp_path)
    assert second["refresh_token"] != first["refresh_token"] and second["expires_at"] > time.time() + 200
    provider._refreshes.clear()
    path = tmp_path / "threadline" / "login.json"
    path.write_text(json.dumps(second | {"expires_at": 0}))
    ran = await listed(tmp_path)
    assert ran.code == 1 and "Log in again: threadline login" in ran.err and "invalid_grant" in ran.err


async def test_a_file_that_others_may_read_is_not_used(provider: Provider, api: str, tmp_path: Path) -> None:
    """Nor one that is damaged; the message says what to do."""
    await by_device(provider, tmp_path, "--url", api)
    path = tmp_path / "threadline" / "login.json"
    path.chmod(0o640)
    ran = await listed(tmp_path)
    assert ran.code == 1 and "Others may read" in ran.err
    path.chmod(0o600)
    assert (await listed(tmp_path)).code == 0
    path.write_text("{")
    assert "Log in again" in (await listed(tmp_path)).err
    out = await command_line.command("logout", environment=home(tmp_path))
    assert out.code == 0 and not path.exists()


async def test_what_cannot_be_is_said(provider: Provider, tmp_path: Path) -> None:
    """No issuer, a URL over which a token would be read, an issuer that is not there, and one that refuses."""
    environment = home(tmp_path)
    ran = await command_line.command("login", environment=environment)
    assert ran.code == 2 and "--issuer and --client-id" in ran.err
    for unsafe in (("--issuer", "http://id.example"), ("--issuer", provider.url, "--url", "http://threadline.example")):
        ran = await command_line.command("login", "--client-id", CLI, *unsafe, environment=environment)
        assert ran.code == 2 and "https" in ran.err
    away = ("login", "--device", "--issuer", "http://127.0.0.1:1", "--client-id", CLI)
    ran = await command_line.command(*away, environment=environment)
    assert ran.code == 1 and "http://127.0.0.1:1 cannot be used" in ran.err
    provider.refuses = "access_denied"
    ran = await command_line.process("login", "--issuer", provider.url, "--client-id", CLI, environment=environment)
    assert ran.code == 1 and "refused (access_denied)" in ran.err
    assert not (tmp_path / "threadline" / "login.json").exists()


async def test_the_settings_name_the_issuer(provider: Provider, api: str, tmp_path: Path) -> None:
    """Where one has a client id for the command line."""
    table = f'issuer = "{provider.url}"\naudience = ["threadline"]\ncli_client_id = "{CLI}"\n'
    file = tmp_path / "threadline.toml"
    file.write_text(f"[issuers.company]\n{table}")
    environment = home(tmp_path) | {"THREADLINE_CONFIG": str(file), "THREADLINE_API_URL": api}
    ran = await command_line.command("login", "--device", environment=environment)
    assert ran.code == 0, ran.err
    assert kept(tmp_path)["url"] == api


async def test_who_works_for_several_clients_names_one(provider: Provider, api: str, tmp_path: Path) -> None:
    """By the option or the variable; without it the API says so."""
    provider.person |= {"roles": ["clerk"], "threadline_client": ["bank", "shop"]}
    await by_device(provider, tmp_path, "--url", api)
    ran = await listed(tmp_path)
    assert ran.code == 1 and "name one in the header Threadline-Client" in ran.err
    assert (await listed(tmp_path, "--client", "shop")).code == 0
    assert (await listed(tmp_path, THREADLINE_API_CLIENT="bank")).code == 0
    assert "does not act for" in (await listed(tmp_path, "--client", "other")).err
    assert "--client:" in (await listed(tmp_path, "--client", "a/b")).err


@pytest.mark.parametrize("answer", [{"state": "x"}, {}, {"state": "x", "code": "made-up"}])
async def test_what_is_not_the_answer_is_passed_over(
    provider: Provider, tmp_path: Path, answer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any page may send a browser to a port of loopback: the command goes on waiting for its own."""
    from app.cli.login import loopback

    urls: asyncio.Queue[str] = asyncio.Queue()
    monkeypatch.setattr(loopback, "print_note", lambda text: urls.put_nowait(text.rpartition(" ")[2]))
    running = asyncio.create_task(loopback.by_browser(provider.url, CLI, [], open=False))
    url = await urls.get()
    redirect = httpx.URL(url).params["redirect_uri"]
    async with httpx.AsyncClient() as http:
        assert (await http.get(redirect, params=answer)).status_code == 400
        assert not running.done()
        assert (await http.get(url, follow_redirects=True)).status_code == 200
    assert (await running)["access_token"]
