"""The keys of raw records in memory, and the form of a sealed record."""

import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sql.hour_keys import AHEAD, HOUR, HourKeys, Row
from sql.sealed_records import MAGIC, OVERHEAD, Destroyed, UnknownKey, is_sealed_large
from sql.sealing import NoKey, Seal, Tampered
from tests.support.keys import SEAL

NOON = datetime(2026, 11, 29, 12, 30, tzinfo=UTC)
PLACE = b"webhooks.received"


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def rows(made: list[Row]) -> list[dict[str, Any]]:
    """Rows as the table returns them."""
    return [row._asdict() | {"destroyed_at": None} for row in made]


def filled(clock: Clock, seal: Seal = SEAL) -> tuple[HourKeys, list[dict[str, Any]]]:
    """Keys that have met the table, and the table."""
    keys = HourKeys(seal, clock=clock)
    table = rows(keys.take_ahead([], NOON))
    assert keys.take_ahead(table, NOON) == []
    return keys, table


def test_what_is_sealed_is_read_by_another_process_with_the_table_only() -> None:
    """With the flags in clear and nothing else; each time other bytes."""
    keys, table = filled(Clock())
    plain = b"a text that somebody wrote" * 3
    sealed = keys.seal("records", PLACE, plain, large=True)
    assert sealed != keys.seal("records", PLACE, plain, large=True)
    assert (
        sealed.startswith(MAGIC) and is_sealed_large(sealed) and not is_sealed_large(keys.seal("records", PLACE, b""))
    )
    assert b"somebody" not in sealed and len(sealed) - len(plain) <= OVERHEAD
    other = HourKeys(SEAL)
    (id,) = other.unknown([sealed, plain, None, sealed])
    with pytest.raises(UnknownKey, match=str(id)):
        other.open(sealed, PLACE)
    other.take(row for row in table if row["id"] == id)
    assert other.open(sealed, PLACE) == plain and not other.unknown([sealed])
    assert other.open(plain, PLACE) == plain  # one from before


def test_every_changed_bit_is_noticed_and_so_is_another_place() -> None:
    """Also in what is not encrypted, and where it was cut."""
    keys, _ = filled(Clock())
    sealed = keys.seal("records", PLACE, b"hello")
    for at in range(len(MAGIC), len(sealed)):
        with pytest.raises((Tampered, UnknownKey)):
            keys.open(sealed[:at] + bytes((sealed[at] ^ 2,)) + sealed[at + 1 :], PLACE)
        with pytest.raises((Tampered, UnknownKey)):
            keys.open(sealed[:at], PLACE)
    with pytest.raises(Tampered):
        keys.open(sealed, b"events.reported")


def test_each_hour_and_purpose_has_its_key_by_the_time_of_the_database() -> None:
    """A process goes on for as many hours as it has keys ahead, without a look at the table."""
    clock = Clock()
    keys, table = filled(clock)
    used = []
    for _ in range(AHEAD["records"]):
        assert keys.has("records")
        used.append(keys.seal("records", PLACE, b"x")[6:22])
        clock.now += HOUR
    assert len(set(used)) == AHEAD["records"] == len([row for row in table if row["purpose"] == "records"])
    assert AHEAD["records"] >= 24 and keys.own == 0 and not keys.has("records")
    by_id = {row["id"].bytes: row["hour"] for row in table}
    assert [by_id[id] for id in used[:2]] == [NOON.replace(minute=0), NOON.replace(minute=0) + timedelta(hours=1)]


def test_without_the_hours_key_a_record_has_its_own_with_it() -> None:
    """Which another process opens by the keys of the settings alone; one key an hour, until the table is there again."""
    clock = Clock()
    keys = HourKeys(SEAL, clock=clock)
    sealed = [keys.seal("records", PLACE, b"hello") for _ in range(3)]
    assert keys.own == 3 and len({each[6:22] for each in sealed}) == 1
    other = HourKeys(SEAL)
    assert not other.unknown(sealed) and [other.open(each, PLACE) for each in sealed] == [b"hello"] * 3
    assert len(sealed[0]) - len(b"hello") == OVERHEAD
    for at in range(len(MAGIC), len(sealed[0])):
        with pytest.raises((Tampered, NoKey, UnknownKey)):
            HourKeys(SEAL).open(sealed[0][:at] + bytes((sealed[0][at] ^ 1,)) + sealed[0][at + 1 :], PLACE)
    keys.take_ahead(rows(keys.take_ahead([], NOON)), NOON)
    assert keys.unknown([keys.seal("records", PLACE, b"")]) == [] and keys.own == 3
    with pytest.raises(NoKey):
        HourKeys(Seal([])).seal("records", PLACE, b"hello")


def test_a_destroyed_key_is_a_reason_with_its_date() -> None:
    """Also for a process that had it: an hour or two later it is gone from memory."""
    clock = Clock()
    keys, table = filled(clock)
    sealed = keys.seal("raw", b"raw_webhooks", b"hello")
    gone = [row | {"sealed": None, "destroyed_at": NOON} for row in table]
    for _ in range(3):
        clock.now += HOUR
        keys.take_ahead([], NOON + timedelta(hours=3))
    keys.take(row for row in gone if row["id"] in keys.unknown([sealed]))
    with pytest.raises(Destroyed, match="was destroyed on 2026-11-29, when its retention had ended"):
        keys.open(sealed, b"raw_webhooks")


def test_a_key_that_was_taken_for_a_batch_outlives_the_next_look_ahead() -> None:
    """A worker takes keys, waits for something else, and opens the batch then."""
    clock = Clock()
    keys, table = filled(clock)
    sealed = keys.seal("records", PLACE, b"hello")
    reader = HourKeys(SEAL, clock=clock)
    clock.now += 2 * HOUR
    reader.take(row for row in table if row["id"] in reader.unknown([sealed]))
    for _ in range(5):
        reader.take_ahead([], NOON + timedelta(hours=9))
    assert reader.open(sealed, PLACE) == b"hello"


def test_keys_that_the_database_lost_are_written_again() -> None:
    """A restored database gets the keys that this process seals with, not others for the same hours."""
    clock = Clock()
    keys, table = filled(clock)
    back = keys.take_ahead([row for row in table if row["hour"] < NOON], NOON)
    assert {row.id for row in back} == {row["id"] for row in table if row["hour"] >= NOON}


def test_a_key_is_bound_to_its_row() -> None:
    """One put into another hour or purpose does not decrypt: no error for others, which are read as before."""
    keys, table = filled(Clock())
    first, second = table[:2]
    sealed = keys.seal("records", PLACE, b"hello")
    assert first["purpose"] == "records" and sealed[6:22] == first["id"].bytes
    for change in ({"sealed": second["sealed"]}, {"purpose": "dead"}, {"hour": second["hour"]}):
        reader = HourKeys(SEAL)
        reader.take([first | change, second])
        with pytest.raises(UnknownKey):
            reader.open(sealed, PLACE)
    with pytest.raises(NoKey):
        HourKeys(Seal([os.urandom(32)])).take([first])


def test_a_purpose_that_is_left_out_is_left_as_it_is() -> None:
    """And no key is made for it."""
    keys = HourKeys(SEAL, without=AHEAD.keys() - {"events"})
    assert keys.seal("records", PLACE, b"hello") == b"hello" and keys.has("records")
    assert {row.purpose for row in keys.take_ahead([], NOON)} == {"events"}
    assert HourKeys(SEAL).seal("events", b"events.recorded", b"hello") == b"hello"
