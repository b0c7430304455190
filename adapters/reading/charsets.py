"""Decodes bytes in the charset that a provider names, which may be missing or unknown."""

import codecs
from typing import Any

from adapters.reading.bodies import NUL, scrub

#: Codecs of Python that are no charsets: they read escapes, or make code points that no text has.
_NO_CHARSETS = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7", "undefined", "mbcs", "oem"}
)


def decode(data: bytes, charset: Any = None) -> str:
    """Return the decoded text; as UTF-8 if the charset is missing or unknown. Invalid bytes become U+FFFD, and so does a
    NUL, which an encoding may hide from a check of the request."""
    name = "utf-8"
    if isinstance(charset, str) and charset and len(charset) <= 40:
        try:
            found = codecs.lookup(charset)
            if found.name.replace("_", "-") not in _NO_CHARSETS and found._is_text_encoding:
                name = found.name
        except (LookupError, ValueError):
            name = "utf-8"
    text = data.decode(name, "replace")
    cleaned: str = scrub(scrub(text), NUL)
    return cleaned
