"""The SQL files: each of `queries/*.sql` is one statement (or a part that others include), `migrations/*.sql` the schema."""

import re
from functools import cache
from pathlib import Path

QUERIES = Path(__file__).parent / "queries"
MIGRATIONS = Path(__file__).parent / "migrations"

_INCLUDE = re.compile(r"^\\ir (\S+)$", re.MULTILINE)
_COMMENT = re.compile(r"^\s*--.*\n", re.MULTILINE)


@cache
def statement(name: str) -> bytes:
    r"""The statement in `queries/<name>.sql`, with the files of its `\ir` lines (as psql has them) in their place.

    Comments are left out: psycopg would look for parameters in them. Raises FileNotFoundError.
    """
    return _text(f"{name}.sql").strip().encode()


def _text(file: str) -> str:
    text = _COMMENT.sub("", (QUERIES / file).read_text(encoding="utf-8"))
    return _INCLUDE.sub(lambda include: _text(include[1]).rstrip(), text)


def migrations() -> dict[str, bytes]:
    """All migrations, in order: name (the file's, without its ending) to text."""
    return {file.stem: file.read_bytes() for file in sorted(MIGRATIONS.glob("[0-9][0-9][0-9][0-9]_*.sql"))}
