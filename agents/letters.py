"""Dead letters on Kafka: for each record one on `<topic>.dlq`, its value as it came, headers that say what is wrong."""

import asyncio
from typing import Any

import orjson

from agents.failures import is_permanent
from agents.outcome import stub_of
from sql import DeadLetter

#: Bytes of Kafka's own frame around a record.
FRAME = 512
#: Bytes of the items' reasons that a header has.
ITEMS = 16 << 10


class Letters:
    """Puts dead letters on their topics by Faust's producer; `most` bytes is what those take."""

    def __init__(self, app: Any, most: int) -> None:
        self._app, self._most = app, most

    async def __call__(self, letter: DeadLetter) -> None:
        """Return once Kafka has it. One that does not fit, or that Kafka does not take, goes without its value: the header
        `stub` says so, and `digest` and `size` what it was."""
        if letter.value is None or len(letter.value) + _size(headers_of(letter)) + FRAME > self._most:
            await self._send(stub_of(letter))
            return
        try:
            await self._send(letter)
        except Exception as error:
            if not is_permanent(error):
                raise
            await self._send(stub_of(letter))

    async def _send(self, letter: DeadLetter) -> None:
        topic = self._app.topic(f"{letter.topic}.dlq", value_serializer="raw")
        # Not None: Kafka's client takes no record that has neither key nor value.
        sent = await topic.send(value=letter.value or b"", headers=headers_of(letter))
        try:
            await sent
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            raise TimeoutError("given up by Kafka's client") from None


def headers_of(letter: DeadLetter) -> dict[str, bytes]:
    """What is wrong with which record, in texts of UTF-8."""
    said = {
        "reason": letter.reason,
        "source": letter.source or "",
        "topic": letter.topic,
        "partition": str(letter.partition),
        "offset": str(letter.offset),
        "bad": str(letter.bad),
        "size": str(letter.size),
        "digest": letter.digest.hex() if letter.digest else "",
    }
    if letter.value is None:
        said["stub"] = "true"
    headers = {name: text.encode("utf-8", "replace") for name, text in said.items()}
    if letter.items:
        reasons = orjson.dumps([[one.ordinal, one.reason.encode("utf-8", "replace").decode()] for one in letter.items])
        headers["items"] = reasons if len(reasons) <= ITEMS else b"[]"
    return headers


def _size(headers: dict[str, bytes]) -> int:
    return sum(len(name) + len(value) + 16 for name, value in headers.items())
