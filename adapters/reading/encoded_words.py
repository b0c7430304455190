"""Decodes the encoded words in a header's value: RFC 2047, with RFC 2231's language, as senders write them.

The standard library's decoder damages a value in which some of the text is already decoded, as in JSON of providers, and a
character that a sender cut into two words.
"""

import re
from binascii import a2b_base64

from adapters.reading.charsets import decode

#: Characters of a value with encoded words that are read.
_MOST = 8000
_WORD = re.compile(r"=\?([^?*\s]{1,40})(?:\*[^?\s]{0,40})?\?([BbQq])\?([^?]*)\?=")
_QUOTED = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_BASE64 = re.compile(rb"[^A-Za-z0-9+/]")
_NUL = re.compile("\x00")


def decode_text(value: object) -> str:
    """Return a header's value with its encoded words decoded; white space between two of them is dropped."""
    text = _NUL.sub("\ufffd", str(value))
    if "=?" not in text or len(text) > _MOST:
        return text
    made: list[str] = []
    run, charset, end = b"", "", 0
    for word in _WORD.finditer(text):
        between = text[end : word.start()]
        joins = end > 0 and not between.strip()
        if not joins or word[1].lower() != charset:  # a character may be cut into two words of one charset
            made.append(decode(run, charset))
            run, charset = b"", word[1].lower()
        if not joins:
            made.append(between)
        run += _bytes_of(word[2], word[3])
        end = word.end()
    return "".join([*made, decode(run, charset), text[end:]])


def _bytes_of(encoding: str, written: str) -> bytes:
    data = written.encode("utf-8", "replace")
    if encoding in "Qq":
        return _QUOTED.sub(lambda found: bytes((int(found[1], 16),)), data.replace(b"_", b" "))
    data = _NOT_BASE64.sub(b"", data)
    data = data[: len(data) - 1] if len(data) % 4 == 1 else data
    return a2b_base64(data + b"=" * (-len(data) % 4))
