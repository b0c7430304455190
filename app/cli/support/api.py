"""The HTTP API as commands call it: its address, the API key, retries, and errors in words."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import typer

from app.embedded import addresses, sample
from app.embedded.running import resolve
from app.settings.loading import load
from webhooks.backoff import exponential

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
#: Status codes worth a retry, and the longest wait before it (seconds).
RETRYABLE, LONGEST = (409, 429, 502, 503, 504), 10.0


class ApiError(Exception):
    """The API cannot be called, or does not answer. The message says what to do."""


@contextmanager
def api(key: str | None, url: str | None) -> Iterator[httpx.Client]:
    """Return a client of the API that sends the key. Raises ApiError; ends the command (SystemExit) where nothing runs."""
    base = url or addresses.url(resolve(load()).door)
    headers = {"authorization": f"Bearer {_token(key)}"}
    with httpx.Client(base_url=base, headers=headers, timeout=30) as http:
        try:
            yield http
        except (httpx.TransportError, httpx.InvalidURL) as error:
            late = " in time" if isinstance(error, httpx.TimeoutException) else ""
            raise ApiError(f"{base} does not answer{late}. What is wrong? threadline doctor") from error


def post(http: httpx.Client, path: str, body: Any, tries: int = 2) -> httpx.Response:
    """Post an idempotent request and return the response, after at most `tries` attempts while the API is away or busy.

    Raises httpx.TransportError where it stays away.
    """
    for attempt in range(1, tries + 1):
        pause = exponential(0.5, LONGEST, attempt - 1)
        try:
            response = http.post(path, json=body)
        except httpx.TransportError:
            if attempt == tries:
                raise
        else:
            wait = response.headers.get("retry-after", "")
            if response.status_code not in RETRYABLE or not wait.isdecimal() or attempt == tries:
                return response
            pause = min(LONGEST, float(wait))
        time.sleep(pause)
    raise AssertionError("unreachable")


def error_text(response: httpx.Response) -> str:
    """Return the detail of a problem document (RFC 9457), else the bare status."""
    try:
        problem = response.json()
        return str(problem.get("detail") or problem["title"])
    except (ValueError, KeyError, AttributeError):
        return f"the API answered {response.status_code}"


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
