"""Wraps keys, and unwraps them: encrypts and decrypts them by a key management service, from which its own key never comes out.

A wrapped key is `transit:` or `kms:` and what the service made of it, and may stand in the settings file.
"""

from typing import Protocol

from app.settings import Settings


class KeysUnavailable(Exception):
    """Keys cannot be wrapped or unwrapped. The message says why and what to do, and holds no key and no token."""


class KeysAway(KeysUnavailable):
    """The service cannot be reached or is not ready; another try may succeed."""


class KeysRefused(KeysUnavailable):
    """The service refuses, or the settings are at fault; another try is useless."""


class Wrapper(Protocol):
    """A key management service."""

    def wrap(self, key: bytes) -> str:
        """Return the wrapped key. Raises KeysAway or KeysRefused."""

    def unwrap(self, wrapped: str) -> bytes:
        """Return the key. Raises KeysAway or KeysRefused."""


def wrapper_of(scheme: str, settings: Settings) -> Wrapper:
    """Return the service with this name, `transit` or `kms`. Raises KeysRefused if it is not configured."""
    # Only who has wrapped keys loads an HTTP client for them.
    from app.keys.kms import KmsWrapper
    from app.keys.transit import TransitWrapper

    if scheme == "transit":
        return TransitWrapper(settings.secrets.transit)
    return KmsWrapper(settings.secrets.kms)
