"""Anchors of the audit by two processes at once, of which one is killed at each of its steps: at every sink they are whole, in order, and
of one chain."""

import asyncio
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest
from aiokafka import AIOKafkaConsumer

from app.auditing.anchors import anchor_of, is_cut, new_key, private_key, public_text
from app.auditing.bucket import lines, reading
from app.settings.auditing import Audit
from sql import EventStore
from tests.conftest import Dsns, NewTopicFunction
from tests.integration.auditing import AT_ONCE, found, owner
from tests.integration.callbacks import Receiver, receiving
from tests.integration.command_line import command, on_store
from tests.integration.erasures import read
from tests.support.keys import SEAL
from tests.support.s3 import BUCKET, Moto, moto

ROOT = Path(__file__).parents[2]
KEY = new_key()
PUBLIC = [private_key(KEY).public_key()]
#: Writes entries, seals them and anchors at every sink, without end; killed before the step of this number, or never.
RIVAL = """
import asyncio, os, sys
import orjson
from psycopg import AsyncConnection
from datetime import timedelta
from agents.auditing.anchoring import Anchoring
from agents.health import WorkerHealth
from agents.transport import Transport
from app.settings import Settings
from sql import EventStore
from tests.integration.auditing import AT_ONCE, write
from tests.support.keys import SEAL
from tests.support.killed import kill_before

given = orjson.loads(sys.stdin.buffer.readline())

async def main(name):
    transport = Transport(timeout=5)
    async with await EventStore.open(given["dsn"], SEAL, pool=1) as store:
        one = Anchoring(store, WorkerHealth(), Settings.model_validate(given["settings"]), transport)
        one._every = timedelta(0)
        while not os.path.exists(given["end"]):
            await write(store, 3)
            await store.seal_audit(AT_ONCE)
            for sink in one.sinks:
                if await one.anchor(sink):
                    os.write(1, f"{name} {sink}\\n".encode())
    await transport.close()

if not given["steps"]:
    asyncio.run(main("lives"))
for step in range(given["steps"]):
    child = os.fork()
    if not child:
        kill_before(step, (AsyncConnection, ["execute", "commit"]), (os, ["fsync"]))
        asyncio.run(main("dies"))
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == -9
"""
#: Steps before each of which a process is killed: several rounds through all sinks.
STEPS = 60


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Moto]:
    """moto's server."""
    with moto(tmp_path_factory.mktemp("moto") / "log") as running:
        if running is None:
            pytest.skip("moto_server is not on the PATH: see test_blobs_s3")
        yield running


async def rival(given: dict[str, Any]) -> asyncio.subprocess.Process:
    """Start a process that writes, seals and anchors."""
    pipe = asyncio.subprocess.PIPE
    started = await asyncio.create_subprocess_exec(sys.executable, "-c", RIVAL, stdin=pipe, stdout=pipe, cwd=ROOT)
    assert started.stdin is not None
    started.stdin.write(orjson.dumps(given) + b"\n")
    return started


async def in_topic(bootstrap: str, topic: str) -> list[bytes]:
    """Return the records of a topic with one partition, in order."""
    consumer = AIOKafkaConsumer(topic, bootstrap_servers=bootstrap, auto_offset_reset="earliest")
    await consumer.start()
    read: list[bytes] = []
    try:
        while page := await consumer.getmany(timeout_ms=3000):
            read += [record.value for records in page.values() for record in records]
    finally:
        await consumer.stop()
    return read


async def test_two_processes_anchor_one_chain(
    postgres_dsn: Dsns, kafka_bootstrap: str, new_topic: NewTopicFunction, server: Moto, tmp_path: Path
) -> None:
    """One goes on while another is killed before each statement, and each write to disk, in turn. What a sink is noted to have taken it
    has; all anchors of a batch say the same; none comes after one of a later batch; and `audit verify` takes those of every sink, and
    finds by each of them a chain that was written anew."""
    topic = await new_topic("audit.anchors.rivals", partitions=1)
    file, end = tmp_path / "anchors", tmp_path / "end"
    s3 = {
        "bucket": BUCKET,
        "endpoint": server.endpoint,
        "access_key_id": server.key,
        "secret_access_key": server.secret,
    }
    async with receiving(Receiver()) as receiver, await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        audit = {"key": KEY, "anchor_file": str(file), "anchor_url": receiver.url, "anchor_topic": topic, "s3": s3}
        given = {"dsn": postgres_dsn.service, "end": str(end), "steps": 0}
        given["settings"] = {"audit": audit, "kafka": {"bootstrap": kafka_bootstrap}}
        lives, dies = await rival(given), await rival(given | {"steps": STEPS})
        await dies.communicate()
        assert dies.returncode == 0
        end.touch()
        anchored, _ = await lives.communicate()
        assert lives.returncode == 0 and len(set(anchored.split(b"\n"))) > 4
        await store.seal_audit(AT_ONCE)

        bucket = reading(Audit.model_validate(audit), f"s3://{BUCKET}")
        kept = {
            "file": file.read_bytes().splitlines(),
            "http": [post.body for post in receiver.posted],
            "kafka": await in_topic(kafka_bootstrap, topic),
            "s3": [line for _, line in lines(bucket)],
        }
        bucket.close()
        noted = "SELECT sink || ' ' || batch || ' ' || encode(head, 'hex') FROM audit_anchors"
        taken = {sink: [anchor_of(line, PUBLIC) for line in rows if not is_cut(line)] for sink, rows in kept.items()}
        said = {f"{sink} {one.batch} {one.head.hex()}" for sink, anchors in taken.items() for one in anchors}
        assert set(await read(postgres_dsn.owner, noted)) <= said
        for sink, anchors in taken.items():
            assert len(anchors) > 5, sink
            assert len({one.batch for one in anchors}) == len({(one.batch, one.head, one.entries) for one in anchors})
            assert [one.batch for one in anchors] == sorted(one.batch for one in anchors), sink
        assert await found(store, [one for anchors in taken.values() for one in anchors]) == []
        await verified(postgres_dsn, tmp_path, kept, 0)
        await rewritten(store, postgres_dsn)
        await verified(postgres_dsn, tmp_path, kept, 1)


async def rewritten(store: EventStore, dsns: Dsns) -> None:
    """As the owner, alter the first entry and seal all of them anew, with right hashes, and forget which anchors were noted."""
    await owner(
        dsns,
        "UPDATE threadline.audit SET subject = 'other' WHERE position = (SELECT min(position) FROM threadline.audit)",
    )
    await owner(dsns, "TRUNCATE threadline.audit_heads, threadline.audit_anchors")
    while await store.seal_audit(AT_ONCE):
        pass
    assert await found(store) == []


async def verified(dsns: Dsns, folder: Path, kept: dict[str, list[bytes]], code: int) -> None:
    """Check what each sink has by the command."""
    for sink, rows in kept.items():
        (copy := folder / sink).write_bytes(b"\n".join(rows) + b"\n")
        options = ("audit", "verify", "--public-key", public_text(private_key(KEY)), "--anchor", str(copy))
        ran = await command(*options, environment=on_store(dsns.service, folder))
        assert ran.code == code, (sink, ran)
