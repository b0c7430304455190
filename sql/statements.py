r"""The SQL files: each of `queries/*.sql` is one statement, or a part that others include; `migrations/*.sql` make the
schema.

Row-level security is a barrier to the planner. Where it applies (`sql.tenants`), a condition with a function that might reveal a value
(coalesce, most functions) is tried only after the policy, and no index is used for it. A condition by which rows are looked up is
therefore written `(SELECT coalesce(…))` if it names no column, and as CASE if it does.

Two kinds of lines in a query are replaced when it is loaded:

- `\ir FILE` (as in psql) by that file's text;
- `\each LINE` by the line once for every fact of an interaction (`sql.facts.FACTS`), with the fact's column in place of
  `{column}` and the event types that state it, as SQL literals, in place of `{types}`.
"""

import re
from functools import cache
from pathlib import Path
from typing import NamedTuple

from sql.facts import FACTS

QUERIES = Path(__file__).parent / "queries"
MIGRATIONS = Path(__file__).parent / "migrations"

_INCLUDE = re.compile(r"^\\ir (\S+)$", re.MULTILINE)
_EACH = re.compile(r"^\\each (.+)$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n", re.MULTILINE)
#: A parameter in psycopg's form, and psycopg's way to write a percent sign.
_PARAMETER = re.compile(rb"%(?:%|\((\w+)\)[sb])")


class Numbered(NamedTuple):
    """A statement in PostgreSQL's form, with `$1` for its first parameter, and the names of the parameters in order."""

    text: bytes
    names: tuple[str, ...]


@cache
def statement(name: str) -> bytes:
    """Return the statement in `queries/<name>.sql`, with its includes and its facts. Raises FileNotFoundError.

    Comments are left out, because psycopg would look for parameters in them.
    """
    return _text(f"{name}.sql").strip().encode()


@cache
def numbered(text: bytes) -> Numbered:
    """Return a statement of psycopg's form in PostgreSQL's form."""
    names: dict[bytes, int] = {}

    def number(found: re.Match[bytes]) -> bytes:
        return b"%" if found[1] is None else b"$%d" % names.setdefault(found[1], len(names) + 1)

    return Numbered(_PARAMETER.sub(number, text), tuple(name.decode() for name in names))


def _text(file: str) -> str:
    text = _COMMENT.sub("", (QUERIES / file).read_text(encoding="utf-8"))
    text = _EACH.sub(lambda line: _for_each_fact(line[1]), text)
    return _INCLUDE.sub(lambda include: _text(include[1]).rstrip(), text)


def _for_each_fact(line: str) -> str:
    return "\n".join(line.replace("{column}", fact.column).replace("{types}", fact.types) for fact in FACTS)


def migrations() -> dict[str, bytes]:
    """Return all migrations in order: the file's name without its suffix, and its text."""
    return {file.stem: file.read_bytes() for file in sorted(MIGRATIONS.glob("[0-9][0-9][0-9][0-9]_*.sql"))}
