"""`threadline simulate`: run a provider's simulator against a running system: its API, and its webhooks with faults."""

import asyncio
import contextlib
import signal
import socket
import time
from dataclasses import dataclass, replace

import uvicorn
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text
from starlette.applications import Starlette
from starlette.routing import Route

from app.cli.simulate.source import Target, target
from app.cli.support.sources import WrongUse
from app.cli.support.terminal import print_error, table
from app.simulator.server import Plan, Server

OK, FAILED, WRONG_USE = 0, 1, 2
#: Seconds for the last webhooks after the last message, and between lines of progress where there is no terminal.
PATIENCE, LINES = 60.0, 10.0
METHODS = ["GET", "POST", "PUT", "PATCH", "DELETE"]


@dataclass(frozen=True, slots=True)
class Run:
    """How many messages: `rate` a second, `count` in all, for `seconds` (0: no end); and the address of its API."""

    rate: float
    count: int
    seconds: float
    host: str
    port: int


def run(provider: str, *, source: str | None, settings: list[str], to: str | None, run_for: Run, plan: Plan) -> int:
    """Run the simulator until it ends or Ctrl-C; return 0 where every webhook was accepted, or still waits at Ctrl-C, 1 where not, 2 for
    wrong use."""
    console = Console()
    try:
        played = target(provider, source, settings, to)
        listener = _listener(run_for) if played.simulator.api is not None else None
    except WrongUse as error:
        return print_error(f"threadline simulate: {error}", WRONG_USE)
    server = Server(played.simulator, played.settings, replace(plan, to=played.to, public_url=played.public_url))
    stopped = asyncio.run(_play(console, played, server, listener, run_for))
    counts, statuses = server.tally.counts, server.tally.statuses
    console.print(_table(server))
    if statuses["404"] or statuses["401"]:
        hint = "404: the source is not configured there. 401: its settings differ there; the log of the server names the reason."
        console.print(Text(hint, "red"), soft_wrap=True)
    return FAILED if counts["given up"] or (server.posting.waiting and not stopped) else OK


def _listener(run_for: Run) -> socket.socket:
    try:
        return socket.create_server(
            (run_for.host, run_for.port), family=socket.AF_INET6 if ":" in run_for.host else socket.AF_INET
        )
    except OSError as error:
        raise WrongUse(
            f"{run_for.host}:{run_for.port} cannot be listened on ({error.strerror}): give another --port"
        ) from error


async def _play(console: Console, played: Target, server: Server, listener: socket.socket | None, run_for: Run) -> bool:
    """Run the simulator; return whether a signal ended it."""
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    api = None
    if listener is not None:
        app = Starlette(routes=[Route("/{path:path}", server.api, methods=METHODS)])
        api = _Api(uvicorn.Config(app, log_config=None, access_log=False, lifespan="off"))
        host, port = listener.getsockname()[:2]
        console.print(
            f"{played.title} accepts sends at http://{host}:{port} (the source's setting api_url)", soft_wrap=True
        )
    if played.simulator.webhooks is not None:
        console.print(f"Its webhooks go to {played.to}", soft_wrap=True)
    serving = asyncio.create_task(api.serve([listener])) if api is not None and listener is not None else None
    posting = asyncio.create_task(server.posting.run())
    showing = asyncio.create_task(_show(console, server))
    try:
        await _invent(server, run_for, stop)
        deadline = time.monotonic() + PATIENCE
        while server.posting.waiting and not stop.is_set() and time.monotonic() < deadline:  # noqa: ASYNC110  # also on Ctrl-C
            await asyncio.sleep(0.05)
    finally:
        if api is not None:
            api.should_exit = True
        for task in (posting, showing):
            task.cancel()
        await asyncio.gather(posting, showing, *([serving] if serving else []), return_exceptions=True)
    return stop.is_set()


class _Api(uvicorn.Server):
    """A uvicorn server that leaves signals to the command."""

    def install_signal_handlers(self) -> None:
        """Install none."""


async def _invent(server: Server, run_for: Run, stop: asyncio.Event) -> None:
    """Invent messages at the rate, measured from the start, so that a slow moment is caught up."""
    began, done = time.monotonic(), 0
    while not stop.is_set():
        elapsed = time.monotonic() - began
        if run_for.seconds and elapsed >= run_for.seconds:
            return
        while run_for.rate and done < elapsed * run_for.rate:
            if run_for.count and done >= run_for.count:
                return
            server.invent()
            done += 1
        # Not by wait_for: before Python 3.12 it swallows a cancellation that comes with the event.
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(min(0.2, 1 / run_for.rate) if run_for.rate else 0.2):
                await stop.wait()


async def _show(console: Console, server: Server) -> None:
    if console.is_terminal:
        with Live(console=console, refresh_per_second=4, transient=True) as live:
            while True:
                live.update(_table(server))
                await asyncio.sleep(0.25)
    while True:
        await asyncio.sleep(LINES)
        counts = ", ".join(f"{name} {count}" for name, count in server.tally.counts.items() if count)
        console.print(counts or "nothing yet", soft_wrap=True)


def _table(server: Server) -> Table:
    made = table("what", "times")
    counts = server.tally.counts
    for name in sorted(name for name, count in counts.items() if count):
        made.add_row(name, Text(str(counts[name]), "red" if name == "given up" else ""))
    for status, count in sorted(server.tally.statuses.items()):
        made.add_row(f"answered {status}", Text(str(count), "green" if status[0] == "2" else "yellow"))
    if server.posting.waiting:
        made.add_row("still to be posted", str(server.posting.waiting))
    return made
