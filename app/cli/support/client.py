"""The client (tenant) on whose data a command works that reads the database directly."""

import hmac
import os
from pathlib import Path

from app.http.scopes import ALL_CLIENTS
from app.http.tokens import fault_of, fingerprint, id_of
from sql import EventStore

#: The variable with the API key, and the client id where neither the key nor an option names one.
VARIABLE, DEFAULT = "THREADLINE_API_KEY", "default"


async def client_of(store: EventStore, given: str | None) -> str:
    """Return the client id of the key in THREADLINE_API_KEY, else `given`, else `default`.

    Ends the command (SystemExit) where the key is not valid here, or belongs to another client than `given`: so that no
    two commands under one key work on different clients.
    """
    token = _token()
    if token is None:
        return given or DEFAULT
    row = None if fault_of(token) else await store.api_key(id_of(token))
    if row is None or not hmac.compare_digest(fingerprint(token), bytes(row["hash"])):
        raise SystemExit(f"{VARIABLE} is not a key of this system, so the client is not known. Unset it.")
    if row["revoked_at"] is not None:
        raise SystemExit(f"The key in {VARIABLE} was revoked.")
    client: str = row["client_id"]
    if client == ALL_CLIENTS:
        return given or DEFAULT
    if given is not None and given != client:
        raise SystemExit(f"{VARIABLE} is a key of client {client}, not of {given}: unset it, or leave {given} out.")
    return client


def _token() -> str | None:
    value = os.environ.get(VARIABLE, "").strip()
    if not value.startswith("@"):
        return value or None
    try:
        return Path(os.path.expanduser(value[1:])).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"{VARIABLE}: {value[1:]} cannot be read ({type(error).__name__}).") from error
