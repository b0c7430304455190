"""Bytes to text in the charset that a provider names, which may be none, or one that is not known."""

import codecs
from typing import Any

from adapters.reading.bodies import NUL, scrub

#: Codecs of Python that are no charsets: they read escapes, or make code points that no text has.
_NO_CHARSETS = frozenset(
    {"idna", "punycode", "raw-unicode-escape", "unicode-escape", "utf-7", "undefined", "mbcs", "oem"}
)


def decode(data: bytes, charset: Any = None) -> str:
    """The text; UTF-8 where no charset, or none that is known, is named. What is damaged becomes U+FFFD, and so does a
    NUL, which what is encoded may hide from who looks for one in the request."""
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
