"""Encodes the headers of a mail (RFC 5322 section 2.2, RFC 2047).

The standard library decodes encoded words in its input and writes what they contain, line ends too: a subject of
`=?utf-8?q?x=0D=0ABcc:_v@x?=` became a real Bcc line. Here text that is not plain ASCII, or looks like an encoded word, is
itself encoded.
"""

import re
from email.header import Header

#: Characters of a line, and of one word that cannot be broken (RFC 5322 section 2.1.1, without its CRLF).
FOLD_AT, MAX_LINE = 76, 998
_PLAIN = re.compile(r"[ -~]*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")


def encoded(name: str, text: str) -> str:
    """Encode unstructured text (a subject) for the header `name`: printable ASCII as it is, else as encoded words."""
    if _PLAIN.fullmatch(text) and "=?" not in text and all(len(word) < FOLD_AT for word in text.split(" ")):
        return text
    return _words(name, text)


def phrase(text: str) -> str:
    """Encode a display name: as it is, as a quoted string, or as encoded words."""
    if "=?" in text or not _PLAIN.fullmatch(text):
        return _words("From", text)
    if _ATOMS.fullmatch(text):
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def written(name: str, value: str) -> bytes:
    """Return the header's lines, folded at blanks. Raise ValueError if it is not printable ASCII or a word is too long."""
    if not _PLAIN.fullmatch(value):
        raise ValueError(f"the header {name} is not printable ASCII")
    lines, line = [], f"{name}:"
    for word in value.split(" "):
        if len(line) + 1 + len(word) > FOLD_AT and line.strip() and line != f"{name}:" and word:
            lines.append(line)
            line = ""
        line = f"{line} {word}"
    lines.append(line)
    if any(len(each) > MAX_LINE for each in lines):
        raise ValueError(f"the header {name} has a word that is too long")
    return "".join(f"{each}\r\n" for each in lines).encode("ascii")


def _words(name: str, text: str) -> str:
    """Return encoded words separated by blanks, between which `written` folds."""
    made = Header(text, "utf-8", maxlinelen=FOLD_AT, header_name=name).encode(linesep="\n")
    return " ".join(made.split())
