"""Describes the form of a record's body, by which dead letters are grouped: its kind, and the names of its members, never a
value."""

import re
from typing import Any

import orjson

from webhooks.record import OF_BLOB

#: Bytes of a body that is parsed, names that are listed, and characters of a shape.
PARSED, NAMES, MOST = 64 << 10, 24, 300
_NAME = re.compile(r"[A-Za-z_$@][A-Za-z0-9_.$@:\[\]-]{0,47}")
_FORM = re.compile(rb"[A-Za-z0-9_.%+\[\]-]{1,200}=[^&\s]*(?:&[A-Za-z0-9_.%+\[\]-]{1,200}=[^&\s]*)*")


def shape_of(topic: str, value: bytes | None) -> str | None:
    """Return the form of a record's body; None if it has no value. Of a webhook, the head before the body is left out."""
    if value is None:
        return None
    body = value.partition(b"\n")[2] if topic.startswith("webhooks.") else value
    if value.startswith(OF_BLOB):
        return "large"
    if not body:
        return "empty"
    if len(body) > PARSED:
        return "large"
    try:
        return _of_json(orjson.loads(body))[:MOST]
    except orjson.JSONDecodeError:
        pass
    if _FORM.fullmatch(body):
        return f"form: {_listed({part.partition(b'=')[0].decode('ascii') for part in body.split(b'&')})}"[:MOST]
    return "text" if body.isascii() and b"\0" not in body else "binary"


def _of_json(document: Any) -> str:
    if isinstance(document, dict):
        return f"object: {_listed(set(document))}"
    if isinstance(document, list):
        return f"list of {_of_json(document[0])}" if document and isinstance(document[0], dict) else "list"
    return "JSON value"


def _listed(names: set[str]) -> str:
    """Return names in order; a name that may be a value, such as an address or a number, becomes `…`."""
    plain = sorted({name if _NAME.fullmatch(name) and "@" not in name[1:] else "…" for name in names})
    return ", ".join(plain[:NAMES]) + (", …" if len(plain) > NAMES else "")
