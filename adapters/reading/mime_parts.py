"""Finds the parts of a raw mail without reading its lines: a mail of 30 MB has half a million of them, nearly all in files.

RFC 2046 section 5.1.1 (multipart), 5.2.1 (message/rfc822). A mail made to be costly is read up to the limits below.
"""

import re
from base64 import b64decode
from binascii import Error as Base64Error
from binascii import a2b_qp
from dataclasses import dataclass
from email import message_from_bytes

#: Most parts and levels that are read; most bytes of a part's head.
MOST_PARTS, MOST_LEVELS, MOST_HEAD = 200, 16, 64 << 10
#: Most bytes of the fields of a part's head that describe it, and most parameters in them.
_MOST_FIELDS, _MOST_PARAMETERS = 4000, 40
#: Places that look like a delimiter and are looked at.
_MOST_TRIES = 10_000
_FIELD = re.compile(
    rb"(?:^|\n)(content-(?:type|disposition|transfer-encoding):[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*)", re.IGNORECASE
)
_BLANK = re.compile(rb"\r?\n\r?\n")
#: Stands in a hollow mail for the body of a part: its number.
MARK = "threadline-part-{}"


@dataclass(frozen=True, slots=True)
class Leaf:
    """A part that has no parts: its media type, file name and transfer encoding, and where its body is in the mail."""

    kind: str
    filename: str | None
    encoding: str
    start: int
    end: int


def leaves_of(data: bytes) -> list[Leaf]:
    """Return the mail's parts that have no parts, in order."""
    found: list[Leaf] = []
    _read(data, 0, len(data), 0, found)
    return found


def hollow(data: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Return the mail with a mark in place of each file's body, and by its mark each body's bytes, decoded. A file in an
    unknown or damaged encoding stays as it is."""
    parts: list[bytes] = []
    bodies: dict[str, bytes] = {}
    place = 0
    for leaf in leaves_of(data):
        if leaf.filename is None and leaf.kind in ("text/plain", "text/html"):
            continue
        body = body_of(data, leaf)
        if body is None:
            continue
        mark = MARK.format(len(bodies))
        bodies[mark] = body
        parts += (data[place : leaf.start], mark.encode(), b"\n")
        place = leaf.end
    return (b"".join([*parts, data[place:]]), bodies) if bodies else (data, bodies)


def body_of(data: bytes, leaf: Leaf) -> bytes | None:
    """Return a part's body, decoded; None if its encoding is unknown or damaged (RFC 2045 section 6)."""
    body = data[leaf.start : leaf.end]
    if leaf.encoding in ("", "7bit", "8bit", "binary"):
        return body
    if leaf.encoding == "quoted-printable":
        return a2b_qp(body)
    return base64_of(body) if leaf.encoding == "base64" else None


def base64_of(text: bytes | str) -> bytes | None:
    """Return what base64 stands for, with or without line ends; None if it is no base64."""
    try:
        return b64decode(text)
    except (Base64Error, ValueError):
        return None


def _read(data: bytes, start: int, end: int, level: int, found: list[Leaf]) -> None:
    """Add the leaves of the entity at this place."""
    if len(found) >= MOST_PARTS:
        return
    if data.startswith((b"\n", b"\r\n"), start):
        head, body = b"", start + (1 if data.startswith(b"\n", start) else 2)
    elif blank := _BLANK.search(data, start, min(end, start + MOST_HEAD)):
        head, body = data[start : blank.end()], blank.end()
    else:
        return
    described = b"\n".join(_FIELD.findall(head))
    if len(described) > _MOST_FIELDS or described.count(b";") > _MOST_PARAMETERS:
        return
    about = message_from_bytes(described + b"\n\n")
    kind, boundary = about.get_content_type(), about.get_boundary()
    encoding = str(about.get("Content-Transfer-Encoding", "")).strip().lower()
    if level < MOST_LEVELS and kind.startswith("multipart/") and boundary:
        for first, last in _between(data, body, end, boundary.encode("latin-1", "replace")):
            _read(data, first, last, level + 1, found)
    elif level < MOST_LEVELS and kind == "message/rfc822" and encoding in ("", "7bit", "8bit", "binary"):
        _read(data, body, end, level + 1, found)
    else:
        found.append(Leaf(kind, about.get_filename(), encoding, body, end))


def _between(data: bytes, start: int, end: int, boundary: bytes) -> list[tuple[int, int]]:
    """Return the places between the delimiter lines of a multipart body; the last may lack its closing delimiter."""
    places: list[tuple[int, int]] = []
    delimiter, first, at, tries = b"--" + boundary, -1, start, 0
    while len(places) <= MOST_PARTS and tries < _MOST_TRIES and (at := data.find(delimiter, at, end)) >= 0:
        after = at + len(delimiter)
        tries += 1
        line = data.find(b"\n", after, min(end, after + 1001))
        rest = data[after : line if line >= 0 else min(end, after + 1001)]
        if (at > start and data[at - 1] != 10) or len(rest) > 1000 or rest.strip() not in (b"", b"--"):
            at = after
            continue
        if first >= 0:
            places.append((first, at - (2 if data[at - 2 : at] == b"\r\n" else 1)))
        first = -1
        if rest.strip() == b"--" or line < 0:
            return places
        first = at = line + 1
    if first >= 0:
        places.append((first, end))
    return places
