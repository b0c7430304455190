"""Reads a request's body within a size limit. The server limits the time that it may take (`app.http.listening`).

A body that is larger than `Large.over` goes to disk as it arrives, so that it is not held in memory.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from contextlib import AsyncExitStack
from typing import Any

from webhooks.blobs.arriving import Arriving, Large
from webhooks.replies import Refused

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Disconnected(Exception):
    """The caller closed the connection before its request was complete."""


async def read_body(
    receive: Receive,
    headers: Mapping[str, str],
    limit: int,
    large: Large | None = None,
    stack: AsyncExitStack | None = None,
) -> bytes | Arriving:
    """Return the body, at most `limit` bytes. With `large`, a large body is returned as the synced file that it was
    written to; `stack` deletes the file when it closes. Raises Refused (413, 415, 503) and Disconnected."""
    if "content-encoding" in headers and headers["content-encoding"].strip().lower() not in ("", "identity"):
        raise Refused(415, f"content-encoding {headers['content-encoding'][:40]!r}", close=True)
    # The HTTP parser has checked that this is a number.
    declared = int(headers.get("content-length", 0))
    if declared > limit:
        reason = f"content-length {headers['content-length'][:20]}, where the limit is {limit}"
        raise Refused(413, reason, close=True, detail=_most(limit))
    parts: list[bytes] = []
    file: Arriving | None = None
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            raise Disconnected
        part: bytes = message.get("body", b"")
        size += len(part)
        if size > limit:
            raise Refused(413, f"more than {limit} bytes", close=True, detail=_most(limit))
        parts.append(part)
        more = message.get("more_body", False)
        if file is not None:
            await file.add(parts.pop())
        elif large is not None and stack is not None and size > large.over:
            file = await stack.enter_async_context(large.arrive(declared or limit))
            await file.add(b"".join(parts))
            parts.clear()
    if file is not None:
        await file.finish()
        return file
    return parts[0] if len(parts) == 1 else b"".join(parts)


async def discard(receive: Receive, most: int, seconds: float) -> None:
    """Read and drop up to `most` bytes for up to `seconds`, so that a caller which sends its whole body first can read the
    refusal."""
    try:
        async with asyncio.timeout(seconds):
            while most > 0:
                message = await receive()
                if message["type"] != "http.request" or not message.get("more_body"):
                    return
                most -= len(message.get("body", b""))
    except TimeoutError:
        return


def _most(limit: int) -> str:
    """Return the detail of a 413: the limit in bytes, and the settings that it comes from."""
    return f"A body may have at most {limit} bytes (door.max_body, or the source's own max_body)."
