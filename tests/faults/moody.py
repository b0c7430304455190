"""A simulated provider with moods: it accepts sends, and sometimes refuses, fails, hangs or drops the connection,
before or after it accepted the message. It counts the messages that it accepted, which are those that a customer would
get."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from random import Random
from typing import Self

from adapters.simulating import Call, Refused, Reply, Sent
from app.simulator import api_of
from tests.support.plain_http import read_call, written

#: The moods, and the share of each. The last three leave the caller without an answer although the message was
#: accepted; the answer of "late" comes after the caller's time-out.
MOODS = (
    "too many", "unavailable", "error", "reset before", "slow", "reset after", "late", "half an answer",
)  # fmt: skip

#: Most seconds of a run of refusals.
STORM = 2.0


class Moody:
    """One provider. If it has idempotency keys, a repeat under the same key gets the first answer, and is not accepted
    again."""

    def __init__(self, name: str, settings: Mapping[str, str], *, share: float, seed: int, hang: float = 10.0) -> None:
        self.simulated, self.settings = api_of(name), settings
        self.share, self.hang = share, hang
        self.taken: Counter[str] = Counter()
        self.sent: list[Sent] = []
        self.moods: Counter[str] = Counter()
        self.calls = 0
        self._draw = Random(seed)
        self._storm_ends = 0.0
        self._answers: dict[str, Reply] = {}
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()

    @property
    def url(self) -> str:
        """The URL of its API."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=1024)
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for writer in self._open:
            writer.transport.abort()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        with suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            while await self._exchange(reader, writer):
                pass
        self._open.discard(writer)
        writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        call = await read_call(reader)
        self.calls += 1
        mood = self._mood()
        self.moods[mood] += 1
        if mood == "reset before":
            writer.transport.abort()
            return False
        reply = self._refusal(mood) or self._take(call)
        if mood == "slow":
            await asyncio.sleep(self._draw.uniform(0.1, 0.6))
        if mood == "late":
            await asyncio.sleep(self.hang)
        if mood == "reset after":
            writer.transport.abort()
            return False
        answer = written(reply)
        writer.write(answer[: len(answer) // 2] if mood == "half an answer" else answer)
        await writer.drain()
        return mood != "half an answer"

    def _mood(self) -> str:
        """Draw a mood. Every other refusal for rate starts a run of refusals."""
        now = time.monotonic()
        if now < self._storm_ends:
            return "too many"
        mood = self._draw.choice(MOODS) if self._draw.random() < self.share else "well"
        if mood == "too many" and self._draw.random() < 0.5:
            self._storm_ends = now + self._draw.uniform(0.2, STORM)
        return mood

    def _refusal(self, mood: str) -> Reply | None:
        if mood == "too many":
            refused = self.simulated.refuse("rate")
            refused.headers["retry-after"] = "1"
            return refused
        if mood == "unavailable":
            return self.simulated.refuse("unavailable")
        return Reply(500, b"{}") if mood == "error" else None

    def _take(self, call: Call) -> Reply:
        if self.simulated.look_up is not None:
            found = self.simulated.look_up(call, self.settings, self.sent)
            if found is not None:
                return found
        key = self.simulated.idempotency.key(call) if self.simulated.idempotency is not None else None
        if key is not None and key in self._answers:
            return self._answers[key]
        try:
            sent = self.simulated.accept(call, self.settings, f"{self._draw.getrandbits(128):032x}")
        except Refused as refused:
            reply: Reply = self.simulated.refuse(refused.why)
            return reply
        for one in sent:
            if one.refused:
                continue
            self.taken[one.text or ""] += 1
            self.sent.append(one)
        reply = self.simulated.reply(sent)
        if key is not None:
            self._answers[key] = reply
        return reply
