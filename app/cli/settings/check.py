"""Finds the faults for `threadline settings check`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from app.http.listening.tls import TlsUnusable, server_context
from app.kafka.fitting import not_startable, unfit
from app.settings import Settings
from app.settings.every import every_fault


def faults() -> list[str]:
    """Return a text for each fault that keeps a process from starting, as far as that can be known without a connection."""
    found, settings = every_fault()
    return found + (unfit(settings) + not_startable(settings) + _tls(settings) if settings is not None else [])


def _tls(settings: Settings) -> list[str]:
    """Return what keeps the HTTP process from using the files of `door.tls`."""
    try:
        server_context(settings.door.tls)
    except TlsUnusable as error:
        return [str(error)]
    return []


@contextmanager
def reading(file: Path | None) -> Iterator[None]:
    """Read this settings file, if one is given, during the block, as if `THREADLINE_CONFIG` named it."""
    before = os.environ.get("THREADLINE_CONFIG")
    if file is not None:
        os.environ["THREADLINE_CONFIG"] = str(file)
    try:
        yield
    finally:
        if file is not None:
            os.environ.pop("THREADLINE_CONFIG")
            os.environ.update({"THREADLINE_CONFIG": before} if before is not None else {})
