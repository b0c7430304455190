"""The folder of blobs: what is stored, how long, and what is refused; and large bodies on their way there."""

import asyncio
import errno
import os
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.unit.webhooks.doors import DoorUnderTest
from webhooks.aggregate import Door
from webhooks.blobs import NoBlob, StoreAway, StoreFull, matches, name_of
from webhooks.blobs.arriving import Arriving, Large
from webhooks.blobs.folder import ABANDONED, Folder
from webhooks.limits import Limits
from webhooks.record import decode, encode
from webhooks.replies import Refused

BODY = b"a photo" * 100
NAME = name_of("acme", sha256(BODY).digest())
DAY = 86400.0


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder of blobs that takes 10,000 bytes."""
    made = Folder(tmp_path / "blobs", 10_000)
    made.start()
    return made


def arrived(folder: Folder, body: bytes = BODY) -> Path:
    """A file in `incoming`."""
    path = folder.incoming / f"{time.monotonic_ns()}"
    path.write_bytes(body)
    return path


def files(folder: Folder) -> list[Path]:
    return [path for path in folder.root.rglob("*") if path.is_file() and path.name != "lock"]


def test_a_blob_is_named_by_its_client_and_its_bytes() -> None:
    """SHA-256 of the client, a zero byte, and the SHA-256 of the bytes: another client's is another blob."""
    assert NAME == sha256(b"acme\0" + sha256(BODY).digest()).hexdigest()
    assert matches(NAME, "acme", BODY)
    assert not matches(NAME, "other", BODY)
    assert not matches(NAME, "acme", BODY + b"x")


def test_what_is_stored_is_read(folder: Folder) -> None:
    """Byte for byte, and `incoming` is empty again."""
    folder.put(NAME, arrived(folder), len(BODY))
    assert folder.read(NAME) == BODY
    assert files(folder) == [folder.root / NAME[:2] / NAME]


def test_two_processes_store_the_same_once(folder: Folder) -> None:
    """Two doors with one folder: the second finds the blob, and it counts as stored now."""
    folder.put(NAME, arrived(folder), len(BODY))
    path = folder.root / NAME[:2] / NAME
    os.utime(path, (1, 1))
    Folder(folder.root, 10_000).put(NAME, arrived(folder), len(BODY))
    assert files(folder) == [path]
    assert time.time() - path.stat().st_mtime < 60


def test_a_missing_blob_and_a_missing_folder_are_different(folder: Folder) -> None:
    """A blob that was deleted never comes back; a file system that is not mounted does."""
    with pytest.raises(NoBlob):
        folder.read(NAME)
    with pytest.raises(NoBlob):
        folder.renew(NAME)
    away = Folder(folder.root / "elsewhere", 10_000)
    with pytest.raises(StoreAway):
        away.read(NAME)
    with pytest.raises(StoreAway):
        away.renew(NAME)


def test_blobs_are_deleted_by_age(folder: Folder) -> None:
    """What was stored or renewed within the time stays; older ones go, and files of processes that were killed."""
    other = name_of("acme", sha256(b"x").digest())
    folder.put(NAME, arrived(folder), len(BODY))
    folder.put(other, arrived(folder, b"x"), 1)
    fresh, orphan = arrived(folder), arrived(folder)
    for name in (NAME, other):
        os.utime(folder.root / name[:2] / name, (time.time() - 32 * DAY,) * 2)
    os.utime(orphan, (time.time() - ABANDONED - 60,) * 2)
    folder.renew(NAME)
    assert folder.sweep(31 * DAY) == 2
    assert sorted(files(folder)) == sorted([folder.root / NAME[:2] / NAME, fresh])


def test_what_a_killed_process_left_takes_no_room(folder: Folder) -> None:
    """Its half files are deleted when the folder is measured, also on a machine where nothing sweeps."""
    orphan, fresh = arrived(folder, b"x" * 9_000), arrived(folder)
    os.utime(orphan, (time.time() - ABANDONED - 60,) * 2)
    folder.room(len(BODY))
    assert files(folder) == [fresh] and folder.used() == len(BODY)


def test_a_full_folder_refuses(folder: Folder) -> None:
    """Beyond its bytes nothing is stored; after a sweep there is room again."""
    big = b"x" * 9_800
    folder.put(name_of("acme", sha256(big).digest()), arrived(folder, big), len(big))
    with pytest.raises(StoreFull, match="9800 of 10000 bytes"):
        folder.room(len(BODY))
    for path in files(folder):
        os.utime(path, (1, 1))
    folder.sweep(DAY)
    folder.room(len(BODY))


