"""Whose data a command that works in the store is about: the client of the API key, as a command that asks the API."""

import hmac
import os
from pathlib import Path

from app.http.access import fingerprint, parts_of
from sql import EventStore

#: The variable that names the key, and the client where neither it nor the command names one.
VARIABLE, DEFAULT = "THREADLINE_API_KEY", "default"


async def client_of(store: EventStore, given: str | None) -> str:
    """The client: that of the key in THREADLINE_API_KEY, else the one that is given, else `default`.

    Ends the command (SystemExit) where the key is not good here, or is another client's than the one that is given: what
    one command does for a client the next would else do for another.
    """
    token = _token()
    if token is None:
        return given or DEFAULT
    parts = parts_of(token)
    row = await store.api_key(parts[0]) if parts else None
    if parts is None or row is None or not hmac.compare_digest(fingerprint(parts[1]), bytes(row["hash"])):
        raise SystemExit(f"{VARIABLE} has no key of this system, so it is not known whose client is meant. Unset it.")
    if row["revoked_at"] is not None:
        raise SystemExit(f"The key in {VARIABLE} was revoked.")
    client: str = row["client_id"]
    if given is not None and given != client:
        raise SystemExit(f"{VARIABLE} is a key of client {client}, not of {given}: unset it, or leave {given} out.")
    return client


def _token() -> str | None:
    said = os.environ.get(VARIABLE, "").strip()
    if not said.startswith("@"):
        return said or None
    try:
        return Path(os.path.expanduser(said[1:])).read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SystemExit(f"{VARIABLE}: {said[1:]} cannot be read ({type(error).__name__}).") from error
