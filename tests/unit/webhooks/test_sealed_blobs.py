"""Large bodies are sealed from their first byte on disk on, and read back whole or not at all."""

import hashlib
import random
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from agents.health import WorkerHealth
from agents.records.large import DAMAGED, LargeRecords
from sql.hour_keys import HourKeys
from sql.sealing import Tampered
from tests.support.keys import SEAL
from webhooks.blobs import Reference, name_of
from webhooks.blobs.arriving import PIECE, Arriving
from webhooks.blobs.folder import Folder
from webhooks.blobs.sealed import MAGIC, is_sealed, open_frames, opened
from webhooks.record import Webhook, encode, is_large

AT = datetime(2026, 11, 29, tzinfo=UTC)
MARKER = b"a text that Ana wrote "
BODY = MARKER * (3 * PIECE // len(MARKER)) + b"end"


async def arrived(folder: Folder, hours: HourKeys | None, body: bytes = BODY) -> tuple[Reference, bytes]:
    """Let a body arrive in parts and be stored; its reference, and what is on disk."""
    one = Arriving(folder, hours)
    for at in range(0, len(body), 100_000):
        await one.add(body[at : at + 100_000])
        assert hours is None or MARKER not in one.path.read_bytes()
    await one.finish()
    assert await one.read() == body and one.size == len(body) and one.stored == one.path.stat().st_size
    reference = one.reference("acme")
    folder.put(reference.name, one.path, one.stored)
    await one.close()
    return reference, folder.read(reference.name)


def keys(hours: HourKeys) -> Any:
    """What has these keys, and no table."""

    async def none(_: Any) -> None: ...

    return SimpleNamespace(hours=hours, keys_for=none)


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    """A folder with room."""
    made = Folder(tmp_path / "blobs", 1 << 30)
    made.start()
    return made


async def test_a_body_is_on_disk_sealed_and_is_read_back(folder: Folder) -> None:
    """Under the same name as unsealed, since that is of what it says; stored again it is sealed anew, and weighs once."""
    hours = HourKeys(SEAL)
    reference, first = await arrived(folder, hours)
    assert is_sealed(first) and MARKER not in first and len(first) < len(BODY) + 2000
    assert reference == Reference(name_of("acme", hashlib.sha256(BODY).digest()), len(BODY))
    again, second = await arrived(folder, hours)
    assert again == reference and second != first
    assert await opened(first, keys(hours)) == await opened(second, keys(HourKeys(SEAL))) == BODY
    assert await opened(BODY, keys(hours)) == BODY


async def test_frames_cannot_be_changed_moved_or_left_out(folder: Folder) -> None:
    """Nor taken from another body, or cut at the end of one."""
    hours = HourKeys(SEAL)
    _, data = await arrived(folder, hours)
    _, other = await arrived(folder, hours, BODY[::-1])
    at, frames = len(MAGIC) + 16, []
    while at < len(data):
        end = at + 4 + int.from_bytes(data[at : at + 4], "big")
        frames.append(data[at:end])
        at = end
    head, start = data[: len(MAGIC) + 16], random.Random(1)
    assert len(frames) >= 4 and open_frames(head + b"".join(frames), hours) == BODY
    wrong = [
        frames[:-1],
        frames[1:],
        frames[:1] + frames[2:],
        [frames[1], frames[0], *frames[2:]],
        [],
        [*frames, frames[-1]],
    ]
    for some in wrong:
        with pytest.raises(Tampered):
            open_frames(head + b"".join(some), hours)
    with pytest.raises(Tampered):
        open_frames(other[: len(head)] + b"".join(frames), hours)
    for place in start.sample(range(len(MAGIC), len(data)), 100):
        with pytest.raises(Tampered):
            open_frames(data[:place] + bytes((data[place] ^ 1,)) + data[place + 1 :], HourKeys(SEAL))


@pytest.mark.parametrize("sealed", [True, False])
@pytest.mark.parametrize("body", [BODY, MAGIC + BODY])
async def test_the_worker_reads_bodies_from_before_too(folder: Folder, sealed: bool, body: bytes) -> None:
    """Also one that nobody sealed and that begins as if; a damaged one is a dead letter."""
    hours = HourKeys(SEAL)
    reference, data = await arrived(folder, hours if sealed else None, body)
    webhook = Webhook(
        "0193a5c2-1111-7aaa-8bbb-0123456789ab", "open", "postmark", "acme", "POST", "https://h.test/", {}, AT, True, b""
    )
    webhook.blob = reference
    record = SimpleNamespace(
        topic="webhooks.received", partition=0, offset=1, timestamp=0, headers=(), value=encode(webhook)
    )
    large, read = LargeRecords(folder, WorkerHealth(), 1 << 20, keys(HourKeys(SEAL))), []
    assert (await large.outcome(record, lambda _, found: read.append(found))).letter is None
    assert read == [body]
    place = next(folder.root.glob(f"??/{reference.name}"))
    place.write_bytes(data[:-20] + b"x" * 20)
    letter = (await large.outcome(record, lambda _, found: read.append(found))).letter
    assert letter is not None and len(read) == 1
    assert ("cannot be opened" in letter.reason) is (sealed or body is not BODY) or letter.reason == DAMAGED
    record.value = HourKeys(SEAL).seal("records", b"webhooks.received", record.value, large=True)
    assert is_large(record)
