"""Signs documents with the key of the audit's anchors (Ed25519), and checks such signatures. Pure.

What is signed is a label, which says what the document is, and the document as JSON with sorted keys and without spaces, less its
members `publicKey` and `signature`.
"""

import base64
from collections.abc import Sequence
from typing import Any

import orjson
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.auditing.anchors import public_text

Document = dict[str, Any]
_MARKS = ("publicKey", "signature")


def content_of(label: bytes, document: Document) -> bytes:
    """Return what is signed. Raises TypeError for what JSON does not have."""
    bare = {name: value for name, value in document.items() if name not in _MARKS}
    return label + b"\0" + orjson.dumps(bare, option=orjson.OPT_SORT_KEYS)


def signed(label: bytes, document: Document, key: Ed25519PrivateKey | None) -> Document:
    """Return the document with `publicKey` and `signature`; both null without a key."""
    bare: Document = orjson.loads(orjson.dumps(document, option=orjson.OPT_UTC_Z))
    if key is None:
        return bare | dict.fromkeys(_MARKS)
    signature = base64.b64encode(key.sign(content_of(label, bare))).decode()
    return bare | {"publicKey": public_text(key), "signature": signature}


def check(label: bytes, document: Document, keys: Sequence[Ed25519PublicKey]) -> None:
    """Check that one of the keys signed the document. Raises ValueError, with a message for people."""
    if document.get("signature") is None:
        raise ValueError("it is not signed: audit.key was not set when it was made")
    try:
        content, signature = content_of(label, document), base64.b64decode(document["signature"], validate=True)
    except (TypeError, ValueError) as error:
        raise ValueError("its signature is damaged") from error
    for key in keys:
        try:
            key.verify(signature, content)
        except InvalidSignature:
            continue
        return
    raise ValueError("its signature is not by a key that was given: it was changed, or signed with another key")
