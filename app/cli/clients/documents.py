"""Configuration documents: read from a file or standard input, and compared."""

import sys
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import orjson

from app.cli.support.terminal import why

#: The largest file in bytes, equal to the largest body that the API accepts.
MOST = 256 << 10


class Unreadable(Exception):
    """A file or an option cannot be read. The message says which and why."""


def document_of(file: str) -> dict[str, Any]:
    """Return the object in a JSON or TOML file (`-` for standard input). Raises Unreadable."""
    try:
        data = (sys.stdin.buffer.read(MOST + 1)) if file == "-" else Path(file).read_bytes()
        if len(data) > MOST:
            raise ValueError(f"more than {MOST} bytes")
        as_json = file.endswith(".json") or (file == "-" and data.lstrip().startswith(b"{"))
        # TOML's dates become text, which they are in JSON.
        document = orjson.loads(data if as_json else orjson.dumps(tomllib.loads(data.decode())))
    except (OSError, TypeError, ValueError) as error:
        raise Unreadable(f"{'standard input' if file == '-' else file} cannot be read: {why(error)}") from error
    if not isinstance(document, dict):
        raise Unreadable(f"{file}: must be an object")
    return document


def differences(before: Any, after: Any, path: str = "$") -> Iterator[str]:
    """Return a line for each value that was added (+), removed (-) or changed (~), with its path."""
    if isinstance(before, Mapping) and isinstance(after, Mapping):
        keys: Sequence[Any] = [*before, *(key for key in after if key not in before)]
        for key in keys:
            yield from differences(before.get(key), after.get(key), f"{path}.{key}")
    elif isinstance(before, list) and isinstance(after, list):
        for index in range(max(len(before), len(after))):
            pair = [one[index] if index < len(one) else None for one in (before, after)]
            yield from differences(pair[0], pair[1], f"{path}[{index}]")
    elif before != after:
        was, now = (None if one is None else orjson.dumps(one).decode() for one in (before, after))
        yield f"+ {path}: {now}" if was is None else f"- {path}: {was}" if now is None else f"~ {path}: {was} → {now}"
