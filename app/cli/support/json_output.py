"""The option `--json` of commands that print lists and tables, and what it prints."""

from typing import Annotated, Any

import orjson
import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]


def print_json(value: Any) -> int:
    """Print a value as JSON, indented, times in UTC; return the exit code 0."""
    print(orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z).decode())
    return 0
