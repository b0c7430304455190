"""The names of API keys, where the log has only their ids."""

import re
from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sql import EventStore

#: How the log names an API key on which a consent rests (`app.http.access.Key.basis`), or that has decided on a customer.
_KEY = re.compile(r"key[ :]([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")


async def key_names(store: EventStore, words: Iterable[Any]) -> dict[UUID, str]:
    """Return the names of keys by their ids: one query where some of `words` names a key, else nothing."""
    if not any(isinstance(one, str) and _KEY.fullmatch(one) for one in words):
        return {}
    return {row["id"]: row["name"] for row in await store.api_keys()}


def with_name(word: str | None, names: dict[UUID, str]) -> str | None:
    """Return who did something, an API key with its name where that is known."""
    found = _KEY.fullmatch(word or "")
    name = names.get(UUID(found[1])) if found else None
    return word if name is None else f"key {name} ({found[1] if found else ''})"
