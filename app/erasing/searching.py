"""Searches a database, or a file that pg_dump made, for the forms of an address. Reads a block at a time."""

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from app.embedded.postgres import installed
from app.embedded.process import StartFailed
from app.erasing.needles import found_in
from sql.whole import BLOCK, whole

#: What a file of pg_dump in its custom form begins with; and in tar's, at an offset.
_CUSTOM, _TAR, _TAR_AT = b"PGDMP", b"ustar", 257


class NotReadable(Exception):
    """The dump cannot be read; the message says why."""


class Found:
    """What was found: the names of the forms, by the place (a table, or a file)."""

    def __init__(self, forms: dict[bytes, str]) -> None:
        self._forms, self._longest = forms, max(map(len, forms), default=1)
        self.places: dict[str, set[str]] = {}
        self.searched: list[str] = []
        self.bytes = 0
        self._last = b""

    def begin(self, place: str) -> None:
        """Begin with a place."""
        self.searched.append(place)
        self._last = b""

    def feed(self, block: bytes) -> None:
        """Search a block of the present place, also across the border to the one before it."""
        self.bytes += len(block)
        data = self._last + block
        if names := found_in(data, self._forms):
            self.places.setdefault(self.searched[-1], set()).update(names)
        self._last = data[-self._longest :]


async def search_database(dsn: str, found: Found) -> list[str]:
    """Search every table of the database as it is; return those that this role may not read. Raises psycopg.Error."""
    refused, last = [], None
    async for table, block in whole(dsn):
        if block is None:
            refused.append(table)
            continue
        if table != last:
            found.begin(table)
            last = table
        await asyncio.to_thread(found.feed, block)
    return refused


def search_dump(file: Path, found: Found) -> None:
    """Search a file of pg_dump, plain or custom. Raises NotReadable, and OSError."""
    found.begin(file.name)
    with file.open("rb") as opened:
        head = opened.read(_TAR_AT + len(_TAR))
        opened.seek(0)
        if head.startswith(_CUSTOM):
            for block in _restored(file):
                found.feed(block)
            return
        if head[_TAR_AT:] == _TAR or head[:2] in (b"\x1f\x8b", b"PK") or head[:4] == b"\x28\xb5\x2f\xfd":
            raise NotReadable("it is packed: unpack it, or make it with pg_dump --format=plain or --format=custom")
        while block := opened.read(BLOCK):
            found.feed(block)


def _restored(file: Path) -> Iterator[bytes]:
    """Yield a custom dump as the SQL that pg_restore makes of it: that of the embedded PostgreSQL, which is of the newest release, else
    one of the PATH."""
    try:
        program: str | None = str(installed() / "bin" / "pg_restore")
    except StartFailed:
        program = shutil.which("pg_restore")
    if program is None:
        raise NotReadable("pg_restore is not on the PATH, which unpacks a custom dump: make it with --format=plain")
    with subprocess.Popen([program, "--file=-", str(file)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as run:  # noqa: S603
        assert run.stdout is not None and run.stderr is not None
        while block := run.stdout.read(BLOCK):
            yield block
        words = run.stderr.read(500).decode("utf-8", "replace").strip()
    if run.returncode:
        raise NotReadable(f"{words} (by {program}; a dump of a newer release is read as --format=plain)")
