"""A request's body, read whole within a size. How long it may take is the server's to see to (`app.http.listening`)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from webhooks.replies import Refused

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Disconnected(Exception):
    """The caller went away before its request was whole: nobody is there to answer."""


async def read_body(receive: Receive, headers: Mapping[str, str], limit: int) -> bytes:
    """The body, of at most `limit` bytes. Raises Refused (413, 415) and Disconnected."""
    if "content-encoding" in headers and headers["content-encoding"].strip().lower() not in ("", "identity"):
        raise Refused(415, f"content-encoding {headers['content-encoding'][:40]!r}", close=True)
    # The parser has seen to it that it is a number.
    if int(headers.get("content-length", 0)) > limit:
        raise Refused(413, f"content-length {headers['content-length'][:20]}", close=True)
    parts: list[bytes] = []
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise Refused(413, f"more than {limit} bytes", close=True)
        parts.append(part)
        more = message.get("more_body", False)
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def discard(receive: Receive, most: int, seconds: float) -> None:
    """Read on without keeping, so that a caller who first sends all of it gets to read the refusal."""
    try:
        async with asyncio.timeout(seconds):
            while most > 0:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
                most -= len(message.get("body", b""))
    except TimeoutError:
        return
