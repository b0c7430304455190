"""Makes the receipt of an erasure, and checks one. Pure.

It names random ids, counts and times: nothing in it leads to the person.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from app.erasing.asking import to_ask
from app.erasing.dates import unreadable_by
from app.erasing.signed import Document, check, signed
from app.settings import Settings
from sql.holdings import Holding

_LABEL = b"threadline receipt of an erasure 1"


def receipt_of(
    erasure: Mapping[str, Any],
    after: Mapping[str, int],
    holdings: Sequence[Holding],
    settings: Settings,
    now: datetime,
    key: Ed25519PrivateKey | None,
) -> Document:
    """Return the signed receipt of an erasure whose rows are gone. `after`: the rows of each store now; `holdings`:
    when the customer had addresses whose keys stay."""
    before = erasure["before"] | {"deadLetters": erasure["letters"]}
    left = {**after, "deadLetters": 0}
    adapters = {name: source.adapter or name for name, source in settings.sources.items()}
    document = {
        "version": 1,
        "erasureId": erasure["id"],
        "clientId": erasure["client_id"],
        "customerId": erasure["customer_id"],
        "requestedAt": erasure["requested_at"],
        "fencedAt": erasure["fenced_at"],
        "destroyedAt": erasure["destroyed_at"],
        "completedAt": now,
        "fence": {"transaction": erasure["fence_xid"]},
        "keysDestroyed": erasure["handles"],
        "handlesKept": erasure["kept"],
        "emptied": [{"handleId": each.handle, "from": each.since, "to": each.until} for each in holdings],
        "rows": {store: {"before": rows, "after": left.get(store, 0)} for store, rows in before.items()},
        "shared": {"interactions": erasure["shared"], "eventsOfNobody": erasure["nobodys"]},
        "archive": erasure["archive"],
        "suppressions": erasure["suppressed"],
        "unreadableBy": unreadable_by(
            settings, erasure["fenced_at"], erasure["destroyed_at"], now if holdings else None
        ),
        "providers": to_ask(erasure["providers"], adapters, erasure["asked"]),
    }
    return signed(_LABEL, document, key)


def digest_of(receipt: Document) -> str:
    """Return the SHA-256 of a receipt, hexadecimal, which CustomerErased has."""
    return sha256(orjson.dumps(receipt, option=orjson.OPT_SORT_KEYS)).hexdigest()


def read_receipt(text: bytes, keys: Sequence[Ed25519PublicKey]) -> Document:
    """Return a receipt that one of the keys signed. Raises ValueError, with a message for people."""
    receipt = receipt_in(text)
    check_receipt(receipt, keys)
    return receipt


def check_receipt(receipt: Document, keys: Sequence[Ed25519PublicKey]) -> None:
    """Check that one of the keys signed a receipt. Raises ValueError, with a message for people."""
    check(_LABEL, receipt, keys)


def receipt_in(text: bytes) -> Document:
    """Return the receipt that a text has, whoever signed it. Raises ValueError, with a message for people."""
    try:
        read = orjson.loads(text)
    except ValueError as error:
        raise ValueError("it is no JSON") from error
    if not isinstance(read, dict) or "erasureId" not in read:
        raise ValueError("it is no receipt of an erasure")
    return read
