"""Gives pages their turn, so that they do not hold up the door, which shares their process and its event loop.

A webhook takes some rounds of the loop. Without turns each round makes a page for every connection that has asked for one, and
hundreds of connections can ask again in the same round, as requests may be pipelined. Here a round makes a few, each caller's in
its turn, and a large answer is written in pieces, a turn each.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterator

from starlette.types import Message

from webhooks.shares import Room

#: Pages that are begun, or pieces that are written, in one round of the loop.
MOST = 2
#: Bytes of a piece: what a connection buffers before its writer waits.
PIECE = 64 << 10
#: Pages that may wait for their turn, shared fairly among callers.
WAITING = 2000


class Turns:
    """The turns of one event loop."""

    def __init__(self, most: int = MOST, waiting: int = WAITING) -> None:
        self._most = self._left = most
        self._room = Room(waiting, 0)
        #: Those who wait, by caller; the caller whose turn is next comes first.
        self._waiting: dict[str, deque[asyncio.Future[None]]] = {}
        self._counting = False

    async def begin(self, caller: str) -> bool:
        """Wait for the turn of a page. Return False, at once, if too many wait, of this caller more than its share."""
        if not self._room.take(caller, 0):
            return False
        try:
            await self.turn(caller)
        finally:
            self._room.give(caller, 0)
        return True

    async def turn(self, caller: str) -> None:
        """Wait for a turn."""
        loop = asyncio.get_running_loop()
        if not self._counting:
            self._counting = True
            loop.call_soon(self._next_round)
        if self._left and not self._waiting:
            self._left -= 1
            return
        turn = loop.create_future()
        self._waiting.setdefault(caller, deque()).append(turn)
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
        while self._left and self._waiting:
            caller = next(iter(self._waiting))
            queue = self._waiting.pop(caller)
            turn = queue.popleft()
            if queue:
                self._waiting[caller] = queue  # behind the others
            if not turn.done():  # else its caller is gone
                turn.set_result(None)
                self._left -= 1
        self._counting = self._left < self._most
        if self._counting:
            asyncio.get_running_loop().call_soon(self._next_round)


def _pieces(message: Message) -> Iterator[Message]:
    whole, more = memoryview(message["body"]), message.get("more_body", False)
    for at in range(0, len(whole), PIECE):
        yield {**message, "body": bytes(whole[at : at + PIECE]), "more_body": more or at + PIECE < len(whole)}
