"""Keeps the keys of raw records in memory: random keys, one for each hour and purpose.

The keys are in the table `hour_keys`, each encrypted by a key of the settings (`sql.sealing`). They are made ahead of their hour, so that
a process goes on without the database. When the retention of a purpose's records has ended, their key is destroyed, which makes every
copy of them unreadable. A process without a key of the hour makes one of its own, which travels, encrypted, with each record (`OWN`).
Such a key cannot be destroyed, but that is better than losing the record or leaving it readable.
"""

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, NamedTuple
from uuid import UUID

from sql.sealed_records import Destroyed, Key, UnknownKey, is_sealed, key_of, table_key_of
from sql.sealing import KEY_BYTES, NoKey, Seal, Tampered

#: The purposes of keys, and for how many hours they are made ahead. For records that may be sealed while the database is away, that is
#: longer than Kafka keeps them: so a database that was restored from a backup has the keys of all records that are still in Kafka.
AHEAD: Mapping[str, int] = {"records": 192, "blobs": 192, "dlq": 2, "events": 2, "raw": 2, "dead": 2}
#: Purposes that are not sealed unless the settings ask for it: others' programs read these records.
LEFT = frozenset({"events"})
#: Most opened keys in memory (as many earlier ones are kept too); seconds of an hour.
MOST, HOUR = 8192, 3600.0


class Row(NamedTuple):
    """A row of `hour_keys` whose key is not destroyed."""

    id: UUID
    purpose: str
    hour: datetime
    sealed: bytes


