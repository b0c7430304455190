"""Makes dead letters, one per record, and publishes them on `<topic>.dlq`: the record's value with headers that give the
reason."""

import asyncio
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from typing import Any

import orjson

from agents.failures import is_permanent
from agents.records.shape import shape_of
from sql import Bad, DeadLetter, Replayed
from sql.hour_keys import HourKeys
from sql.hours import HoursStore
from sql.letters import general_of
from sql.sealed_records import OVERHEAD
from webhooks.cancelled import pass_on

#: Bad items that a dead letter lists; the characters of a reason and the bytes of an item's JSON that it keeps.
MOST_ITEMS, REASON, DETAIL = 20, 500, 1024
#: The most bytes that a dead letter takes beside the record's value.
BESIDE_VALUE = (MOST_ITEMS + 1) * (REASON + DETAIL)
#: The most bytes of the header `items`.
ITEMS = 16 << 10
#: Bytes of Kafka's framing of a record, and of what sealing its headers adds: base64 of them, and the reason in its general form.
FRAME = 512 + OVERHEAD + 4 * REASON + ITEMS // 2


def letter_of(
    record: Any, reason: str, bad: Sequence[Bad] = (), *, detail: Any = None, source: str | None = None,
    webhook_id: str | None = None, client: str | None = None, replay: Replayed | None = None,
) -> DeadLetter:  # fmt: skip
    """Return the dead letter of a record, the same at every redelivery. Each of its texts has a maximum length."""
    value = record.value
    more = f" (and {len(bad) - 1} more of its items)" if len(bad) > 1 else ""
    return DeadLetter(
        topic=record.topic,
        partition=record.partition,
        offset=record.offset,
        webhook_id=webhook_id,
        source=cut(source, 255),
        reason=f"{cut(reason, REASON)}{more}",
        detail=_excerpt(detail),
        bad=max(1, len(bad)),
        items=[Bad(one.ordinal, one.reason[:REASON], _excerpt(one.detail)) for one in bad[:MOST_ITEMS]],
        value=value,
        size=len(value or b""),
        digest=None if value is None else sha256(value).digest(),
        client=cut(client, 255),
        shape=shape_of(record.topic, value),
        replay_of=None if replay is None else replay.id,
    )


def stub_of(letter: DeadLetter) -> DeadLetter:
    """Return the letter without the parts that may be too large or invalid: the value and the items."""
    return replace(letter, value=None, items=[], detail=None)


def size_of(letter: DeadLetter) -> int:
    """Return the approximate size of a letter in bytes."""
    return len(letter.value or b"") + (DETAIL + REASON) * (1 + len(letter.items))


def _excerpt(detail: Any) -> Any:
    """Return an item as the dead letter keeps it: whole if it is small, else its beginning as text."""
    if detail is None:
        return None
    try:
        data = orjson.dumps(detail)
    except TypeError:
        return None
    return detail if len(data) <= DETAIL else data[:DETAIL].decode("utf-8", "replace")


def cut(text: str | None, most: int) -> str | None:
    """Return the text, cut to `most` characters."""
    return text if text is None or len(text) <= most else text[: most - 1] + "…"


class Letters:
    """Publishes dead letters with Faust's producer. `most` is the largest record, in bytes, that their topics accept; `store` has the
    keys that seal them."""

    def __init__(self, app: Any, most: int, store: HoursStore) -> None:
        self._app, self._most, self._store = app, most, store

    async def __call__(self, letter: DeadLetter) -> None:
        """Publish a letter and return once Kafka has it. If it is too large, or Kafka rejects it, publish it without its value:
        the header `stub` marks that, and `digest` and `size` describe the value."""
        await self._store.keys_ready("dlq")
        if letter.value is None or len(letter.value) + _size(headers_of(letter)) + OVERHEAD + FRAME > self._most:
            await self._send(stub_of(letter))
            return
        try:
            await self._send(letter)
        except Exception as error:
            pass_on(error)
            if not is_permanent(error):
                raise
            await self._send(stub_of(letter))

    async def _send(self, letter: DeadLetter) -> None:
        name = f"{letter.topic}.dlq"
        value, headers = sealed(letter, name, self._store.hours)
        sent = await self._app.topic(name, value_serializer="raw").send(value=value, headers=headers)
        try:
            await sent
        except asyncio.CancelledError:
            if (task := asyncio.current_task()) is not None and task.cancelling():
                raise
            raise TimeoutError("cancelled by aiokafka") from None


def sealed(letter: DeadLetter, topic: str, hours: HourKeys) -> tuple[bytes, dict[str, bytes]]:
    """Return value and headers of a letter on this topic. If dead letters are sealed, the header `sealed` has the reasons, which may quote
    the record, and the header `reason` has the reason's general form. Raises NoKey."""
    headers, place = headers_of(letter), topic.encode()
    # Not None: aiokafka refuses a record with neither key nor value.
    value = letter.value or b""
    if not hours.seals("dlq"):
        return value, headers
    quoting = {name: headers.pop(name).decode() for name in ("reason", "items") if name in headers}
    headers["reason"] = general_of(letter.reason).encode("utf-8", "replace")
    headers["sealed"] = b64encode(hours.seal("dlq", place + b" headers", orjson.dumps(quoting)))
    return hours.seal("dlq", place, value) if value else value, headers


def headers_of(letter: DeadLetter) -> dict[str, bytes]:
    """Return the headers that name the record and the reason, in UTF-8."""
    texts = {
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
        texts["stub"] = "true"
    headers = {name: text.encode("utf-8", "replace") for name, text in texts.items()}
    if letter.items:
        reasons = orjson.dumps([[one.ordinal, one.reason.encode("utf-8", "replace").decode()] for one in letter.items])
        headers["items"] = reasons if len(reasons) <= ITEMS else b"[]"
    return headers


def _size(headers: dict[str, bytes]) -> int:
    return sum(len(name) + len(value) + 16 for name, value in headers.items())
