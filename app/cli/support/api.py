"""The HTTP API as commands call it, by `app.client`: its address, the API key, and errors in words."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import httpx
import typer

from app.client import Client
from app.client.answers import problem
from app.embedded import addresses, sample
from app.embedded.running import resolve
from app.settings.loading import load

Key = Annotated[
    str | None,
    typer.Option(
        envvar="THREADLINE_API_KEY",
        help="The API key, or @FILE to read it from; by default that of the system that runs here.",
        show_envvar=True,
    ),
]
Url = Annotated[
    str | None,
    typer.Option(envvar="THREADLINE_API_URL", help="The API's base URL; by default that of the system that runs here."),
]
#: The longest wait before a retry (seconds).
LONGEST = 10.0
#: Seconds that an answer may take.
PATIENCE = 30.0


class ApiError(Exception):
    """The API cannot be called, or does not answer. The message says what to do."""


@contextmanager
def api(key: str | None, url: str | None, tries: int = 2) -> Iterator[Client]:
    """Return a client of the API that sends the key, and tries up to `tries` times what may be repeated. Raises ApiError; ends
    the command (SystemExit) where nothing runs."""
    http = None
    if url is None:
        door = resolve(load()).door
        base, http = addresses.url(door), httpx.Client(timeout=PATIENCE, verify=addresses.trust(door))
    else:
        base = url
    with Client(base, _token(key), tries=tries, longest=LONGEST, http=http) as client:
        try:
            yield client
        except (httpx.TransportError, httpx.InvalidURL) as error:
            late = " in time" if isinstance(error, httpx.TimeoutException) else ""
            raise ApiError(f"{base} does not answer{late}. What is wrong? threadline doctor") from error


def error_text(response: httpx.Response) -> str:
    """Return the detail of a problem document (RFC 9457), else the bare status."""
    found = problem(response)
    return str(found.get("detail") or found.get("title") or f"the API answered {response.status_code}")


def _token(given: str | None) -> str:
    if given is None:
        file = load().data / sample.KEY_FILE
    elif given.startswith("@"):
        file = Path(os.path.expanduser(given[1:]))
    else:
        return given.strip()
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ApiError(
            f"No API key: {file} cannot be read ({type(error).__name__}). Give one with --key or THREADLINE_API_KEY; "
            "make one with: threadline keys create NAME --scope messages:write --scope messages:read"
        ) from error
