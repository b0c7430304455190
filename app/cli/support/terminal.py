"""Printing by commands: text that cannot control the terminal, tables, stacked entries, and lines on standard error."""

import os
import textwrap
from collections.abc import Collection
from datetime import datetime
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Exit codes: the command failed; it was called with options that do not fit, as in shells.
FAILED, MISUSED = 1, 2
#: Columns of an entry.
WIDTH = 78
#: Characters that change the direction of text, so that a line could be read as something else.
_DIRECTIONS = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C))


def printable(text: str) -> str:
    """Return foreign text without the characters that could control the terminal."""
    plain = text.translate(_DIRECTIONS).replace("\r\n", "\n").replace("\t", " ")
    return "".join(c if c == "\n" or c.isprintable() or ord(c) in (0x200C, 0x200D) else "\ufffd" for c in plain)


def print_error(text: str, code: int = FAILED) -> int:
    """Print an error on standard error and return the exit code."""
    print_lines(text, Console(stderr=True))
    return code


def why(error: Exception) -> str:
    """Return why a file cannot be used, in words, without the number and the name that Python adds: who prints it names the file."""
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return (isinstance(error, OSError) and error.strerror) or str(error)


def print_lines(text: str, console: Console | None = None) -> None:
    """Print text, on standard output by default, its lines wrapped between words for a terminal, or for `COLUMNS`. Words longer than
    a line stay whole, so that they can be copied, and so do lines for a file or a pipe, where programs search them."""
    console = console or Console()
    wide = console.width if console.is_terminal or "COLUMNS" in os.environ else 0
    for line in printable(text).split("\n"):
        console.print(Text("\n".join(_wrapped(line, wide)) if wide else line), soft_wrap=True)


def _wrapped(line: str, width: int, first: str = "", indent: str = "") -> list[str]:
    """Return the lines of a line of text; an indented one stays indented."""
    given = line[: len(line) - len(line.lstrip(" "))]
    return textwrap.wrap(
        line,
        max(width, len(given) + 20),
        initial_indent=first,
        subsequent_indent=indent + given,
        break_on_hyphens=False,
        break_long_words=False,
    ) or [""]


def print_note(text: str) -> int:
    """Print a remark on standard error, which leaves standard output to the result; return the exit code 0."""
    return print_error(text, 0)


def table(*headings: str, title: str | Text | None = None, whole: Collection[str] = ()) -> Table:
    """Return a table without rows, in the style of all tables; the cells under the headings `whole` are not wrapped."""
    made = Table(title=title, title_justify="left", box=SIMPLE_HEAD, padding=(0, 1), collapse_padding=True)
    for heading in headings:
        made.add_column(heading, no_wrap=heading in whole, overflow="fold")
    return made


def add_row(to: Table, *cells: Any, style: str = "") -> None:
    """Add a row of cells, which may be foreign text; None is an empty cell."""
    to.add_row(*(Text("" if cell is None else printable(str(cell))) for cell in cells), style=style)


def entry(first: str, *more: str) -> str:
    """Return one entry of a list, readable at any width and through a pipe: `first`, then each other non-empty part on
    lines of its own, indented; all is wrapped at 78 characters. Lines that a part has stay lines, and long words stay whole,
    so that URLs can be copied."""
    lines = _wrapped(printable(first), WIDTH, indent="  ")
    for part in more:
        for line in printable(part).split("\n"):
            lines += _wrapped(line, WIDTH, "  ", "  ") if line.strip() else []
    return "\n".join(lines)


def fields(**values: Any) -> str:
    """Return `name value, name value` for the values that are neither None nor empty; `_` in a name becomes a space."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in values.items() if value not in (None, ""))


def minute(time: datetime | None) -> str:
    """Return a time to the minute; nothing where there is none."""
    return f"{time:%Y-%m-%d %H:%M}" if time else ""
