"""A request's body, read whole within a size and a time."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

from webhooks.replies import Refused

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Disconnected(Exception):
    """The caller went away before its request was whole: nobody is there to answer."""


class Bodies:
    """Reads bodies of at most `limit` bytes, each within `timeout` seconds, and `room` bytes of all that are under way.

    One clock watches all readers, as a timer for each costs more than reading a body that is already there.
    """

    def __init__(self, limit: int, timeout: float, room: int) -> None:
        self.limit = limit
        self.held = 0
        self._timeout = timeout
        self._room = room
        self._readers: dict[asyncio.Task[Any], float] = {}
        self._late: set[asyncio.Task[Any]] = set()
        self._clock: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch the readers."""
        self._loop = asyncio.get_running_loop()
        self._clock = asyncio.create_task(self._watch())

    async def stop(self) -> None:
        """Stop watching."""
        if self._clock is not None:
            self._clock.cancel()
            await asyncio.gather(self._clock, return_exceptions=True)

    async def read(self, receive: Receive, headers: Mapping[str, str]) -> bytes:
        """The body. Raises Refused (408, 413, 415, 429) and Disconnected."""
        if "content-encoding" in headers and headers["content-encoding"].strip().lower() not in ("", "identity"):
            raise Refused(415, f"content-encoding {headers['content-encoding'][:40]!r}", close=True)
        # The parser has seen to it that it is a number.
        if int(headers.get("content-length", 0)) > self.limit:
            raise Refused(413, f"content-length {headers['content-length'][:20]}", close=True)
        task = asyncio.current_task()
        assert task is not None
        self._readers[task] = self._loop.time() + self._timeout
        try:
            message = await receive()
            if message["type"] != "http.request":
                raise Disconnected
            body: bytes = message.get("body", b"")
            if message.get("more_body"):
                return await self._read_on(receive, body)
        except asyncio.CancelledError:
            if task not in self._late:
                raise
            self._late.discard(task)
            task.uncancel()
            raise Refused(408, f"the body was not whole after {self._timeout} s", close=True) from None
        finally:
            del self._readers[task]
        if len(body) > self.limit:
            raise Refused(413, f"more than {self.limit} bytes", close=True)
        return body

    async def _read_on(self, receive: Receive, first: bytes) -> bytes:
        parts, size, held = [first], len(first), 0
        try:
            while True:
                if size > self.limit:
                    raise Refused(413, f"more than {self.limit} bytes", close=True)
                self.held += size - held
                held = size
                if self.held > self._room:
                    raise Refused(429, f"{self.held} bytes of unfinished bodies", retry_after=1, close=True)
                message = await receive()
                if message["type"] != "http.request":
                    raise Disconnected
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if not message.get("more_body"):
                    break
        finally:
            self.held -= held
        if size > self.limit:
            raise Refused(413, f"more than {self.limit} bytes", close=True)
        return b"".join(parts)

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self._timeout / 4))
            now = self._loop.time()
            # In order of their deadlines, as all have the same time.
            for task, deadline in list(self._readers.items()):
                if deadline > now:
                    break
                if task not in self._late:
                    self._late.add(task)
                    task.cancel()


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
