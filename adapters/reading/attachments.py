"""Finds an attachment's bytes in the webhook that brought it, whoever the provider: a file of a multipart form, a part of a
raw mail, or base64 or text in JSON. A file is found by its digest, so that none can be mistaken for another.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.bodies import form_of, parse_json
from adapters.reading.mime_parts import base64_of, body_of, leaves_of
from adapters.reading.multipart import parts_of

#: Levels of JSON within a text of JSON, as Amazon SNS has them.
_MOST_LEVELS = 4
#: Bytes of a mail's first line within which a header's colon stands.
_FIRST = 200


def attachment(request: Request, size: int, digest: str) -> bytes | None:
    """Return the attachment of this size (bytes) and SHA-256 (hexadecimal), or None if the webhook has none such."""
    return next((data for data in _carried(request) if len(data) == size and sha256(data).hexdigest() == digest), None)


def _carried(request: Request) -> Iterator[bytes]:
    """Yield whatever in the request may be an attachment."""
    kind = request.headers.get("content-type", "").lower()
    try:
        if kind.startswith("multipart/form-data"):
            for part in parts_of(request):
                yield part.data
                if part.filename is None:
                    yield from _of_text(part.data, 0)
        elif kind.startswith("application/x-www-form-urlencoded"):
            for _, value in form_of(request):
                yield from _of_text(value.encode("utf-8", "replace"), 0)
        else:
            yield from _of_text(request.body, 0)
    except Unprocessable:
        return


def _of_text(data: bytes, level: int) -> Iterator[bytes]:
    """Yield what a text may hold: itself, JSON, a raw mail, or either of these in base64."""
    yield data
    if data[:1] in (b"{", b"["):
        if level < _MOST_LEVELS:
            try:
                yield from _of_json(parse_json(data), level + 1)
            except Unprocessable:
                return
        return
    if b":" in data[:_FIRST]:
        yield from _of_mail(data)
    elif (decoded := base64_of(data)) is not None:
        yield decoded
        if b":" in decoded[:_FIRST]:
            yield from _of_mail(decoded)


def _of_json(value: Any, level: int) -> Iterator[bytes]:
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, str):
            yield from _of_text(one.encode("utf-8", "replace"), level)
        elif isinstance(one, dict):
            left.extend(one.values())
        elif isinstance(one, list):
            left.extend(one)


def _of_mail(data: bytes) -> Iterator[bytes]:
    for leaf in leaves_of(data):
        if (body := body_of(data, leaf)) is not None:
            yield body
