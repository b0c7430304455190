"""A body of `multipart/form-data` (RFC 7578) as its parts, in their order."""

from dataclasses import dataclass

from python_multipart.exceptions import MultipartParseError
from python_multipart.multipart import MultipartParser, parse_options_header

from adapters.base import Request, Unprocessable

#: Parts of one body: mail has at most some dozens of attachments; more is an attack on the parser.
MAX_PARTS = 500


@dataclass(slots=True)
class Part:
    """One field or file. `filename` is None for a field."""

    name: str
    filename: str | None
    content_type: str
    data: bytes


def parts_of(request: Request) -> list[Part]:
    """The parts, read once per request. Raises Unprocessable."""
    if "parts" not in request.parsed:
        request.parsed["parts"] = _Reader(request).parts
    parts: list[Part] = request.parsed["parts"]
    return parts


class _Reader:
    def __init__(self, request: Request) -> None:
        kind, options = parse_options_header(request.headers.get("content-type", ""))
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise Unprocessable("no multipart/form-data with a boundary")
        self.parts: list[Part] = []
        self._header: list[bytes] = [b"", b""]
        self._headers: dict[bytes, bytes] = {}
        self._data: list[bytes] = []
        self._ended = False
        try:
            parser = MultipartParser(
                boundary,
                {
                    "on_part_begin": self._begin,
                    "on_header_field": lambda data, start, end: self._add(0, data[start:end]),
                    "on_header_value": lambda data, start, end: self._add(1, data[start:end]),
                    "on_header_end": self._header_end,
                    "on_part_data": lambda data, start, end: self._data.append(data[start:end]),
                    "on_part_end": self._part_end,
                    "on_end": self._end,
                },
            )
            parser.write(request.body)
            parser.finalize()
        except (MultipartParseError, ValueError) as error:
            raise Unprocessable(f"the multipart body is damaged: {error}") from error
        if not self._ended:
            raise Unprocessable("the multipart body is cut off")

    def _begin(self) -> None:
        if len(self.parts) >= MAX_PARTS:
            raise Unprocessable(f"a multipart body of more than {MAX_PARTS} parts")
        self._headers, self._data = {}, []

    def _add(self, index: int, data: bytes) -> None:
        self._header[index] += data

    def _header_end(self) -> None:
        name, value = self._header
        self._headers[name.lower()] = value
        self._header = [b"", b""]

    def _part_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        filename = options.get(b"filename")
        self.parts.append(
            Part(
                options.get(b"name", b"").decode("utf-8", "replace"),
                None if filename is None else filename.decode("utf-8", "replace"),
                self._headers.get(b"content-type", b"").decode("latin-1"),
                b"".join(self._data),
            )
        )

    def _end(self) -> None:
        self._ended = True
