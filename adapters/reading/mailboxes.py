"""Reads the mailboxes of a header or a JSON value: names, quotes, comments, groups and encoded words (RFC 5322 section 3.4).

Providers write one recipient in several ways: `ana@example.com`, `"López, Ana" <Ana@Example.com>`, `{"email": …}`.
Each is read in one pass, as anyone can send a header made to take long.
"""

import re
from collections.abc import Iterator
from typing import Any

from adapters.reading.encoded_words import decode_text

#: Characters of a header that are read, and mailboxes in it.
_MOST, MOST_MAILBOXES = 64 << 10, 1000
#: Characters of one mailbox with its name and comments; of a longer one the last address in angle brackets is read.
_MOST_OF_ONE = 2000
_MOST_COMMENTS = 20
_PIECE = re.compile(r'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|<[^<>]*>|\[[^\[\]]*\]|[(),:;]|[^"<(),:;\[]+|.', re.DOTALL)
#: What follows a quote that does not close.
_PLAIN_PIECE = re.compile(r"<[^<>]*>|[(),:;]|[^<(),:;]+|.", re.DOTALL)
_CLOSED = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
#: Keys of an object that holds an address, as providers name them.
_ADDRESS_KEYS = ("email", "Email", "emailAddress", "address", "Address")


def mailboxes(written: str) -> list[tuple[str, str]]:
    """Return the name and the address of each mailbox in a header, groups taken apart; a name or address that is missing is
    empty. An address is returned as it was written."""
    found: list[tuple[str, str]] = []
    words: list[str] = []
    comments: list[str] = []
    angle: str | None = None
    depth, addressed = 0, False
    for piece in _pieces(written[:_MOST]):
        if piece == "(" or depth:
            depth += {"(": 1, ")": -1}.get(piece, 0)
            if piece not in "()":
                comments.append(piece)
        elif piece[0] == "<" and piece[-1] == ">":
            angle = piece[1:-1].rpartition(":")[2].strip()
        elif piece == ":" and angle is None and not addressed:
            words.clear()  # a group's name
        elif piece in ",;":
            found += _mailbox(words, comments, angle)
            words, comments, angle, addressed = [], [], None, False
        else:
            words.append(piece)
            addressed = addressed or "@" in piece
    return (found + _mailbox(words, comments, angle))[:MOST_MAILBOXES]


def mailbox_of(written: str) -> tuple[str, str]:
    """Return the name and the address of a header's first mailbox, each empty if missing.

    A name with a comma that a provider has decoded stands there without quotes (`López, Ana <ana@example.com>`, as in
    SendGrid's `from`): the parts before the mailbox are of its name.
    """
    if len(written) <= _MOST_OF_ONE and written.count("(") <= _MOST_COMMENTS:
        before: list[str] = []
        for name, address in mailboxes(written):
            if "@" in address:
                return (", ".join([*before, name]) if name else ""), address
            before.append(name or decode_text(address))
        if "<" not in written:
            return "", ""
    return "", written[-_MOST_OF_ONE:].rpartition("<")[2].partition(">")[0].strip()


def formatted(name: str | None, address: str) -> str:
    """Return a name and an address as one mailbox of a header, for `mailbox_of` to read; the name is quoted."""
    quoted = (name or "").replace("\\", r"\\").replace('"', r"\"")
    return f'"{quoted}" <{address}>' if quoted else address


def written_addresses(value: Any) -> Iterator[str]:
    """Yield each address that a header, a list, or objects with an address write, as it was written."""
    items = value if isinstance(value, list) else [value]
    for item in items[:MOST_MAILBOXES]:
        if isinstance(item, dict):
            item = next((item[key] for key in _ADDRESS_KEYS if isinstance(item.get(key), str)), None)
        if isinstance(item, str) and item:
            found = [address for _, address in mailboxes(item) if address] if "@" in item else []
            yield from found or [item]


def _pieces(written: str) -> list[str]:
    """Return quoted strings, angle brackets, domain literals, separators, and what stands between."""
    pieces: list[str] = _PIECE.findall(written)
    if pieces and pieces[-1][0] == '"' and not _CLOSED.fullmatch(pieces[-1]):
        pieces += _PLAIN_PIECE.findall(pieces.pop()[1:])
    return pieces


def _mailbox(words: list[str], comments: list[str], angle: str | None) -> list[tuple[str, str]]:
    """Return the one mailbox that was read, or none."""
    if angle is None:
        address = "".join(words).strip()
        name = "".join(comments).strip()
        return [(decode_text(name), address)] if address else []
    name = " ".join("".join([_unquoted(word) for word in words]).split())
    return [(decode_text(name or "".join(comments).strip()), angle)]


def _unquoted(word: str) -> str:
    return _ESCAPE.sub(r"\1", word[1:-1]) if len(word) > 1 and word[0] == word[-1] == '"' else word
