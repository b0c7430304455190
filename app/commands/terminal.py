"""What commands print: text that cannot steer the terminal, tables, times, and words on standard error."""

import textwrap
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

#: Usage errors have exit code 2, as the shell's own.
FAILED, MISUSED = 1, 2
#: Characters that turn a line's direction, and so could make it read as something else.
_TURNING = dict.fromkeys((*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C))


def printable(text: str) -> str:
    """Text of strangers without what would steer the terminal."""
    plain = text.translate(_TURNING).replace("\r\n", "\n").replace("\t", " ")
    return "".join(c if c == "\n" or c.isprintable() or ord(c) in (0x200C, 0x200D) else "\ufffd" for c in plain)


def say(text: str, code: int) -> int:
    """Say it on standard error; returns the code."""
    Console(stderr=True, soft_wrap=True).print(Text(printable(text)))
    return code


def table(*headings: str, title: str | Text | None = None, whole: str | None = None) -> Table:
    """One without rows yet; the cells under the heading `whole` are not wrapped."""
    made = Table(title=title, title_justify="left", header_style="bold")
    for heading in headings:
        made.add_column(heading, no_wrap=heading == whole)
    return made


def add_row(to: Table, *cells: Any, style: str = "") -> None:
    """A row of what may be a stranger's; None is an empty cell."""
    to.add_row(*(Text("" if cell is None else printable(str(cell))) for cell in cells), style=style)


def entry(first: str, *more: str) -> str:
    """One thing of many, which reads well at any width and through a pipe: its name on the first line, and what is said of
    it indented below, wrapped at 78 characters. Empty parts are left out."""
    lines = [printable(first)]
    for part in more:
        lines += textwrap.wrap(printable(part), 78, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False)
    return "\n".join(lines)


def said(**parts: Any) -> str:
    """Parts of an entry in one line: `name value, name value`, without those that have no value."""
    return ", ".join(f"{name.replace('_', ' ')} {value}" for name, value in parts.items() if value not in (None, ""))


def minute(time: datetime | None) -> str:
    """A time to the minute; nothing where there is none."""
    return f"{time:%Y-%m-%d %H:%M}" if time else ""
