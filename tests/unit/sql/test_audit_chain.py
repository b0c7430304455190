"""The hashes of the audit: the Merkle tree as RFC 9162 defines it, and an encoding that no two entries share."""

import re
from hashlib import sha256
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.api.audited import AUDITED
from sql.audit_chain import encoded, leaf_of, root_of
from sql.audited import ACTIONS

ROOT = Path(__file__).parents[3]
ENTRY = {
    "position": 7, "micros": 1, "actor": "cli:ana", "client_id": "shop", "action": "key.revoke", "subject": "k1",
    "detail": "{}", "key_id": None, "address": None, "request_id": None, "why": None,
}  # fmt: skip


def by_definition(leaves: list[bytes]) -> bytes:
    """MTH of RFC 9162 section 2.1.1, over leaves that are hashed already."""
    if len(leaves) <= 1:
        return leaves[0] if leaves else sha256(b"").digest()
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\x01" + by_definition(leaves[:half]) + by_definition(leaves[half:])).digest()


@pytest.mark.parametrize("size", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 1000])
def test_the_root_is_that_of_the_definition(size: int) -> None:
    """For every number of leaves, also those that are no power of two."""
    leaves = [sha256(bytes([n % 251, n // 251])).digest() for n in range(size)]
    assert root_of(leaves) == by_definition(leaves)


def test_an_odd_last_leaf_is_not_doubled() -> None:
    """Else three leaves would have the root of four."""
    a, b, c = (bytes([n]) * 32 for n in range(3))
    assert root_of([a, b, c]) != root_of([a, b, c, c])


VALUES = st.lists(st.one_of(st.none(), st.text(max_size=4), st.integers(-3, 3), st.binary(max_size=4)), max_size=4)


@given(VALUES, VALUES)
def test_different_values_have_different_bytes(some: list[str | int | None], others: list[str | int | None]) -> None:
    """Whatever moves from one column to the next; the column says whether it is a text or a number."""

    def kept(values: list[str | int | None]) -> list[bytes | None]:
        return [
            v.encode() if isinstance(v, str) else v.to_bytes(8, "big", signed=True) if isinstance(v, int) else v
            for v in values
        ]

    assert (encoded(some) == encoded(others)) is (kept(some) == kept(others))


def test_every_column_counts() -> None:
    """A change of any one, and nothing instead of empty text, gives another hash."""
    changed = [ENTRY | {name: 8 if isinstance(ENTRY[name], int) else "x"} for name in ENTRY]
    empty = [ENTRY | {name: ""} for name in ENTRY if ENTRY[name] is None]
    hashes = [leaf_of(entry) for entry in (ENTRY, *changed, *empty)]
    assert all(one != other for one, other in combinations(hashes, 2))


#: An action in quotes, by the first words of those of the list.
PATTERN = rf"[\"']((?:{'|'.join({name.partition('.')[0] for name in ACTIONS})})\.[a-z]+)[\"']"


def test_statements_and_routes_use_actions_of_the_list_alone() -> None:
    """And each action of the list is used."""
    written = [*(ROOT / "sql/queries").glob("*.sql"), *(ROOT / "sql/migrations").glob("003*.sql")]
    written += [file for folder in ("sql", "app", "agents") for file in (ROOT / folder).rglob("*.py")]
    text = "\n".join(file.read_text("utf-8") for file in written if file.name not in ("audited.py", "states.py"))
    named = set(re.findall(PATTERN, text))
    inserted = {
        action
        for file in written
        if file.suffix == ".sql" and "INSERT INTO audit " in (sql := file.read_text("utf-8"))
        for action in re.findall(r"'([a-z_]+\.[a-z]+)'", sql)
    }
    assert inserted <= set(ACTIONS)
    assert set(AUDITED.values()) <= set(ACTIONS)
    assert set(ACTIONS) <= named | set(AUDITED.values())
