"""Makes the digest by which settings in force are compared without being shown: of two processes, or of a process and the
file. It covers what is reloaded (`app.settings.reloaded`), as other settings differ between processes of one installation.

A digest of a short secret could be reversed by trying secrets, since `/healthz` needs no key. So it is an HMAC under a key
of the operator's: the first of the keys that encrypt, 256 random bits. Without such a key, which only a command may lack,
secrets count only as set or not set.
"""

import hmac
import json
from hashlib import sha256
from typing import Any

from adapters.checked import public_names
from app.keys import keys_of
from app.settings import Settings, Source
from app.settings.reloaded import SOURCES, flat, is_reloaded

#: Separates this use of the key from its others.
_PURPOSE = b"threadline digest of the settings in force"


def digest(settings: Settings) -> str:
    """Return the digest of the settings that are reloaded: 16 hexadecimal digits. Raises KeysUnavailable."""
    keys = keys_of(settings)
    values: dict[str, Any] = {
        ".".join(path): value for path, value in flat(settings).items() if is_reloaded(path) and path[0] != SOURCES
    }
    values[SOURCES] = {name: _source(settings, name, secrets=bool(keys)) for name in settings.sources}
    # Not orjson, which refuses numbers beyond 64 bits and texts that are not UTF-8: both are valid settings.
    text = json.dumps(values, sort_keys=True, default=str).encode()
    key = keys[0] if keys else b""
    return hmac.new(hmac.digest(key, _PURPOSE, "sha256"), text, sha256).hexdigest()[:16]


def _source(settings: Settings, name: str, *, secrets: bool) -> dict[str, Any]:
    """Return a source with or without its secrets. Its URL counts as one, since it may have a user and a password."""
    source, adapter = settings.sources[name], settings.adapter_of(name)
    fields = {each: getattr(source, each) for each in Source.model_fields}
    if secrets:
        return fields | {"values": source.values}
    public = public_names(adapter) if adapter is not None else frozenset()
    given = {key: value if key in public else True for key, value in source.values.items()}
    return fields | {"url": source.url is not None, "values": given}
