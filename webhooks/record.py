"""A webhook on Kafka: one line of JSON that says how it came, then its body, byte for byte.

The head is `{"id", "source", "adapter", "client", "method", "url", "headers", "receivedAt", "authentic"}`; the body
follows the first newline unchanged, so that a signature can be checked again. Headers that carry credentials
(`DROPPED_HEADERS`) are left out: nothing that was sent to authenticate a caller is kept. The trace context travels
beside it, as the Kafka header `traceparent` (W3C Trace Context), only where the trace is sampled.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

DROPPED_HEADERS = frozenset({"authorization", "cookie", "proxy-authorization"})

#: What the head must say, each with its most characters. The store indexes none of them by itself, but each event has them.
_TEXTS: dict[str, int] = {
    "id": 36,
    "source": 255,
    "adapter": 255,
    "client": 255,
    "method": 32,
    "url": 1 << 20,
    "receivedAt": 64,
}
#: Characters that all of them may have together before each is looked at, and the one that none may have.
_SHORT, _NUL, _TEXT = 255, b"\\u0000", frozenset({str})
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: A receipt outside of these is that of no door's clock, and PostgreSQL's time has no year 0.
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)


@dataclass(slots=True)
class Webhook:
    """One received webhook. `id` is ours (a UUID, version 7); `authentic` is None where nothing was there to check.

    `adapter` names the module that reads it (`envelope` for the JSON wrapper), `client` whose it is.
    """

    id: str
    source: str
    adapter: str
    client: str
    method: str
    url: str
    headers: dict[str, str]
    received_at: datetime
    authentic: bool | None
    body: bytes


def encode(webhook: Webhook) -> bytes:
    """The record's value."""
    head = {
        "id": webhook.id,
        "source": webhook.source,
        "adapter": webhook.adapter,
        "client": webhook.client,
        "method": webhook.method,
        "url": webhook.url,
        "headers": webhook.headers,
        "receivedAt": webhook.received_at,
        "authentic": webhook.authentic,
    }
    return orjson.dumps(head, option=orjson.OPT_UTC_Z) + b"\n" + webhook.body


def decode(value: bytes) -> Webhook:
    """The webhook of a record's value. Raises ValueError (with its reason) where the value is not one."""
    line, newline, body = value.partition(b"\n")
    if not newline:
        raise ValueError("the record has no head line")
    try:
        head = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"the record's head is no JSON: {error}") from error
    if not isinstance(head, dict):
        raise ValueError("the record's head is no JSON object")
    texts: list[Any] = [head.get(name) for name in _TEXTS]
    if set(map(type, texts)) != _TEXT or not all(texts) or len("".join(texts)) > _SHORT or _NUL in line:
        _look(head)
    if not _UUID.fullmatch(head["id"]):
        raise ValueError("the record's head has an 'id' that is no UUID")
    headers, authentic = head.get("headers"), head.get("authentic")
    if type(headers) is not dict or not _TEXT.issuperset(map(type, headers.values())):
        raise ValueError("the record's head has as 'headers' no object of texts")
    if authentic is not None and type(authentic) is not bool:
        raise ValueError("the record's head has as 'authentic' neither true, false nor null")
    return Webhook(
        id=head["id"],
        source=head["source"],
        adapter=head["adapter"],
        client=head["client"],
        method=head["method"],
        url=head["url"],
        headers=headers,
        received_at=_time(head["receivedAt"]),
        authentic=authentic,
        body=body,
    )


def _look(head: dict[str, Any]) -> None:
    for name, longest in _TEXTS.items():
        text = head.get(name)
        if type(text) is not str or not text or len(text) > longest or "\0" in text:
            raise ValueError(f"the record's head has as {name!r} no text of 1 to {longest} characters")


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is not None and _FIRST <= at <= _LAST:
            return at
    except (ValueError, OverflowError):
        pass
    raise ValueError("the record's head has a 'receivedAt' that is no time with its offset, from 2000 to 2999")
