"""Read a file that holds one HTTP/1.1 request as it came over the wire."""

import re
from dataclasses import dataclass
from urllib.parse import urlsplit

_BLANK = re.compile(rb"\r?\n\r?\n")
_REQUEST_LINE = re.compile(r"([A-Za-z]+) (\S+)(?: HTTP/[0-9.]+)?")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,8})[ \t]*(?:;[^\r\n]*)?\r\n")


class NoRequest(ValueError):
    """The bytes are not an HTTP request. The message says why."""


@dataclass(slots=True)
class HttpRequest:
    """A request: `target` as in the request line; header names in lower case, values of a repeated header joined by commas."""

    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def url(self) -> str:
        """Return the URL as the sender wrote it, with https, as a request does not have the scheme. Raises NoRequest."""
        if "://" in self.target.partition("?")[0]:
            return self.target
        url = f"https://{self.headers.get('host', 'localhost')}{self.target}"
        try:
            urlsplit(url)
        except ValueError as error:
            raise NoRequest(f"the Host header is not valid: {error}") from error
        return url


def read_request(raw: bytes) -> HttpRequest:
    """Parse a request. Lines of the head end with LF or CRLF; the body follows the blank line, byte for byte, unless it is
    `chunked`. Raises NoRequest."""
    raw = raw.removeprefix(b"\xef\xbb\xbf").lstrip(b"\r\n")
    blank = _BLANK.search(raw)
    head, body = (raw[: blank.start()], raw[blank.end() :]) if blank else (raw.rstrip(b"\r\n"), b"")
    line, *rest = head.decode("latin-1").replace("\r\n", "\n").split("\n")
    found = _REQUEST_LINE.fullmatch(line.strip())
    if found is None:
        raise NoRequest("the first line is not a request line such as POST /webhooks/aggregate HTTP/1.1")
    headers = _headers(rest)
    if headers.get("transfer-encoding", "").lower().endswith("chunked"):
        body = _joined(body)
    return HttpRequest(found[1].upper(), found[2], headers, body)


def _headers(lines: list[str]) -> dict[str, str]:
    headers: dict[str, str] = {}
    name = ""
    for line in lines:
        if line[:1] in (" ", "\t") and name:  # a folded line continues the one before it
            headers[name] += " " + line.strip()
            continue
        key, colon, value = line.partition(":")
        name = key.strip().lower()
        if not colon or not name:
            raise NoRequest(f"a header line without a name and a colon: {line[:60]!r}")
        headers[name] = f"{headers[name]}, {value.strip()}" if name in headers else value.strip()
    return headers


def _joined(body: bytes) -> bytes:
    """Join the chunks of a chunked body (RFC 9112 section 7.1)."""
    data: list[bytes] = []
    at = 0
    while found := _CHUNK.match(body, at):
        size = int(found[1], 16)
        if size == 0:
            return b"".join(data)
        data.append(body[found.end() : found.end() + size])
        at = found.end() + size + 2
    raise NoRequest("the body is not chunked, as its header says it is")
