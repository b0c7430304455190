"""The spool on a real disk: durable, in order, bounded, handed on to the next process."""

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from webhooks.producer import Record
from webhooks.segments import pack
from webhooks.spool import Spool, Unkept

ROOT = Path(__file__).resolve().parents[3]


@asynccontextmanager
async def a_spool(folder: Path, limit: int = 1 << 20) -> AsyncIterator[Spool]:
    """A started spool, stopped at the end."""
    spool = Spool(folder, limit)
    await spool.start()
    yield spool
    await spool.stop()


def files(folder: Path, pattern: str) -> list[Path]:
    """Return the content of the spool's folders."""
    return list(folder.glob(f"*/{pattern}"))


def put(spool: Spool, value: bytes, traceparent: str | None = None) -> "asyncio.Future[None]":
    """Put one record; return its future."""
    waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    spool.put((value, traceparent, waiter))
    return waiter


async def drain(spool: Spool) -> list[Record]:
    """Return all records in the order in which they would go to Kafka, and remove them."""
    records: list[Record] = []
    while (segment := await spool.oldest()) is not None:
        records += await spool.read(segment)
        await spool.remove(segment)
    return records


async def test_in_order(tmp_path: Path) -> None:
    """What was put comes out in the same order, with its trace context; then nothing is left, on disk either."""
    async with a_spool(tmp_path) as spool:
        await asyncio.gather(*(put(spool, b"%d" % n, "00-a-b-01" if n == 7 else None) for n in range(3000)))
        assert (spool.records, spool.written) == (3000, 3000)
        assert spool.age > 0
        assert await drain(spool) == [(b"%d" % n, "00-a-b-01" if n == 7 else None) for n in range(3000)]
        assert (spool.records, spool.bytes, spool.age) == (0, 0, 0)
    assert [path.name for path in files(tmp_path, "*")] == ["lock"]


async def test_durable_when_asked(tmp_path: Path) -> None:
    """When a record's future resolves, its bytes are in the file, and the file was synced."""
    async with a_spool(tmp_path) as spool:
        await put(spool, b"kept")
        [file] = files(tmp_path, "*.spool")
        assert file.read_bytes() == pack([(b"kept", None)])


async def test_syncs_once_for_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Records that come together are synced together."""
    calls: list[None] = []
    really = os.fdatasync
    monkeypatch.setattr("webhooks.segments.os.fdatasync", lambda file: calls.append(really(file)))
    async with a_spool(tmp_path) as spool:
        await asyncio.gather(*(put(spool, b"x") for _ in range(500)))
    assert 1 <= len(calls) <= 3


async def test_full(tmp_path: Path) -> None:
    """Beyond its limit a record is refused, and what is there stays; when there is room again it takes more."""
    async with a_spool(tmp_path, limit=1000) as spool:
        await put(spool, b"x" * 990)
        with pytest.raises(Unkept, match="full"):
            await put(spool, b"y" * 200)
        assert (spool.records, spool.failed) == (1, 1)
        assert not spool.has_room
        assert await drain(spool) == [(b"x" * 990, None)]
        await put(spool, b"y" * 200)


async def test_a_small_one_still_fits(tmp_path: Path) -> None:
    """Of records that come together, those that fit are kept although another does not."""
    async with a_spool(tmp_path, limit=1000) as spool:
        reported = await asyncio.gather(
            put(spool, b"a"), put(spool, b"b" * 2000), put(spool, b"c"), return_exceptions=True
        )
        assert [isinstance(each, Unkept) for each in reported] == [False, True, False]
        assert await drain(spool) == [(b"a", None), (b"c", None)]


async def test_disk_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk fails nothing is acknowledged; what was before it is kept, and it works again when the disk does."""
    async with a_spool(tmp_path) as spool:
        await put(spool, b"before")
        with monkeypatch.context() as patch:

            def fail(_: int) -> None:
                raise OSError(5, "Input/output error")

            patch.setattr("webhooks.segments.os.fdatasync", fail)
            with pytest.raises(Unkept, match="Input/output"):
                await put(spool, b"lost")
            assert not spool.has_room
        await put(spool, b"after")
        assert spool.has_room
        assert await drain(spool) == [(b"before", None), (b"after", None)]


async def test_the_next_process_takes_over(tmp_path: Path) -> None:
    """What a process leaves is there for the next, before what comes later."""
    async with a_spool(tmp_path) as spool:
        await put(spool, b"first")
    async with a_spool(tmp_path) as spool:
        assert (spool.records, spool.bytes) == (1, len(pack([(b"first", None)])))
        await put(spool, b"second")
        assert await drain(spool) == [(b"first", None), (b"second", None)]


