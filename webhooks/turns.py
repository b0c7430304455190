"""Gives requests their turn, so that they do not hold up others that share their process and its event loop.

A webhook takes some rounds of the loop until it is kept and answered. Without turns a round serves every connection that has asked
for something, and hundreds of connections can ask again in the same round, as requests may be pipelined: webhooks of other callers
then took seconds. Here a round serves a few, each caller's in its turn, and a large answer is written in pieces, a turn each.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

from webhooks.body import Message
from webhooks.shares import Room

#: Bytes of a piece of an answer: what a connection buffers before its writer waits.
PIECE = 64 << 10
#: Requests that may wait for their turn, and bytes of their bodies, shared fairly among callers.
WAITING, HELD = 2000, 64 << 20


class Turns:
    """Turns in rounds of the event loop: `most` in each, or fewer that are heavy (a turn counts as many as its `weight`)."""

    def __init__(self, most: int, waiting: int = WAITING, held: int = HELD) -> None:
        self._most = self._left = most
        self._room = Room(waiting, held)
        #: Those who wait, by caller, each with its weight; the caller whose turn is next comes first.
        self._waiting: dict[str, deque[tuple[asyncio.Future[None], int]]] = {}
        self._counting = False

    async def begin(self, caller: str, bytes: int = 0, weight: int = 1) -> bool:
        """Wait for the turn of a request with a body of so many bytes. Return False, at once, if too many wait, of this caller more
        than its share."""
        if not self._room.take(caller, bytes):
            return False
        try:
            await self.turn(caller, weight)
        finally:
            self._room.give(caller, bytes)
        return True

    async def turn(self, caller: str, weight: int = 1) -> None:
        """Wait for a turn."""
        loop = asyncio.get_running_loop()
        if not self._counting:
            self._counting = True
            loop.call_soon(self._next_round)
        if self._left > 0 and not self._waiting:
            self._left -= weight
            return
        turn = loop.create_future()
        self._waiting.setdefault(caller, deque()).append((turn, weight))
        await turn

    def written(self, send: Callable[[Message], Awaitable[None]], caller: str) -> Callable[[Message], Awaitable[None]]:
        """Return ASGI's `send`, which writes a large body in pieces, a turn each."""

        async def piecewise(message: Message) -> None:
            if len(message.get("body", b"")) <= PIECE:
                await send(message)
                return
            for piece in _pieces(message):
                await send(piece)
                await self.turn(caller)

        return piecewise

    def _next_round(self) -> None:
        self._left = self._most
        while self._left > 0 and self._waiting:
            caller = next(iter(self._waiting))
            queue = self._waiting.pop(caller)
            turn, weight = queue.popleft()
            if queue:
                self._waiting[caller] = queue  # behind the others
            if not turn.done():  # else its caller is gone
                turn.set_result(None)
                self._left -= weight
        self._counting = self._left < self._most
        if self._counting:
            asyncio.get_running_loop().call_soon(self._next_round)


def _pieces(message: Message) -> Iterator[Message]:
    whole, more = memoryview(message["body"]), message.get("more_body", False)
    for at in range(0, len(whole), PIECE):
        yield {**message, "body": bytes(whole[at : at + PIECE]), "more_body": more or at + PIECE < len(whole)}
