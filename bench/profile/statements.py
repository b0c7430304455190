"""Adds up the time of each statement from PostgreSQL's log, by the name of its file in sql/queries."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psycopg

from sql.statements import statement

QUERIES = Path(__file__).resolve().parents[2] / "sql" / "queries"
_ENTRY = re.compile(r"duration: ([\d.]+) ms\s+(?:parse|bind|execute|statement)[^:]*: (.*)", re.DOTALL)
_BEGINS = re.compile(r"^\d{4}-\d\d-\d\d ", re.MULTILINE)
_PLACEHOLDER = re.compile(r"%\(\w+\)[sbt]|\$\d+")


class Spent(NamedTuple):
    """Milliseconds of a statement, and how often it was executed."""

    milliseconds: float
    times: int


async def log_durations(dsn: str, *, on: bool) -> None:
    """Have the server log how long each statement takes, or no more. `dsn`: the superuser's."""
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as db:
        await db.execute(f"ALTER SYSTEM SET log_min_duration_statement = {0 if on else -1}")
        await db.execute("SELECT pg_reload_conf()")


def spent(log: str) -> dict[str, Spent]:
    """Add up a server's log by statement, the dearest first. What has no file has the beginning of its text as its name."""
    names = dict(_names())
    took: Counter[str] = Counter()
    times: Counter[str] = Counter()
    for entry in _BEGINS.split(log):
        if match := _ENTRY.search(entry):
            text = _bare(match[2])
            name = names.get(text, text[:40])
            took[name] += round(float(match[1]) * 1000)
            times[name] += " execute" in entry or " statement" in entry
    return {name: Spent(microseconds / 1000, times[name]) for name, microseconds in took.most_common()}


def _names() -> Iterator[tuple[str, str]]:
    for file in QUERIES.glob("*.sql"):
        yield _bare(statement(file.stem).decode()), file.stem


def _bare(text: str) -> str:
    """Return a statement without its parameters' names, and with single spaces."""
    return " ".join(_PLACEHOLDER.sub("?", text.replace("%%", "%")).split())
