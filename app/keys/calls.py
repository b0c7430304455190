"""Calls a key management service: one POST of JSON, with time-outs and a bounded answer."""

import ssl
from pathlib import Path
from typing import Any

import httpx
import orjson

from app.keys.wrapping import KeysAway, KeysRefused
from sql.sealing import KEY_BYTES

#: Seconds to connect, and for the answer.
TIMEOUT = httpx.Timeout(10.0, connect=5.0)
#: Most bytes of an answer.
MOST = 1 << 20


def post(
    url: str, headers: dict[str, str], body: bytes, what: str, ca_file: Path | None = None
) -> tuple[int, dict[str, Any]]:
    """Return the status and the JSON object of an answer; of one that is not JSON an empty object. Raises KeysAway; KeysRefused
    if the certificates cannot be read."""
    try:
        verify = ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise KeysRefused(
            f"the certificates of {what} cannot be read: {error.strerror}: check secrets.transit.ca_file"
        ) from error
    try:
        with (
            httpx.Client(timeout=TIMEOUT, verify=verify, follow_redirects=False) as http,
            http.stream("POST", url, headers=headers, content=body) as response,
        ):
            found = bytearray()
            for piece in response.iter_bytes():
                found += piece
                if len(found) > MOST:
                    raise KeysAway(f"{what} answers with too many bytes")
    except httpx.HTTPError as error:
        raise KeysAway(f"{what} cannot be reached: {type(error).__name__} {error}".rstrip()) from error
    try:
        answer = orjson.loads(bytes(found))
    except ValueError:
        answer = None
    return response.status_code, answer if isinstance(answer, dict) else {}


def whole(key: bytes | None, what: str) -> bytes:
    """Return an unwrapped key if it is one. Raises KeysRefused."""
    if key is None or len(key) != KEY_BYTES:
        raise KeysRefused(f"{what} unwraps something that is no key of ours: put the right one into secrets.wrapped")
    return key
