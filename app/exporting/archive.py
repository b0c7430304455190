"""Writes the ZIP of an export piece by piece, so that its memory does not grow with the customer's history."""

import asyncio
import zipfile
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime

#: Bytes that are gathered before they are given on.
PIECE = 64 << 10


class _Sink:
    """What the ZIP is written to: bytes that nobody can go back to."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self.size = 0

    def write(self, data: bytes) -> int:
        """Take some bytes."""
        self._parts.append(bytes(data))
        self.size += len(data)
        return len(data)

    def flush(self) -> None:
        """Do nothing, since nothing is held back."""

    def take(self) -> bytes:
        """Return what came since the last time."""
        taken = b"".join(self._parts)
        self._parts.clear()
        self.size = 0
        return taken


async def archived(members: Mapping[str, AsyncIterator[bytes]], at: datetime) -> AsyncIterator[bytes]:
    """Yield a ZIP with these files, all of the time `at` (in UTC, as a ZIP has no zone), in pieces."""
    sink = _Sink()
    with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:  # type: ignore[call-overload]  # it needs no more than write
        for name, pieces in members.items():
            entry = zipfile.ZipInfo(name, at.astimezone(UTC).timetuple()[:6])
            entry.compress_type = zipfile.ZIP_DEFLATED
            # Its size is not known before: above 2 GiB it needs the long form.
            with archive.open(entry, "w", force_zip64=True) as member:
                async for piece in pieces:
                    await asyncio.to_thread(member.write, piece)
                    if sink.size >= PIECE:
                        yield sink.take()
    yield sink.take()
