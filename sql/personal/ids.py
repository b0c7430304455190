"""Masks ids of providers that have the customer's address in them: as it is (`telegram` chats), or encoded (WhatsApp's). Pure."""

import re
from base64 import b64decode
from collections.abc import Collection, Iterable, Mapping
from typing import Any

DOTS = "•••"
#: Fewest characters of an address that is looked for: a shorter one is found by chance.
_LEAST = 5
#: Ids of WhatsApp begin so, and hold the number: https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components
_ENCODED = "wamid."
_BASE64 = re.compile(r"[A-Za-z0-9+/_-]{12,}")


def bare(addresses: Iterable[str]) -> frozenset[str]:
    """Return addresses as they stand in ids: without a plus or the word of a platform, in lower case."""
    found = (each.rpartition(":")[2].lstrip("+").lower() for each in addresses)
    return frozenset(each for each in found if len(each) >= _LEAST)


def mask_ids(value: Any, addresses: Collection[str]) -> Any:
    """Return a value with the texts in it masked in which one of the bare addresses stands."""
    if isinstance(value, str):
        return f"{DOTS}{value[-2:]}" if _holds(value, addresses) else value
    if isinstance(value, Mapping):
        return {name: mask_ids(one, addresses) for name, one in value.items()}
    return [mask_ids(one, addresses) for one in value] if isinstance(value, list) else value


def _holds(text: str, addresses: Collection[str]) -> bool:
    if _ENCODED in text:
        return True
    lower = text.lower()
    return any(each in lower for each in addresses) or any(
        each.encode() in _decoded(run).lower() for run in _BASE64.findall(text) for each in addresses
    )


def _decoded(run: str) -> bytes:
    whole = run[: len(run) - (len(run) % 4 == 1)]
    return b64decode(whole.translate(str.maketrans("-_", "+/")) + "=" * (-len(whole) % 4))
