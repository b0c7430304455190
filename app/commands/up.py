"""`threadline up`: everything on this machine, until Ctrl-C."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Any

import psycopg
from aiokafka.errors import KafkaError

from app.embedded import firstrun, running, sample
from app.embedded.account import Unreachable
from app.embedded.display import Display
from app.embedded.jars import FetchFailed
from app.embedded.ports import PortTaken
from app.embedded.process import StartFailed
from app.embedded.supervisor import Supervisor
from app.kafka import TopicsFailed
from app.settings import KEYS_FILE, Settings
from sql.migrate import MigrationError

#: What can go wrong on the way up, each with a message that says what to do.
FAILURES = (
    FetchFailed,
    KafkaError,
    MigrationError,
    OSError,
    PortTaken,
    StartFailed,
    TopicsFailed,
    Unreachable,
    psycopg.Error,
)


def run(*, prepare: bool = False) -> int:
    """Run until SIGINT, SIGTERM or SIGHUP; with `prepare`, only set up. Returns 0, or 1 where it does not come up."""
    data = Settings().data
    display = Display()
    try:
        with running.lock(data):
            if "THREADLINE_CONFIG" not in os.environ and firstrun.configure(data):
                display.text(f"Wrote {data / 'threadline.toml'}: sources with new random secrets")
            if not Settings().secrets.keys and firstrun.make_key(data):
                display.text(f"Made {data / KEYS_FILE}: what clients' secrets are encrypted with. Back it up")
            return asyncio.run(_run(Supervisor(Settings(), display), prepare))
    except running.AlreadyRunning as error:
        display.text(str(error))
        return 1


async def _run(supervisor: Supervisor, prepare: bool) -> int:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(name, _asked, stop)
    display = supervisor.display
    try:
        with display:
            finished = await _unless(stop, supervisor.prepare() if prepare else supervisor.start())
        if prepare or not finished:
            return 0
        display.text(sample.text(supervisor.url, supervisor.data))
        await _unless(stop, supervisor.watch())
    except FAILURES as error:
        display.text(f"\nThreadline cannot run: {error}")
        return 1
    finally:
        await supervisor.stop()
        display.text(f"Stopped. The data stays in {supervisor.data}")
    return 0


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Do the work, but end it once `stop` is set. Returns whether it was done. Raises what it raises."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return False
    await working
    return True


def _asked(stop: asyncio.Event) -> None:
    """The first time, stop in order; the second, at once: the children die with us."""
    if stop.is_set():
        os._exit(130)
    stop.set()
