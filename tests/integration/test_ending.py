"""A worker ends within ten seconds of SIGTERM, in whatever state it is, and by itself where it can do nothing more.

Real processes, with a PostgreSQL and a Kafka of their own that are halted, killed, or well.
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from agents.process.ending import CUT_SHORT
from agents.process.watch import STALLED
from tests.integration.worker import Servers, at_work, serving
from tests.support.waiting import eventually

WITHIN = 10.5  # seconds: what is promised, and what it takes to start counting

#: Each makes the worker that runs after it misbehave in one way.
LOOP = """
import agents.reported, time
began, prepare = time.time(), agents.reported.prepare
def loop(record, **more):
    if record.timestamp / 1000 < began: return prepare(record, **more)  # left by the test before
    while True: pass
agents.reported.prepare = loop
"""
HOLD = """
import agents.reported, ctypes, time
began, prepare = time.time(), agents.reported.prepare
def hold(record, **more):
    if record.timestamp / 1000 < began: return prepare(record, **more)  # left by the test before
    library, mutex = ctypes.PyDLL(None), ctypes.create_string_buffer(64)
    library.pthread_mutex_lock(mutex)
    library.pthread_mutex_lock(mutex)  # a call that never gives the interpreter back, whatever signal comes
agents.reported.prepare = hold
"""
RAISE = """
import agents.process.parts
async def broken(*_): raise RuntimeError("telling is broken for good")
agents.process.parts.notify = broken
"""
SILENT = """
import asyncio, agents.pipeline
async def silent(*_): await asyncio.Event().wait()
agents.pipeline.Pipeline._finish = silent
"""
HANG = """
import asyncio, faust
async def hang(self): await asyncio.Event().wait()
faust.App.stop = hang
"""
FULL = """
import os
from agents.process.ending import Ending
begin = Ending.begin
def full(self):
    reading, writing = os.pipe()  # nobody reads
    os.set_blocking(writing, False)
    try:
        while os.write(writing, b"." * 4096): pass
    except BlockingIOError: os.set_blocking(writing, True)
    for stream in (1, 2): os.dup2(writing, stream)
    begin(self)
