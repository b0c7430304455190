"""Parses `multipart/form-data` (RFC 7578, RFC 2046 section 5.1.1) into its parts, in order.

The body is split at its delimiters at once: a parser that goes byte by byte took ten times as long.
"""

import re
from dataclasses import dataclass

from python_multipart.multipart import parse_options_header

from adapters.contract import Request, Unprocessable
from adapters.reading.charsets import utf_8_or

#: Parts of one body: mail has at most some dozens of attachments; more is an attack on the parser.
MAX_PARTS = 500
#: Bytes of one part's headers.
MAX_HEAD = 8192
#: Lines of them.
MAX_LINES = 20

#: The form that nearly all senders write; the library parses others.
_DISPOSITION = re.compile(rb'form-data; name="([^"\\]*)"(?:; filename="([^"\\]*)")?')
_PADDING = b" \t"


@dataclass(slots=True)
class FormPart:
    """One field or file. `filename` is None for a field."""

    name: str
    filename: str | None
    content_type: str
    data: bytes


def parts_of(request: Request) -> list[FormPart]:
    """Return the parts of the body, parsed once per request. Raise Unprocessable."""
    if "parts" not in request.parsed:
        request.parsed["parts"] = _read(request)
    parts: list[FormPart] = request.parsed["parts"]
    return parts


def _read(request: Request) -> list[FormPart]:
    kind, options = parse_options_header(request.headers.get("content-type", ""))
    boundary = options.get(b"boundary")
    if kind != b"multipart/form-data" or not boundary:
        raise Unprocessable("no multipart/form-data with a boundary")
    pieces = (b"\r\n" + request.body).split(b"\r\n--" + boundary, MAX_PARTS + 2)
    if len(pieces) < 2:
        raise Unprocessable("the multipart body is damaged: its boundary is nowhere in it")
    parts: list[FormPart] = []
    for piece in pieces[1:]:
        if piece.startswith(b"--"):
            return parts
        if len(parts) >= MAX_PARTS:
            raise Unprocessable(f"a multipart body of more than {MAX_PARTS} parts")
        padding, end, rest = piece.partition(b"\r\n")
        if not end or padding.strip(_PADDING):
            raise Unprocessable("the multipart body is damaged: something stands behind its boundary")
        parts.append(_part(rest))
    raise Unprocessable("the multipart body is cut off")


def _part(piece: bytes) -> FormPart:
    """Parse one part: headers, a blank line, data. Raise Unprocessable."""
    head, blank, data = (b"", b"\r\n", piece[2:]) if piece.startswith(b"\r\n") else piece.partition(b"\r\n\r\n")
    if not blank or len(head) > MAX_HEAD:
        raise Unprocessable("the multipart body is damaged: a part's headers do not end")
    name, filename, kind = b"", None, b""
    lines = head.split(b"\r\n")
    if len(lines) > MAX_LINES:
        raise Unprocessable(f"the multipart body has a part of {len(lines)} headers")
    for line in lines:
        key, _, value = line.partition(b":")
        key, value = key.strip().lower(), value.strip()
        if key == b"content-disposition":
            if found := _DISPOSITION.fullmatch(value):
                name, filename = found.groups()
            else:
                _, options = parse_options_header(value)
                name, filename = options.get(b"name", b""), options.get(b"filename")
        elif key == b"content-type":
            kind = value
    file_name = None if filename is None else utf_8_or(filename)
    return FormPart(name.decode("utf-8", "replace"), file_name, kind.decode("latin-1"), data)
