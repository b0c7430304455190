"""Encodes a webhook as a Kafka record: one line of JSON that describes the request, then its body, byte for byte.

A large body is a blob (`webhooks.blobs`): then the head begins with `"blob": {"name", "size"}` and no body follows.

The head is `{"id", "source", "adapter", "client", "method", "url", "headers", "receivedAt", "authentic"}`; the body
follows the first newline unchanged. Secrets are removed from URL and headers (`webhooks.cutting`); signatures stay, so
that they can be verified again. If the trace is sampled, the trace context
travels beside the value, as the Kafka header `traceparent` (W3C Trace Context). The whole value is sealed (`sql.sealed_records`).
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

from sql.sealed_records import is_sealed_large
from webhooks.blobs import NAME, Reference

#: The texts that a head must have, with their maximum lengths in characters.
_TEXTS: dict[str, int] = {
    "id": 36,
    "source": 255,
    "adapter": 255,
    "client": 255,
    "method": 32,
    "url": 1 << 20,
    "receivedAt": 64,
}
#: If all texts together are longer than this, each is checked by itself; and the character that no text may contain.
_SHORT, _NUL, _TEXT = 255, b"\\u0000", frozenset({str})
#: How the record of a webhook begins whose body is a blob; and the largest body that a reference may state, in bytes.
OF_BLOB = b'{"blob":'
_LARGEST = 1 << 30
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
#: A time of receipt must lie between these.
_FIRST, _LAST = datetime(2000, 1, 1, tzinfo=UTC), datetime(2999, 12, 31, tzinfo=UTC)


@dataclass(slots=True)
class Webhook:
    """One received webhook. `id` is a UUID of version 7; `authentic` is None if no secret was configured.

    `adapter` names the adapter that reads it (`envelope` for the JSON wrapper), `client` the client that it belongs to.
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
    #: The reference to the body, if it is kept as a blob; `body` is then empty in a record.
    blob: Reference | None = None


def encode(webhook: Webhook) -> bytes:
    """Return the record's value."""
    head: dict[str, Any] = {} if webhook.blob is None else {"blob": webhook.blob}
    head |= {
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
    return orjson.dumps(head, option=orjson.OPT_UTC_Z) + b"\n" + (webhook.body if webhook.blob is None else b"")


def is_large(record: Any) -> bool:
    """Return whether the body of a Kafka record's webhook is a blob."""
    value = record.value
    return isinstance(value, bytes) and (value.startswith(OF_BLOB) or is_sealed_large(value))


def decode(value: bytes) -> Webhook:
    """Return the webhook in a record's value. Raises ValueError with the reason if there is none."""
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
        _check_texts(head)
    if not _UUID.fullmatch(head["id"]):
        raise ValueError("the record's head has an 'id' that is no UUID")
    headers, authentic = head.get("headers"), head.get("authentic")
    if type(headers) is not dict or not _TEXT.issuperset(map(type, headers.values())):
        raise ValueError("the record's head has 'headers' that are no object of texts")
    if authentic is not None and type(authentic) is not bool:
        raise ValueError("the record's head has an 'authentic' that is not true, false or null")
    blob = _blob(head["blob"]) if "blob" in head else None
    if blob is not None and body:
        raise ValueError("the record has both a body and a reference to one")
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
        blob=blob,
    )


def _blob(given: Any) -> Reference:
    name, size = (given.get("name"), given.get("size")) if type(given) is dict else (None, None)
    if type(name) is not str or not NAME.fullmatch(name) or type(size) is not int or not 0 <= size <= _LARGEST:
        raise ValueError("the record's head has a 'blob' that is not the name and size of a blob")
    return Reference(name, size)


def _check_texts(head: dict[str, Any]) -> None:
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
