"""The option `--json` of commands that print lists and tables, and what it prints."""

from dataclasses import asdict, is_dataclass
from typing import Annotated, Any
from uuid import UUID

import orjson
import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def print_json(value: Any) -> int:
    """Print a value as JSON, indented, times in UTC; return the exit code 0."""
    print(orjson.dumps(value, default=_plain, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())
    return 0


def _plain(value: Any) -> Any:
    """Return what orjson does not write by itself in a form that it does."""
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, UUID | BaseException):
        return str(value)
    raise TypeError(f"not JSON: {type(value).__name__}")
