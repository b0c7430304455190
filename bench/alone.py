"""Reads the arguments of a module of the benchmark that is run by itself, `python -m bench.NAME`, and prints its help."""

import argparse
import os
import shutil
import sys
import tempfile
import textwrap
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import uvloop


def parser_of(name: str, doc: str | None, after: str | None = None) -> argparse.ArgumentParser:
    """Return the parser of `python -m bench.<name>`, or of `python -m bench` without a name; its help is the module's docstring,
    with `after` at its end."""
    words = "\n\n".join(wrapped(each) for each in (doc or "").split("\n\n"))
    program, raw = f"python -m bench.{name}".rstrip("."), argparse.RawDescriptionHelpFormatter
    return argparse.ArgumentParser(prog=program, description=words, epilog=after, formatter_class=raw)


def wrapped(text: str, indent: int = 0) -> str:
    """Return a paragraph wrapped for the terminal; `indent`: of its lines but the first."""
    width = min(100, shutil.get_terminal_size().columns - 2)
    return textwrap.fill(" ".join(text.split()), width, subsequent_indent=" " * indent, break_on_hyphens=False)


def in_folder(name: str, work: Callable[[Path], Coroutine[Any, Any, None]]) -> None:
    """Run a measurement in a folder that is removed."""
    with tempfile.TemporaryDirectory(prefix="threadline-bench-") as temporary:
        os.chmod(temporary, 0o711)  # the embedded PostgreSQL may run under another account
        uvloop.run(work(Path(temporary) / name))


def part(name: str, doc: str | None) -> None:
    """End a module that is measured as a part of `python -m bench` only, and say so: with 0 where help was asked for, else 2."""
    how = f"It is measured by: python -m bench --only {name}"
    parser_of(name, doc, how).parse_args()
    print(f"python -m bench.{name} has no run of its own. {how}", file=sys.stderr)
    sys.exit(2)
