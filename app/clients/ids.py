"""The rule of clients' ids. Pure."""

import re

from app.http.scopes import ALL_CLIENTS

#: No control characters, no white space at its ends, no slash (it stands in paths).
_ID = re.compile(r"(?!\s)[^\x00-\x1f\x7f/\ud800-\udfff]{1,128}(?<!\s)")
#: The rule in words.
RULE = f"a client's id has 1 to 128 characters, no slash and no control characters in it, and is not {ALL_CLIENTS}"


def is_client_id(text: str) -> bool:
    """Return whether a text can be a client's id."""
    return text != ALL_CLIENTS and _ID.fullmatch(text) is not None
