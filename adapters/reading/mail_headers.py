"""A mail's headers as they are written (RFC 5322 section 2.2, RFC 2047).

The library's own way reads encoded words in what it is given and writes what they hold, line ends too: a subject of
`=?utf-8?q?x=0D=0ABcc:_v@x?=` became a real Bcc line. Here a text is always a text: where it is not plain ASCII, or looks
like an encoded word, it is encoded itself.
"""

import re
from email.header import Header

#: Characters of a line, and of one word that cannot be broken (RFC 5322 section 2.1.1, without its CRLF).
FOLD_AT, MAX_LINE = 76, 998
_PLAIN = re.compile(r"[ -~]*")
_ATOMS = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~ -]*")


def encoded(name: str, text: str) -> str:
    """Unstructured text (a subject), as it stands after `name: `: itself where it is printable ASCII, else encoded words."""
    if _PLAIN.fullmatch(text) and "=?" not in text and all(len(word) < FOLD_AT for word in text.split(" ")):
        return text
    return _words(name, text)


def phrase(text: str) -> str:
    """A display name: itself, a quoted string, or encoded words."""
    if "=?" in text or not _PLAIN.fullmatch(text):
        return _words("From", text)
    if _ATOMS.fullmatch(text):
        return text
    return '"' + re.sub(r'(["\\])', r"\\\1", text) + '"'


def written(name: str, value: str) -> bytes:
    """The header's lines, folded at blanks. Raises ValueError for what is not printable ASCII or has a word too long."""
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
    """Encoded words, one blank apart: `written` folds between them."""
    made = Header(text, "utf-8", maxlinelen=FOLD_AT, header_name=name).encode(linesep="\n")
    return " ".join(made.split())
