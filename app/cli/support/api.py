"""The HTTP API as commands call it, by `app.client`: its address, the API key or the log-in, the client, and errors in words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, NamedTuple

import httpx
import typer

from app.cli.support import login_file
from app.cli.support.login_file import LoginUnusable, fresh
from app.client import Client
from app.client.answers import problem
from app.clients.ids import RULE, is_client_id
from app.embedded import addresses, sample
from app.embedded.running import resolve
from app.settings.loading import load

Key = Annotated[
    str | None,
    typer.Option(
        envvar="THREADLINE_API_KEY",
        help="The API key, or @FILE to read it from; by default what `threadline login` got, else that of the system that runs here.",
        show_envvar=True,
    ),
]
Url = Annotated[
    str | None,
    typer.Option(
        envvar="THREADLINE_API_URL",
        help="The API's base URL; by default that of `threadline login`, else of the system that runs here.",
    ),
]
ClientName = Annotated[
    str | None,
    typer.Option(
        "--client",
        envvar="THREADLINE_API_CLIENT",
        help="The client id that each request names, for a key or a log-in that acts for several.",
    ),
]
#: What to do without a key.
_GIVE = (
    "Give one with --key or THREADLINE_API_KEY, log in with threadline login, or make a key with: threadline keys create NAME "
    "--scope messages:write --scope messages:read"
)
#: The longest wait before a retry (seconds).
LONGEST = 10.0
#: Seconds that an answer may take.
PATIENCE = 30.0


class ApiError(Exception):
    """The API cannot be called, or does not answer. The message says what to do."""


class Caller(NamedTuple):
    """How a command calls the API, as its options say."""

    key: str | None = None
    url: str | None = None
    client: str | None = None


@contextmanager
def api(caller: Caller, tries: int = 2) -> Iterator[Client]:
    """Return a client of the API that sends the key or the log-in's token, and tries up to `tries` times what may be repeated. Raises
    ApiError; ends the command (SystemExit) where nothing runs."""
    http, url, token = None, caller.url, caller.key
    if token is None and (login := _login(url)) is not None:
        url, token = login
    if url is None:
        door = resolve(load()).door
        base, http = addresses.url(door), httpx.Client(timeout=PATIENCE, verify=addresses.trust(door))
    else:
        base = url
    if caller.client is not None and not is_client_id(caller.client):
        raise ApiError(f"--client: {RULE}.")
    with Client(base, _token(token), client=caller.client, tries=tries, longest=LONGEST, http=http) as client:
        try:
            yield client
        except (httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            raise ApiError(
                f"{base} is no URL: give one such as https://threadline.example.com by --url or THREADLINE_API_URL."
            ) from error
        except httpx.TransportError as error:
            late = " in time" if isinstance(error, httpx.TimeoutException) else ""
            raise ApiError(f"{base} does not answer{late}. What is wrong? threadline doctor") from error


def error_text(response: httpx.Response) -> str:
    """Return the detail of a problem document (RFC 9457), or of all its errors a line each, else the bare status."""
    found = problem(response)
    if several := found.get("errors"):
        more = [f"and {found['moreErrors']} more"] if "moreErrors" in found else []
        return "\n".join([*(each["detail"] for each in several), *more])
    return str(found.get("detail") or found.get("title") or f"the API answered {response.status_code}")


def _login(url: str | None) -> tuple[str | None, str] | None:
    """Return the API's URL and the token of the log-in, if there is one and it is for this URL. Raises ApiError."""
    try:
        login = login_file.read()
        if login is None or (url is not None and url.rstrip("/") != (login.url or "")):
            return None
        return login.url, fresh(login).access_token
    except LoginUnusable as error:
        raise ApiError(str(error)) from error


def _token(given: str | None) -> str:
    if given is None:
        file = load().data / sample.KEY_FILE
    elif given.startswith("@"):
        file = Path(os.path.expanduser(given[1:]))
    else:
        return _usable(given, "--key, or THREADLINE_API_KEY,")
    try:
        return _usable(file.read_text("utf-8"), str(file))
    except (OSError, UnicodeDecodeError) as error:
        raise ApiError(f"No API key: {file} cannot be read ({type(error).__name__}). {_GIVE}") from error


def _usable(text: str, where: str) -> str:
    """Return a key that can be in a header; which it is, the API says."""
    if not (key := text.strip()):
        raise ApiError(f"No API key: {where} is empty. {_GIVE}")
    if not key.isascii() or not key.isprintable():
        raise ApiError(f"{where} is not an API key: one has the form tl_live_… and 49 letters and digits.")
    return key
