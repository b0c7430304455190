"""Reads providers' requests as trees that can be changed and written again.

A tree is a value of JSON, with `Text` for JSON within a text (a form's field, an SNS message) and `Raw` for text that
is written unchanged. A form and a query are lists of `[name, value]`, a multipart body one of `[head, data]`.
"""

import json
import pickle
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote_plus

from app.cli.support.http_file import read_request
from tests.fixtures import fixtures

_BOUNDARY = re.compile(r'boundary="?([^";]+)')


@dataclass(slots=True)
class Text:
    """JSON within a text."""

    tree: Any


@dataclass(slots=True)
class Raw:
    """Text that is written into JSON unchanged."""

    text: str


@dataclass(slots=True)
class Place:
    """A place in a tree: a container, and the key or index within it."""

    inside: Any
    key: Any

    @property
    def value(self) -> Any:
        """The value at the place."""
        return self.inside.tree if isinstance(self.inside, Text) else self.inside[self.key]

    def put(self, value: Any) -> None:
        """Replace the value at the place."""
        if isinstance(self.inside, Text):
            self.inside.tree = value
        else:
            self.inside[self.key] = value


@dataclass(slots=True)
class Sample:
    """A provider's request, ready to be changed: `tree()` returns a copy of its tree, `written` the request of a
    tree."""

    provider: str
    name: str
    method: str
    url: str
    headers: dict[str, str]
    kind: str
    size: int
    _pickled: bytes = field(repr=False)

    def tree(self) -> list[Any]:
        """Return a copy of the tree as the only item of a list, so that the whole tree can be replaced."""
        return [pickle.loads(self._pickled)]

    def written(self, root: list[Any]) -> tuple[str, bytes]:
        """Return the URL and the body for a tree."""
        (tree,) = root
        if self.kind == "json" or not isinstance(tree, list):
            return self.url, as_json(tree).encode("utf-8", "surrogatepass")
        if self.kind == "multipart":
            boundary = _boundary(self.headers).encode()
            parts = [b"--%b\r\n%b\r\n\r\n%b\r\n" % (boundary, *map(_latin, _pair(part))) for part in tree]
            return self.url, b"".join(parts) + b"--%b--\r\n" % boundary
        fields = "&".join(["=".join([_quoted(each) for each in _pair(part)]) for part in tree])
        if self.kind == "query":
            return f"{self.url.partition('?')[0]}?{fields}", b""
        return self.url, fields.encode()


def samples(provider: str) -> list[Sample]:
    """Return the samples of all fixtures of a provider."""
    return [sample(provider, file) for file in fixtures(provider)]


def sample(provider: str, file: Path) -> Sample:
    """Return the sample of one fixture."""
    came = read_request(file.read_bytes())
    kind, tree = _tree(came.method, came.url(), came.headers, came.body)
    size = len(came.body) or len(came.target)
    return Sample(provider, file.stem, came.method, came.url(), came.headers, kind, size, pickle.dumps(tree))


def _tree(method: str, url: str, headers: dict[str, str], body: bytes) -> tuple[str, Any]:
    content_type = headers.get("content-type", "")
    if method == "GET":
        return "query", [[name, _inner(value)] for name, value in parse_qsl(url.partition("?")[2], True)]
    if "multipart/form-data" in content_type:
        pieces = (b"\r\n" + body).split(b"\r\n--" + _boundary(headers).encode())[1:-1]
        parts = [piece.removeprefix(b"\r\n").partition(b"\r\n\r\n") for piece in pieces]
        return "multipart", [[head.decode("latin-1"), data.decode("latin-1")] for head, _, data in parts]
    try:
        return "json", _inner(json.loads(body))
    except ValueError:
        text = body.decode("utf-8", "replace")
    if "urlencoded" in content_type:
        return "form", [[name, _inner(value)] for name, value in parse_qsl(text, True)]
    return "json", Raw(text)


def _inner(value: Any) -> Any:
    """Return the value, with texts that hold JSON as `Text`."""
    if isinstance(value, dict):
        return {key: _inner(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_inner(item) for item in value]
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return Text(_inner(json.loads(value)))
        except ValueError:
            return value
    return value


def as_json(tree: Any) -> str:
    """Return the tree as JSON."""
    raws: list[str] = []

    def other(value: Any) -> str:
        if isinstance(value, Raw):
            raws.append(value.text)
            return f"\x00raw{len(raws) - 1}\x00"
        return as_json(value.tree)

    written = json.dumps(tree, default=other, separators=(",", ":"))
    for number, raw in enumerate(raws):
        written = written.replace(f'"\\u0000raw{number}\\u0000"', raw)
    return written


def _boundary(headers: dict[str, str]) -> str:
    found = _BOUNDARY.search(headers.get("content-type", ""))
    return found[1] if found else "x"


def _pair(part: Any) -> tuple[Any, Any]:
    return (part[0], part[1]) if isinstance(part, list) and len(part) == 2 else (part, "")


def _text(value: Any) -> str:
    return value if isinstance(value, str) else as_json(value.tree if isinstance(value, Text) else value)


def _latin(value: Any) -> bytes:
    text = _text(value)
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def _quoted(value: Any) -> str:
    return quote_plus(_text(value).encode("utf-8", "surrogatepass"))


def places(root: Any) -> Iterator[Place]:
    """Yield every place of a tree, each before those within it."""
    left = [Place(root, 0)]
    while left:
        place = left.pop()
        yield place
        value = place.value
        if isinstance(value, Text):
            left.append(Place(value, None))
        elif isinstance(value, dict | list):
            keys = value if isinstance(value, dict) else range(len(value))
            left += [Place(value, key) for key in keys]


def lists(root: Any) -> list[Place]:
    """Return the places of lists that have items."""
    return [place for place in places(root) if isinstance(place.value, list) and place.value]


def words(root: Any) -> list[Place]:
    """Return the places of texts."""
    return [place for place in places(root) if isinstance(place.value, str)]
