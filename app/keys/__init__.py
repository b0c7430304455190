"""Gives the keys of the settings to the code that encrypts with them. Wrapped ones are unwrapped once in a process, and kept in
its memory only."""

import base64

from app.keys.wrapping import KeysUnavailable, wrapper_of
from app.settings import Settings
from sql.sealing import Seal

__all__ = ["KeysUnavailable", "keys_of", "seal_of", "unwrapped"]

#: The keys that this process has unwrapped, by their wrapped form.
_UNWRAPPED: dict[str, bytes] = {}


def keys_of(settings: Settings) -> list[bytes]:
    """Return the keys of the settings, the one that encrypts first. Raises KeysUnavailable if one has to be unwrapped and cannot
    be."""
    keys = [unwrapped(wrapped, settings) for wrapped in settings.secrets.wrapped]
    keys += [base64.b64decode(key.get_secret_value()) for key in settings.secrets.keys]
    return list(dict.fromkeys(keys))


def unwrapped(wrapped: str, settings: Settings) -> bytes:
    """Return a key of `secrets.wrapped`, by one call at the first time. Raises KeysUnavailable."""
    if wrapped not in _UNWRAPPED:
        _UNWRAPPED[wrapped] = wrapper_of(wrapped.partition(":")[0], settings).unwrap(wrapped)
    return _UNWRAPPED[wrapped]


def seal_of(settings: Settings) -> Seal:
    """Return a Seal with the keys of the settings; without a key, its methods raise NoKey. Raises KeysUnavailable."""
    return Seal(keys_of(settings))
