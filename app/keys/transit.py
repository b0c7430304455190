"""Wraps keys by the secrets engine Transit of OpenBao or Vault: https://openbao.org/api-docs/secret/transit/.

A token needs the capability `update` on `MOUNT/encrypt/KEY` (to wrap) and on `MOUNT/decrypt/KEY`.
"""

import base64
import binascii
from pathlib import Path
from typing import Any

import orjson

from app.keys.calls import post, whole
from app.keys.wrapping import KeysAway, KeysRefused
from app.settings import Transit

_WHAT = "OpenBao or Vault (secrets.transit)"
_SCHEME = "transit:"
#: Statuses after which another try may succeed: overloaded, sealed or a standby, and any failure of the server's own.
_LATER = frozenset({412, 429, 472, 473})


class TransitWrapper:
    """Wraps and unwraps by one key of Transit, each by one call, and one more to log in by AppRole."""

    def __init__(self, transit: Transit) -> None:
        if transit.address is None:
            raise KeysRefused("secrets.transit.address is not set")
        self._transit, self._url = transit, f"{transit.address.rstrip('/')}/v1/"

    def wrap(self, key: bytes) -> str:
        """Return the wrapped key. Raises KeysAway or KeysRefused."""
        found = self._call("encrypt", {"plaintext": base64.b64encode(key).decode()}).get("ciphertext")
        if not isinstance(found, str):
            raise KeysRefused(f"{_WHAT} answers without a ciphertext: check secrets.transit.address")
        return _SCHEME + found

    def unwrap(self, wrapped: str) -> bytes:
        """Return the key. Raises KeysAway or KeysRefused."""
        found = self._call("decrypt", {"ciphertext": wrapped.removeprefix(_SCHEME)}).get("plaintext")
        try:
            return whole(base64.b64decode(found, validate=True) if isinstance(found, str) else None, _WHAT)
        except binascii.Error:
            return whole(None, _WHAT)

    def _call(self, operation: str, body: dict[str, Any]) -> dict[str, Any]:
        transit = self._transit
        path = f"{transit.mount}/{operation}/{transit.key}"
        hint = {
            400: f"the key {transit.key} of Transit has not wrapped it, or is of another type or version: check "
            "secrets.transit.key and secrets.wrapped",
            403: f"the token is not valid any more, or its policy lacks the capability update on {path}",
            404: f"there is no {path}: check secrets.transit.mount and secrets.transit.key",
        }
        found = self._post(path, self._token(), body, hint).get("data")
        return found if isinstance(found, dict) else {}

    def _token(self) -> str:
        """Return a token: that of the file, read anew as an agent renews it, or of a log-in. Raises KeysAway or KeysRefused."""
        transit = self._transit
        if transit.role_id is None:
            return _read(transit.token_file, "secrets.transit.token_file")
        body = {
            "role_id": transit.role_id,
            "secret_id": _read(transit.secret_id_file, "secrets.transit.secret_id_file"),
        }
        path = f"auth/{transit.approle}/login"
        hint = dict.fromkeys(
            (400, 403, 404), "AppRole refuses: check secrets.transit.role_id, secret_id_file and approle"
        )
        auth = self._post(path, "", body, hint).get("auth")
        token = auth.get("client_token") if isinstance(auth, dict) else None
        if not isinstance(token, str):
            raise KeysRefused(f"{_WHAT} answers a log-in without a token: check secrets.transit.approle")
        return token

    def _post(self, path: str, token: str, body: dict[str, Any], hint: dict[int, str]) -> dict[str, Any]:
        headers = {"content-type": "application/json", "x-vault-request": "true"}
        headers |= {"x-vault-token": token} if token else {}
        status, answer = post(self._url + path, headers, orjson.dumps(body), _WHAT, self._transit.ca_file)
        if status == 200:
            return answer
        if status >= 500 or status in _LATER:
            sealed = ": it is sealed, or a standby without a leader" if status == 503 else ""
            raise KeysAway(f"{_WHAT} answers {status}{sealed}")
        raise KeysRefused(f"{_WHAT} answers {status}: {hint.get(status, 'check secrets.transit.address')}")


def _read(file: Path | None, setting: str) -> str:
    try:
        text = file.read_text("ascii").strip() if file is not None else ""
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not ASCII"
        raise KeysRefused(f"{setting} cannot be read: {why}") from error
    if not text or not text.isprintable():
        raise KeysRefused(f"{setting} is empty, or has more than one line")
    return text