Ending.begin = full
"""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def servers() -> AsyncIterator[Servers]:
    """For all tests of this file: each leaves them running."""
    async with serving() as made:
        yield made


pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_idle_it_ends_at_once(servers: Servers) -> None:
    """With the status of an orderly end."""
    async with at_work(servers) as worker:
        await worker.start()
        status, took = await worker.end()
    assert (status, took < WITHIN) == (0, True), took


async def test_a_pause_is_no_signal(servers: Servers) -> None:
    """A worker that was stopped for longer than it waits for anything, and goes on (SIGSTOP and SIGCONT, as a debugger, a paused
    container or a moved virtual machine does), goes on working, and ends when it is asked to."""
    async with at_work(servers) as worker:
        await worker.start()
        assert worker.child is not None
        for _ in range(3):
            os.kill(worker.child.pid, signal.SIGSTOP)
            await asyncio.sleep(1.2)
            os.kill(worker.child.pid, signal.SIGCONT)
            await asyncio.sleep(0.3)
        await worker.until(lambda output: output["parts"]["reported"]["status"] == "ok")
        await asyncio.sleep(1)
        assert worker.child.alive, worker.log
        status, took = await worker.end()
    assert (status, took < WITHIN) == (0, True), took


async def test_with_the_database_halted(servers: Servers) -> None:
    """A batch that waits for it is retried in vain when the signal comes."""
    async with at_work(servers) as worker:
        await worker.start()
        servers.halt(servers.postgres.child)
        await servers.post()
        await worker.until(lambda output: output["lag"].get("events.reported"))
        status, took = await worker.end()
    assert took < WITHIN, worker.log
    assert status in (0, CUT_SHORT)


async def test_with_the_database_away(servers: Servers) -> None:
    """The agent is in a retry; the page says which part, which partition, and why."""
    async with at_work(servers) as worker:
        await worker.start()
        os.kill(servers.postgres.child.pid, signal.SIGKILL)
        await servers.postgres.child.wait()
        await servers.post()
        output = await worker.until(lambda output: output["parts"]["reported"]["status"] == "failing")
        status, took = await worker.end()
        await servers.postgres.start()
    assert took < WITHIN, worker.log
    assert status in (0, CUT_SHORT)
    assert output["parts"]["reported"]["failing"]["database"].startswith("events.reported-0 from offset ")
    assert output["parts"]["requests"]["status"] == "ok"


async def test_with_kafka_halted(servers: Servers) -> None:
    """Faust waits for an answer that never comes."""
    async with at_work(servers) as worker:
        await worker.start()
        servers.halt(servers.kafka.child)
        status, took = await worker.end()
    assert took < WITHIN, worker.log
    assert status in (0, CUT_SHORT)


async def test_with_kafka_away(servers: Servers) -> None:
    """It cannot leave its group."""
    async with at_work(servers) as worker:
        await worker.start()
        os.kill(servers.kafka.child.pid, signal.SIGKILL)
        await servers.kafka.child.wait()
        status, took = await worker.end()
        await servers.kafka.start()
    assert took < WITHIN, worker.log
    assert status in (0, CUT_SHORT)


@pytest.mark.parametrize("first", [LOOP, HANG, SILENT], ids=["a loop", "Faust's stop hangs", "an agent is silent"])
async def test_wedged_in_python(servers: Servers, first: str) -> None:
    """The event loop does not turn, or what is waited for never comes."""
    async with at_work(servers) as worker:
        await worker.start(first)
        await servers.post()
        if first == LOOP:
            await eventually(worker.readyz, lambda output: output is None)
        status, took = await worker.end()
    assert took < WITHIN, worker.log
    assert status in (0, CUT_SHORT)


async def test_wedged_in_a_library(servers: Servers) -> None:
    """Nothing in Python can see the signal: the process ends all the same, and says what each thread was at."""
    async with at_work(servers) as worker:
        await worker.start(HOLD)
        await servers.post()
        await eventually(worker.readyz, lambda output: output is None)
        status, took = await worker.end()
    assert took < WITHIN, worker.log
    assert status == 1
    assert "in hold" in worker.log


async def test_with_its_output_read_by_nobody(servers: Servers) -> None:
    """What collects its log hangs, so that all that writes to it does: that is waited for no longer than anything else."""
    async with at_work(servers) as worker:
        await worker.start(FULL)
        status, took = await worker.end()
    assert took < WITHIN, worker.log
    assert status == CUT_SHORT


async def test_a_part_that_ends_ends_the_process(servers: Servers) -> None:
    """With what failed and where in the log (not its words, which may be a customer's), and a status that says so."""
    async with at_work(servers) as worker:
        with pytest.raises(AssertionError, match='"error": "RuntimeError", "at": "<string>:'):
            await worker.start(
                RAISE.replace("agents.process.parts.notify", "import agents.__main__\nagents.__main__.notify")
            )
        assert worker.child is not None
        assert await worker.child.wait(20)
        assert worker.child.exit_code == STALLED


@pytest.mark.parametrize("first", [SILENT, LOOP], ids=["an agent is silent", "a loop"])
async def test_a_partition_that_stands_still_ends_the_process(servers: Servers, first: str) -> None:
    """Whatever else goes on meanwhile: the sender looks for messages five times a second. The log says where."""
    async with at_work(servers, THREADLINE_WORKER__STALL_AFTER="6") as worker:
        await worker.start(first)
        await servers.post()
        assert worker.child is not None
        assert await worker.child.wait(60), worker.log
        assert worker.child.exit_code == STALLED
        assert '"topic": "events.reported"' in worker.log and '"event": "stalled"' in worker.log
        assert '"partition": 0' in worker.log
