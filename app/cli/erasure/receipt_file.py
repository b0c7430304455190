"""The file that `--receipt` names: looked at before an erasure, which cannot be undone, and written after it."""

from pathlib import Path
from typing import Annotated

import orjson
import typer

from app.erasing.signed import Document

ReceiptFile = Annotated[
    Path | None, typer.Option("--receipt", help="File to write the receipt to; not one that has something in it.")
]


def unusable(file: Path | None) -> str | None:
    """Return why a receipt cannot be written to this file, or None where it can, or where there is none. Leaves nothing behind."""
    if file is None:
        return None
    try:
        there = file.exists()
        if there and not file.is_file() and not file.is_dir():
            return None  # a pipe, or a terminal: to open it would have an effect
        with file.open("ab") as opened:
            filled = opened.tell() > 0
        if not there:
            file.unlink()
    except OSError as error:
        return f"{file} cannot be written: {error.strerror}"
    return f"{file} has something in it already: name another file" if filled else None


def keep(receipt: Document, file: Path) -> str | None:
    """Write a receipt; return why it could not be written, or None."""
    try:
        file.write_bytes(orjson.dumps(receipt, option=orjson.OPT_INDENT_2) + b"\n")
    except OSError as error:
        return f"{file} cannot be written: {error.strerror}"
    return None
