"""Finds the line of the settings file in which a setting is, which TOML's parser does not report."""

import tomllib
from collections.abc import Iterator
from typing import Any

Path = tuple[str, ...]


def lines_of(text: str) -> dict[Path, int]:
    """Return the line, counted from 1, of each table and value of a TOML text, by its path; none of a text that is not
    TOML."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return {}
    found: dict[Path, int] = {}
    table: Path = ()
    for line, statement in _statements(text):
        parsed = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            table = _deepest(parsed)
            found.setdefault(table, line)
        else:
            for path in _paths(parsed, table):
                found.setdefault(path, line)
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each header and each assignment, with the line in which it begins. One that ends in a later line (a list, a
    text in three quotes) is not TOML before its end."""
    begun, rows = 1, list[str]()
    for number, row in enumerate(text.splitlines(keepends=True), 1):
        if not rows:
            begun = number
        rows.append(row)
        statement = "".join(rows)
        try:
            parsed = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        rows.clear()
        if parsed:  # neither empty nor a comment
            yield begun, statement


def _deepest(parsed: Any) -> Path:
    """Return the path of the table that a header names."""
    path: list[str] = []
    while parsed := parsed[0] if isinstance(parsed, list) else parsed:
        name, parsed = next(iter(parsed.items()))
        path.append(name)
    return tuple(path)


def _paths(parsed: dict[str, Any], above: Path) -> Iterator[Path]:
    """Yield the path of each name in an assignment, the tables' before their values'."""
    for name, value in parsed.items():
        yield (*above, name)
        if isinstance(value, dict):
            yield from _paths(value, (*above, name))
