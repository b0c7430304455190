"""`threadline up`: run everything on this machine, under one supervisor."""

import asyncio
import os
import signal
from collections.abc import Coroutine
from typing import Annotated, Any

import psycopg
import typer
from aiokafka.errors import KafkaError

from app.cli.support.connecting import cause
from app.cli.support.kafka import kafka_error_text, quiet
from app.cli.support.store import actor
from app.cli.support.terminal import print_lines
from app.embedded import firstrun, running, sample
from app.embedded.account import Unreachable
from app.embedded.display import Display
from app.embedded.jars import FetchFailed
from app.embedded.ports import PortTaken
from app.embedded.process import StartFailed
from app.embedded.running import FolderUnusable
from app.embedded.supervisor import Supervisor
from app.kafka import TopicsFailed
from app.patience import patient_output
from app.settings import KEYS_FILE, Settings
from app.settings.loading import load
from app.settings.reloading import has_terminal
from sql.migrate import MigrationError
from sql.origin import ORIGIN, Origin

#: The errors of a start that fails, each with a message that says what to do.
FAILURES = (
    FetchFailed,
    FolderUnusable,
    KafkaError,
    MigrationError,
    OSError,
    PortTaken,
    StartFailed,
    TopicsFailed,
    Unreachable,
    psycopg.Error,
)


def up(
    prepare: Annotated[bool, typer.Option("--prepare", help="Fetch and set up everything, start nothing.")] = False,
) -> int:
    """Run everything on this machine: PostgreSQL, Kafka, the HTTP process and the worker. Ctrl-C stops all.

    Changed settings are read without a restart, at SIGHUP at once. Exit code 1 where it does not start.
    """
    with patient_output():
        return _up(prepare)


def _up(prepare: bool) -> int:
    data = load().data
    ORIGIN.set(Origin(actor()))  # who makes the sample's key
    display = Display()
    quiet()
    try:
        with running.lock(data):
            if "THREADLINE_CONFIG" not in os.environ and firstrun.configure(data):
                print_lines(
                    f"Wrote {data / 'threadline.toml'}: sources with new random secrets, and a key that signs receipts"
                )
            if firstrun.ensure_key(data, load()):
                print_lines(f"Made {data / KEYS_FILE}, which encrypts secrets and personal data. Back it up")
            return asyncio.run(_run(Supervisor(load(), display), prepare))
    except running.AlreadyRunning as error:
        print_lines(str(error))
    except FAILURES as error:  # of the data folder
        print_lines(f"Threadline cannot run: {in_words(error)}")
    return 1


async def _run(supervisor: Supervisor, prepare: bool) -> int:
    stop, loop, terminal = asyncio.Event(), asyncio.get_running_loop(), has_terminal()
    loop.add_signal_handler(signal.SIGINT, _stop, stop)
    loop.add_signal_handler(signal.SIGTERM, stop.set)  # make passes on the one that its group gets too
    loop.add_signal_handler(signal.SIGHUP, _hang_up, stop, supervisor, terminal)
    display = supervisor.display
    try:
        with display:
            finished = await _unless(stop, supervisor.prepare() if prepare else supervisor.start())
        if prepare or not finished:
            return 0
        display.text(sample.text(supervisor.url, supervisor.data, supervisor.moved))
        await _unless(stop, supervisor.watch())
    except FAILURES as error:
        print_lines(f"\nThreadline cannot run: {in_words(error, supervisor.settings)}")
        return 1
    finally:
        await supervisor.stop()
        print_lines(f"Stopped. The data stays in {supervisor.data}")
    return 0


def in_words(error: Exception, settings: Settings | None = None) -> str:
    """Return the message of one of FAILURES; of a server that cannot be reached, which one and why. `settings`: with its addresses."""
    if isinstance(error, psycopg.OperationalError):
        return f"PostgreSQL cannot be reached: {cause(error)}"
    if isinstance(error, KafkaError) and settings and settings.kafka.bootstrap:
        return kafka_error_text(error, settings)
    return str(error)


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, None]) -> bool:
    """Run `work` until it ends or `stop` is set; return whether it ended. Raises what it raises."""
    working, stopping = asyncio.create_task(work), asyncio.create_task(stop.wait())
    await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    if not working.done():
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        return False
    await working
    return True


def _hang_up(stop: asyncio.Event, supervisor: Supervisor, terminal: bool) -> None:
    """Stop in order if the terminal was closed that there was at the start; else pass the signal on."""
    if terminal and not has_terminal():
        _stop(stop)
    else:
        supervisor.reload()


def _stop(stop: asyncio.Event) -> None:
    """Stop in order at the first Ctrl-C, at once at the second: the child processes end with this one."""
    if stop.is_set():
        os._exit(130)
    stop.set()