class HourKeys:
    """The keys that this process has. `without`: the purposes whose records are left as they are. `clock`: monotonic, in seconds.
    Its methods, except `take` and `take_ahead`, may be called in any thread."""

    def __init__(
        self, seal: Seal, *, without: Collection[str] = LEFT, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._wrapping, self._without, self._clock = seal, frozenset(without), clock
        #: The rows of this hour and those ahead, by purpose and number of the hour.
        self._rows: dict[tuple[str, int], Row] = {}
        #: The opened keys by id, and the keys that were opened before these: so the keys of a batch are there until it is read.
        self._keys: dict[bytes, Key] = {}
        self._before: dict[bytes, Key] = {}
        self._since = clock()
        #: The times at which other keys were destroyed.
        self._gone: dict[bytes, datetime] = {}
        #: The key that seals now, by purpose, and until when (by the clock).
        self._current: dict[str, tuple[float, Key]] = {}
        #: The database's time minus the clock's; until the database has told its time, this machine's time minus the clock's.
        self._offset = time.time() - clock()
        #: Records that were sealed by a key of their own, since there was no key of the hour.
        self.own = 0

    def seals(self, purpose: str) -> bool:
        """Return whether records of this purpose are sealed."""
        return purpose not in self._without

    def has(self, purpose: str) -> bool:
        """Return whether the key of this hour is there, or no key is needed."""
        return purpose in self._without or (purpose, self._hour()) in self._rows

    def hours_ahead(self, purpose: str) -> int:
        """Return for how many hours, with this one, there are keys without a gap."""
        hours, first = 0, self._hour()
        while (purpose, first + hours) in self._rows:
            hours += 1
        return hours

    def seal(self, purpose: str, place: bytes, plain: bytes, *, large: bool = False) -> bytes:
        """Return a record sealed, or as it is if its purpose is not sealed. Raises NoKey if the settings have no key."""
        if purpose in self._without:
            return plain
        key = self.key(purpose)
        if key.own:
            self.own += 1
        return key.seal(place, plain, large=large)

    def key(self, purpose: str) -> Key:
        """Return the key that seals now: the hour's, or else one of this process. Raises NoKey if the settings have no key."""
        current = self._current.get(purpose)
        if current is not None and self._clock() < current[0]:
            return current[1]
        hour = self._hour()
        key = self._of_table(purpose, hour) or self._made()
        self._current[purpose] = ((hour + 1) * HOUR - self._offset, key)
        return key

    def open(self, data: bytes, place: bytes) -> bytes:
        """Return the plain record; a record that is not sealed is returned as it is. Raises Tampered; Destroyed; NoKey if the record
        carries its key and the settings lack the key that encrypted it; and UnknownKey if a key of `unknown` was not taken."""
        return self.opening(data).open(data, place) if is_sealed(data) else data

    def opening(self, data: bytes) -> Key:
        """Return the key that opens a sealed record. Raises the errors of `open`."""
        id, own = key_of(data)
        key = self._keys.get(id) or self._before.get(id)
        if key is not None and key.own == own:
            return key
        if own:
            return self._keep(Key(id, self._wrapping.unseal(own, _own(id)), own))
        if (at := self._gone.get(id)) is not None:
            raise Destroyed(f"its key was destroyed on {at.astimezone(UTC):%Y-%m-%d}, when its retention had ended")
        raise UnknownKey(
            f"it was sealed with the key {UUID(bytes=id)}, which the table hour_keys does not have, or not whole"
        )

    def unknown(self, records: Iterable[bytes | None]) -> list[UUID]:
        """Return the ids of the keys that these records need and that were not taken yet."""
        ids = {id for data in records if data and (id := table_key_of(data)) is not None}
        # A key that is only in `_before` is taken again, so that it stays.
        return [id for id in ids if id.bytes not in self._keys and id.bytes not in self._gone]

    def take(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take rows of the table; a row that was changed there is left out. Raises NoKey if the settings lack the key that encrypted one of
        them."""
        if len(self._gone) >= MOST:
            self._gone.clear()
        for row in rows:
            if row["sealed"] is None:
                self._gone[row["id"].bytes] = row["destroyed_at"]
            else:
                with suppress(Tampered):
                    self._opened(_row(row))

    def take_ahead(self, rows: Iterable[Mapping[str, Any]], now: datetime) -> list[Row]:
        """Take the rows that the table has from this hour on (`now`: the database's time). Return rows for the hours that have no key yet;
        the caller writes them, and reads the table again. They include rows in memory that the table has lost, as after a restore of the
        database. Keys that were not needed for an hour are forgotten, so that a destroyed key is soon gone from memory. Raises NoKey if the
        settings have no key."""
        had, self._rows = self._rows, {}
        self._offset = now.timestamp() - self._clock()
        if self._clock() - self._since >= HOUR:
            self._renew()
        there = set()
        for row in rows:
            place = (row["purpose"], int(row["hour"].timestamp() // HOUR))
            there.add(place)
            if row["sealed"] is not None:
                self._rows[place] = _row(row)
        self._current.clear()
        first = self._hour()
        wanted = [(purpose, first + n) for purpose, hours in AHEAD.items() if self.seals(purpose) for n in range(hours)]
        return [had.get(place) or self._new(*place) for place in wanted if place not in there]

    def _new(self, purpose: str, number: int) -> Row:
        id, hour = UUID(bytes=os.urandom(16)), datetime.fromtimestamp(number * HOUR, UTC)
        return Row(id, purpose, hour, self._wrapping.seal(os.urandom(KEY_BYTES), context(id, purpose, hour)))

    def _opened(self, row: Row) -> Key:
        key = self._keys.get(row.id.bytes)
        if key is not None and not key.own:
            return key
        return self._keep(Key(row.id.bytes, self._wrapping.unseal(row.sealed, context(*row[:3]))))

    def _of_table(self, purpose: str, hour: int) -> Key | None:
        row = self._rows.get((purpose, hour))
        try:
            return None if row is None else self._opened(row)
        except (NoKey, Tampered):  # encrypted by a key of the settings that this process was not given, say
            return None

    def _made(self) -> Key:
        id, key = os.urandom(16), os.urandom(KEY_BYTES)
        return Key(id, key, self._wrapping.seal(key, _own(id)))

    def _keep(self, key: Key) -> Key:
        if len(self._keys) >= MOST:
            self._renew()
        self._keys[key.id] = key
        return key

    def _renew(self) -> None:
        self._before, self._keys, self._since = self._keys, {}, self._clock()

    def _hour(self) -> int:
        return int((self._clock() + self._offset) // HOUR)


def context(id: UUID, purpose: str, hour: datetime) -> str:
    """Return the context in which a key of the table is encrypted."""
    return f"hour key {id} of {purpose}, {hour.astimezone(UTC):%Y-%m-%dT%H}"


def _own(id: bytes) -> str:
    return f"own key {id.hex()}"


def _row(row: Mapping[str, Any]) -> Row:
    return Row(row["id"], row["purpose"], row["hour"], bytes(row["sealed"]))
