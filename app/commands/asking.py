"""The API as a command asks it: where it is, by which key, and what it says, in words."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from app.embedded import addresses, sample
from app.embedded.running import resolve
from app.settings import Settings
from webhooks.backoff import exponential

#: Answers that pass, and the longest wait before the next try (seconds).
PASSING, LONGEST = (409, 429, 502, 503, 504), 10.0


class Failed(Exception):
    """The API cannot be asked, or does not answer. The message says what to do."""


@contextmanager
def asking(key: str | None, url: str | None) -> Iterator[httpx.Client]:
    """The API, to be asked with a key. Raises Failed; ends the command (SystemExit) where nothing runs here."""
    base = url or addresses.url(resolve(Settings()).door)
    headers = {"authorization": f"Bearer {_token(key)}"}
    with httpx.Client(base_url=base, headers=headers, timeout=30) as http:
        try:
            yield http
        except (httpx.TransportError, httpx.InvalidURL) as error:
            words = f"{base} does not answer ({type(error).__name__})"
            raise Failed(f"{words}. What is wrong? threadline doctor") from error


def post(http: httpx.Client, path: str, body: Any, tries: int = 2) -> httpx.Response:
    """The answer to a request that may be repeated: again, after a pause, where the API is away or busy. Raises what
    httpx does where it stays away."""
    for attempt in range(1, tries + 1):
        pause = exponential(0.5, LONGEST, attempt - 1)
        try:
            response = http.post(path, json=body)
        except httpx.TransportError:
            if attempt == tries:
                raise
        else:
            wait = response.headers.get("retry-after", "")
            if response.status_code not in PASSING or not wait.isdecimal() or attempt == tries:
                return response
            pause = min(LONGEST, float(wait))
        time.sleep(pause)
    raise AssertionError("unreachable")


def refusal(response: httpx.Response) -> str:
    """What a problem document says, or the bare status."""
    try:
        problem = response.json()
        return str(problem.get("detail") or problem["title"])
    except (ValueError, KeyError, AttributeError):
        return f"the API answered {response.status_code}"


def _token(given: str | None) -> str:
    if given is None:
        file = Settings().data / sample.KEY_FILE
    elif given.startswith("@"):
        file = Path(os.path.expanduser(given[1:]))
    else:
        return given.strip()
    try:
        return file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise Failed(
            f"No API key: {file} cannot be read ({type(error).__name__}). Give one with --key or THREADLINE_API_KEY; "
            "make one with: threadline keys create NAME --scope messages:write --scope messages:read"
        ) from error