async def test_torn_by_a_kill(tmp_path: Path) -> None:
    """A write that was cut short is passed over; what was acknowledged before it is not."""
    async with a_spool(tmp_path) as spool:
        await put(spool, b"whole")
    [file] = files(tmp_path, "*.spool")
    with file.open("ab") as open_file:
        open_file.write(pack([(b"cut short", None)])[:-3])
    async with a_spool(tmp_path) as spool:
        assert spool.records == 1
        assert await drain(spool) == [(b"whole", None)]
        assert spool.bytes == 0
    assert not files(tmp_path, "*.damaged")


async def test_damage_is_put_aside(tmp_path: Path) -> None:
    """Bytes that were changed on disk are kept for an operator, and hold nothing up."""
    async with a_spool(tmp_path) as spool:
        await put(spool, b"whole")
        await put(spool, b"changed")
    [file] = files(tmp_path, "*.spool")
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    async with a_spool(tmp_path) as spool:
        assert await drain(spool) == [(b"whole", None)]
    [aside] = files(tmp_path, "*.damaged")
    assert b"change" in aside.read_bytes()


async def test_two_processes(tmp_path: Path) -> None:
    """Two at once have a folder each; one that starts later takes over what a dead one left, not what a live one has."""
    async with a_spool(tmp_path) as one:
        await put(one, b"one")
        async with a_spool(tmp_path) as two:
            assert two.records == 0
            await put(two, b"two")
        async with a_spool(tmp_path) as three:
            assert await drain(three) == [(b"two", None)]
        assert await drain(one) == [(b"one", None)]


async def test_segments_are_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A segment is closed when it is large, so that what is read to drain it fits into memory."""
    monkeypatch.setattr("webhooks.spool.SEGMENT", 1000)
    async with a_spool(tmp_path) as spool:
        for n in range(10):
            await put(spool, b"%d" % n * 600)
        assert len(files(tmp_path, "*.spool")) == 5
        assert [value[:1] for value, _ in await drain(spool)] == [b"%d" % n for n in range(10)]


FULL_DISK = """
import asyncio, resource, sys
from pathlib import Path
from webhooks.spool import Spool, Unkept

async def main():
    spool = Spool(Path(sys.argv[1]), 1 << 20)
    await spool.start()
    refused = 0
    for n in range(60):
        # No file may grow beyond this: the kernel itself fails the write, whole (EFBIG) or after a part of it.
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
        waiter = asyncio.get_running_loop().create_future()
        spool.put((b"x" * 700, None, waiter))
        try:
            await waiter
        except Unkept:
            refused += 1
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    kept = 0
    while (segment := await spool.oldest()) is not None:
        kept += len(await spool.read(segment))
        await spool.remove(segment)
    await spool.stop()
    print(refused, kept)

asyncio.run(main())
"""


@pytest.mark.parametrize(("room", "refused"), [(0, 60), (500, 60), (1000, 30)])
def test_a_disk_that_takes_no_more_is_not_filled_with_empty_files(tmp_path: Path, room: int, refused: int) -> None:
    """A write that the kernel fails leaves no file behind: inodes run out as blocks do. What was kept can be read."""
    program = [sys.executable, "-c", FULL_DISK, str(tmp_path), str(room)]
    ran = subprocess.run(program, capture_output=True, text=True, cwd=ROOT, timeout=60)
    assert ran.stdout.split()[-2:] == [str(refused), str(60 - refused)], ran.stderr
    assert [path.name for path in files(tmp_path, "*")] == ["lock"]


async def test_what_is_put_aside_counts(tmp_path: Path) -> None:
    """Files for an operator take from the room that there is, in this process and the next, until they are taken away."""
    async with a_spool(tmp_path, limit=2000) as spool:
        await spool.set_aside((b"x" * 1500, None))
        assert spool.aside == 1
        with pytest.raises(Unkept, match="full"):
            await put(spool, b"y" * 600)
    async with a_spool(tmp_path, limit=2000) as spool:
        assert spool.aside_bytes > 1500
        with pytest.raises(Unkept, match="full"):
            await put(spool, b"y" * 600)
        files(tmp_path, "*.refused")[0].unlink()
        spool._aside._weighed = 0.0
        await put(spool, b"y" * 600)


async def test_nothing_is_put_aside_by_halves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk does not take it, no part of it stays."""
    async with a_spool(tmp_path) as spool:
        with monkeypatch.context() as patch:

            def fail(_: int) -> None:
                raise OSError(28, "No space left on device")

            patch.setattr("webhooks.aside.os.fsync", fail)
            for _ in range(3):
                with pytest.raises(OSError, match="No space"):
                    await spool.set_aside((b"x" * 1500, None))
        assert not files(tmp_path, "*.refused")
        assert spool.aside_bytes == 0
