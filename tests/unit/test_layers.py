"""Imports point one way: agents → app → webhooks → adapters → sql → schemas."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
#: From the top floor to the ground: a module may import of its own floor and of those after it.
FLOORS = ("agents", "app", "webhooks", "adapters", "sql", "schemas")
#: Pure floors import no network, no clock and no environment (a folder, and what its modules may not import).
PURE = {
    "adapters": {"asyncio", "socket", "httpx", "aiokafka", "psycopg", "os", "time", "random", "uuid", "sql"},
    "schemas": {"asyncio", "socket", "httpx", "aiokafka", "psycopg", "os", "time", "random"},
}
FILES = [file for floor in FLOORS for file in sorted((ROOT / floor).rglob("*.py"))]


def imported(file: Path) -> set[str]:
    """The top-level packages that a module imports, at its head or within a function."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.partition(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_a_module_imports_of_its_floor_and_those_below(file: Path) -> None:
    """No floor knows of one above it."""
    floor = file.relative_to(ROOT).parts[0]
    above = set(FLOORS[: FLOORS.index(floor)])
    assert not imported(file) & above


@pytest.mark.parametrize(
    "file",
    [file for file in FILES if file.relative_to(ROOT).parts[0] in PURE],
    ids=lambda file: str(file.relative_to(ROOT)),
)
def test_a_pure_module_reaches_for_nothing_outside(file: Path) -> None:
    """What providers say is read without network, clock or environment, so that a stored webhook reads the same."""
    # Simulated providers write ids as UUIDs, made of what they are given.
    allowed = {"uuid"} if file.name == "simulator.py" else set()
    assert not imported(file) & (PURE[file.relative_to(ROOT).parts[0]] - allowed)


def test_every_floor_is_there() -> None:
    """The test looks where the modules are."""
    assert {file.relative_to(ROOT).parts[0] for file in FILES} == set(FLOORS)


def test_sending_and_clients_do_not_import_each_other() -> None:
    """`app/clients/` rests on the rules of `app/sending/`, which know of no configuration in the database."""
    names = {
        node.module
        for file in sorted((ROOT / "app/sending").rglob("*.py"))
        for node in ast.walk(ast.parse(file.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom) and node.module
    }
    assert [name for name in names if name.startswith("app.clients")] == []