async def test_a_large_body_is_a_reference(folder: Folder) -> None:
    """The door keeps a record with the reference alone; the blob has the body. A small one stays in its record."""
    door = door_with(folder, over=1000)
    answered = await door.ask("POST", "/webhooks/aggregate/open", body=[b"[]", b" " * 600, b" " * 600])
    assert answered is not None and answered.status == 200
    small = await door.ask("POST", "/webhooks/aggregate/open", body=b"[]" + b" " * 998)
    assert small is not None and small.status == 200
    [(first, _), (second, _)] = door.keep.kept
    assert first.blob is not None and first.body == b"" and first.blob.size == 1202
    assert folder.read(first.blob.name) == b"[]" + b" " * 1200
    assert second.blob is None and len(second.body) == 1000
    assert decode(encode(first)) == first
    assert not list(folder.incoming.iterdir())


async def test_a_body_that_does_not_verify_is_not_stored(folder: Folder) -> None:
    """Whoever has no secret stores nothing: its file is deleted."""
    door = door_with(folder, over=1000)
    answered = await door.ask("POST", "/webhooks/aggregate/twilio", body=b"x" * 2000)
    assert answered is not None and answered.status == 401
    assert not files(folder) and not door.keep.kept


async def test_no_room_is_503_with_retry_after(folder: Folder) -> None:
    """A body larger than all blobs may be is 413; one that has no room now comes again later."""
    door = door_with(folder, over=1000, max_body=20_000)
    body = b"x" * 9_000
    folder.put(name_of("acme", sha256(body).digest()), arrived(folder, body), len(body))
    full = await door.ask("POST", "/webhooks/aggregate/open", {"content-length": "5000"}, b"[]".ljust(5000))
    assert full is not None and (full.status, full.headers["retry-after"]) == (503, "10")
    never = await door.ask("POST", "/webhooks/aggregate/open", {"content-length": "15000"}, b"[]".ljust(15_000))
    assert never is not None and never.status == 413


async def test_a_full_disk_is_503(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the disk takes no more the caller gets 503, and the file is deleted."""
    door = door_with(folder, over=1000)

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("webhooks.blobs.arriving.os.write", full)
        answered = await door.ask("POST", "/webhooks/aggregate/open", body=b"[]".ljust(2000))
    assert answered is not None and (answered.status, answered.headers["retry-after"]) == (503, "10")
    assert not files(folder) and not door.keep.kept


async def test_large_bodies_wait_for_their_turn(folder: Folder) -> None:
    """So many bytes of large bodies are in memory at once, or one body; the next waits until one is done."""
    large = Large(folder, over=1000, in_memory=100)
    order: list[str] = []

    async def hold(name: str, size: int, release: asyncio.Event) -> None:
        async with large.turn(size):
            order.append(name)
            await release.wait()

    first, others = asyncio.Event(), asyncio.Event()
    others.set()
    tasks = [asyncio.create_task(hold("first", 500, first))]
    await asyncio.sleep(0)
    tasks += [asyncio.create_task(hold(name, 60, others)) for name in ("second", "third")]
    await asyncio.sleep(0.01)
    assert order == ["first"] and large.in_memory == 500
    first.set()
    await asyncio.gather(*tasks)
    assert order == ["first", "second", "third"] and large.in_memory == 0


async def test_who_waits_too_long_is_refused(folder: Folder, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 503, so that the provider sends it again."""
    monkeypatch.setattr("webhooks.blobs.arriving.PATIENCE", 0.01)
    large = Large(folder, over=1000, in_memory=100)
    async with large.turn(500):
        with pytest.raises(Refused) as refused:
            async with AsyncExitStack() as stack:
                await stack.enter_async_context(large.turn(1))
    assert (refused.value.status, refused.value.retry_after) == (503, 10)


async def test_a_caller_who_leaves_leaves_no_file(folder: Folder) -> None:
    """What arrived of a body whose caller has gone is deleted."""
    door = door_with(folder, over=1000)
    path = "/webhooks/aggregate/open"
    assert await door.ask("POST", path, body=[b"x" * 2000, b"y"], whole=False, disconnect=True) is None
    assert not files(folder)


@pytest.fixture(autouse=True)
def _no_file_is_left_open() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) <= before + 4


def door_with(folder: Folder, *, over: int, max_body: int = 5_000) -> DoorUnderTest:
    """A door that keeps large bodies in this folder."""
    made = DoorUnderTest(Limits(max_body=max_body), None)
    large = Large(folder, over=over, in_memory=1 << 20)
    made.door = Door(made.door.sources, made.keep, Limits(max_body=max_body), large=large)  # type: ignore[arg-type]
    return made


def test_an_arriving_body_is_hashed_as_it_is_written(folder: Folder) -> None:
    """Its reference is that of the bytes on disk."""

    async def write() -> tuple[str, bytes]:
        one = Arriving(folder)
        for at in range(0, len(BODY), 7):
            await one.add(BODY[at : at + 7])
        await one.finish()
        named, body = one.reference("acme").name, await one.read()
        await one.close()
        return named, body

    assert asyncio.run(write()) == (NAME, BODY)
