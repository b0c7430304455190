"""Archives the months of the log that are old enough, step by step, and restores them.

Each step may be the last one of a killed process: the next run finds what is there and goes on. A month's partition is detached only
after all its files were read back in the same run and have as many events as it has.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psycopg
import pyarrow as pa
from psycopg import Connection
from psycopg.rows import DictRow, dict_row

from sql.archive import ArchiveError, Files
from sql.archive.parquet import checksum_of, columns_of, digest_of, read, write
from sql.statements import statement

#: Events of one file, and tries to get the lock to detach a partition, with seconds between them.
PART, TRIES, PAUSE = 1_000_000, 20, 2.0

#: Called after each step with its month and what was done, in words.
Note = Callable[[date, str], object]
_BEGINNING: dict[str, Any] = {"after_xid": 0, "after_position": 0, "limit": 0, "columns": []}


class Month(NamedTuple):
    """A month of the log: its first day, its partition (None once dropped), whether that is attached, its files and their events,
    how many of the files were read back, the partition's bytes, and whether it is old enough."""

    month: date
    name: str | None
    attached: bool
    files: int
    events: int
    verified: int
    bytes: int | None
    due: bool


class Archive:
    """The archive of one database, through a connection of its owner."""

    def __init__(self, db: Connection[DictRow], files: Files, folder: Path, note: Note) -> None:
        self._db, self._files, self._folder, self._note = db, files, folder, note

    @classmethod
    @contextmanager
    def open(cls, owner_dsn: str, files: Files, note: Note = lambda month, done: None) -> Iterator["Archive"]:
        """Open it, alone: no rebuild or archive of this database runs meanwhile. Raises ArchiveError if one does."""
        with (
            psycopg.connect(owner_dsn, autocommit=True, row_factory=dict_row) as db,
            TemporaryDirectory(prefix="threadline-archive-") as folder,
        ):
            if not db.execute(statement("rebuild_lock")).fetchall()[0]["mine"]:
                raise ArchiveError("a rebuild or an archive of this database is under way")
            db.execute(statement("archive_session"))
            yield cls(db, files, Path(folder), note)

    def months(self, after_months: int) -> list[Month]:
        """Return all months. One is due so many months after its end."""
        rows = self._db.execute(statement("archive_months"), {"after_months": after_months}).fetchall()
        return [Month(**row) for row in rows]

    def archive(self, after_months: int) -> None:
        """Archive and drop the months that are due. Raises ArchiveError, and psycopg.Error; what was done stays done."""
        for each in self.months(after_months):
            if each.name is not None and (each.due or not each.attached):
                self.drop(each.month, attached=each.attached)

    def drop(self, month: date, *, attached: bool) -> None:
        """Write what is missing of a month, read all of it back, and drop its partition. Raises as `archive` does."""
        if attached:
            if why := self._blocked(month):
                self._note(month, f"stays: {why}")
                return
            self._write(month)
        kept = self._verify(month)
        statements = self._statements(month)
        there = self._run(statements["count"]).fetchall()[0]["events"]
        if there != kept:
            raise ArchiveError(f"{month:%Y-%m} has {there} events, and its files {kept}: it is not dropped")
        if attached:
            self._locked(statements["detach"])
            self._note(month, "detached")
        self._locked(statements["drop"])
        self._note(month, "dropped")

    def restore(self, month: date) -> None:
        """Bring a month back from its files, in one transaction. Raises ArchiveError where there is none, or one is missing or changed."""
        if not (files := self._file_rows(month)):
            raise ArchiveError(f"the archive has no files of {month:%Y-%m}")
        with self._db.transaction():
            self._run(self._statements(month)["make"])
            for row in files:
                file = self._fetched(row)
                into = self._statements(month, columns=columns_of(file))["copy_in"]
                with self._db.cursor().copy(into) as copy:
                    for rows in read(file):
                        copy.write(rows)
                file.unlink()
            self._run(self._statements(month)["attach"])
        self._note(month, "restored")

    def _write(self, month: date) -> None:
        """Write the events after those of the last file that is noted, part by part."""
        columns = {row["name"]: row["type"] for row in self._db.execute(statement("archive_columns")).fetchall()}
        rows = self._file_rows(month)
        part = len(rows)
        place = (rows[-1]["last_xid"], rows[-1]["last_position"]) if rows else (0, 0)
        while True:
            part += 1
            file = self._folder / "part"
            after = self._statements(month, after_xid=place[0], after_position=place[1], limit=PART)
            with self._db.cursor().copy(after["copy_out"]) as copy:
                written = write((bytes(row) for row in copy), columns, file)
            if not written.events:
                return
            name = f"{month:%Y-%m}/{part:05}.parquet"
            self._files.put(name, file)
            self._db.execute(
                statement("archive_note"), {"month": month, "part": part, "file": name} | written._asdict()
            )
            self._note(month, f"wrote {name}: {written.events:,} event{'' if written.events == 1 else 's'}")
            place = written.last_xid, written.last_position

    def _verify(self, month: date) -> int:
        """Read all files of a month back; return how many events they have."""
        rows = self._file_rows(month)
        for row in rows:
            self._fetched(row).unlink()
            self._db.execute(statement("archive_verified"), {"month": month, "part": row["part"]})
            self._note(month, f"read {row['file']} back")
        return sum(row["events"] for row in rows)

    def _fetched(self, row: DictRow) -> Path:
        """Return a file of the archive on this machine. Raises ArchiveError where it is not what was written."""
        file = self._folder / "back"
        self._files.get(row["file"], file)
        try:
            same = checksum_of(file) == row["checksum"] and digest_of(file) == row["digest"]
        except (OSError, pa.ArrowException) as error:
            raise ArchiveError(f"{row['file']} cannot be read: {error}") from error
        if not same:
            raise ArchiveError(f"{row['file']} is not what was written: its digest differs")
        return file

    def _blocked(self, month: date) -> str | None:
        since = datetime(month.year, month.month, 1, tzinfo=UTC)
        until = since.replace(year=month.year + month.month // 12, month=month.month % 12 + 1)
        row = self._db.execute(statement("archive_blocked"), {"since": since, "until": until}).fetchone()
        return row["reason"] if row else None

    def _file_rows(self, month: date) -> list[DictRow]:
        return self._db.execute(statement("archive_files"), {"month": month}).fetchall()

    def _statements(self, month: date, **parameters: Any) -> DictRow:
        return self._db.execute(statement("archive_statements"), _BEGINNING | {"month": month} | parameters).fetchall()[
            0
        ]

    def _run(self, text: str) -> psycopg.Cursor[DictRow]:
        return self._db.execute(text)

    def _locked(self, text: str) -> None:
        """Run a statement that needs a lock which readers and writers of the log hold too, for a moment each."""
        for attempt in range(1, TRIES + 1):
            try:
                self._run(text)
                return
            except (psycopg.errors.LockNotAvailable, psycopg.errors.DeadlockDetected) as error:
                if attempt == TRIES:
                    raise ArchiveError(
                        "the log is in use all the time: the lock to drop a month was not available"
                    ) from error
                time.sleep(PAUSE)
