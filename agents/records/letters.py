"""Dead letters, one a record: in the database, and on `<topic>.dlq` its value as it came with headers that say what is wrong."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import orjson

from agents.failures import is_permanent
from sql import Bad, DeadLetter

#: Bad items that a dead letter names; characters of a reason, and bytes of an item's JSON, that it keeps.
MOST_ITEMS, REASON, DETAIL = 20, 500, 1024
#: Bytes that it takes at the most beside the record's value.
BESIDE_VALUE = (MOST_ITEMS + 1) * (REASON + DETAIL)
#: Bytes of Kafka's own frame around a record.
FRAME = 512
#: Bytes of the items' reasons that a header has.
ITEMS = 16 << 10


def letter_of(
    record: Any, reason: str, bad: Sequence[Bad] = (), *, detail: Any = None, source: str | None = None,
    webhook_id: str | None = None,
) -> DeadLetter:  # fmt: skip
    """The dead letter of a record, the same at every redelivery. Each of its texts is bounded."""
    value = record.value
    more = f" (and {len(bad) - 1} more of its items)" if len(bad) > 1 else ""
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        webhook_id=webhook_id,
        source=cut(source, 255),
        reason=f"{cut(reason, REASON)}{more}",
        detail=_shown(detail),
        bad=max(1, len(bad)),
        items=[Bad(one.ordinal, one.reason[:REASON], _shown(one.detail)) for one in bad[:MOST_ITEMS]],
        value=value,
        size=len(value or b""),
        digest=None if value is None else sha256(value).digest(),
    )


def stub_of(letter: DeadLetter) -> DeadLetter:
    """The same without what may be at fault: the value, and the items."""
    return replace(letter, value=None, items=[], detail=None)


def size_of(letter: DeadLetter) -> int:
    """About the bytes that a letter takes."""
    return len(letter.value or b"") + (DETAIL + REASON) * (1 + len(letter.items))


def _shown(detail: Any) -> Any:
    """An item as the dead letter keeps it, beside the value that holds it: whole where it is small, else its beginning."""
    if detail is None:
        return None
    try:
        data = orjson.dumps(detail)
    except TypeError:
        return None
    return detail if len(data) <= DETAIL else data[:DETAIL].decode("utf-8", "replace")


def cut(text: str | None, most: int) -> str | None:
    """The text, or its beginning where it has more than `most` characters."""
    return text if text is None or len(text) <= most else text[: most - 1] + "…"


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
