"""The SQL files."""

import re
from pathlib import Path

import pytest
from psycopg._queries import PostgresQuery
from psycopg.adapt import Transformer

from sql.statements import QUERIES, migrations, numbered, statement

ROOT = Path(__file__).parents[3]
NAMES = sorted(file.stem for file in QUERIES.glob("*.sql"))


@pytest.mark.parametrize("name", NAMES)
def test_each_says_what_it_is_for(name: str) -> None:
    """A comment heads each file; what is sent has no comment and no `\\ir` left in it, nor a semicolon at its end."""
    assert (QUERIES / f"{name}.sql").read_text(encoding="utf-8").startswith("-- ")
    text = statement(name).decode()
    assert not re.search(r"^\s*(--|\\)", text, re.MULTILINE)
    assert not text.endswith(";")


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_numbered_as_psycopg_numbers_them(name: str) -> None:
    """The same text, and the same parameters in the same order; percent signs too."""
    text, names = numbered(statement(name))
    query = PostgresQuery(Transformer())
    query.convert(statement(name), {name: name for name in names} or None)
    assert (text, list(names)) == (query.query, query._order or [])


def test_none_is_left_over() -> None:
    """Each is asked for by the code, or included by another."""
    asking = (*QUERIES.parent.rglob("*.py"), *(ROOT / "app" / "cli" / "doctor").glob("*.py"))
    code = "".join(file.read_text(encoding="utf-8") for file in asking)
    included = "".join((QUERIES / f"{name}.sql").read_text(encoding="utf-8") for name in NAMES)

    assert [name for name in NAMES if f'"{name}"' not in code and f"\\ir {name}.sql\n" not in included] == []


def test_migrations_are_numbered_without_a_gap() -> None:
    """In the order in which they are applied."""
    assert [int(name[:4]) for name in migrations()] == list(range(len(migrations())))
