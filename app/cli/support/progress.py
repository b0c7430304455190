"""Progress of long work, and the question before it."""

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated, Protocol

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class Advance(Protocol):
    """Notes that so many more are done."""

    def __call__(self, by: int, /) -> None: ...


@contextmanager
def progress(what: str, total: int) -> Iterator[Advance]:
    """Show a bar on standard error while work goes on, if that is a terminal; yield what notes the progress."""
    columns = (TextColumn("{task.description}"), BarColumn(bar_width=30), MofNCompleteColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what, total=total)
        yield lambda by: bar.advance(task, by)


@contextmanager
def interruptible() -> Iterator[None]:
    """Have Ctrl-C end a question at once, with KeyboardInterrupt: within asyncio it would wait for the answer."""
    given = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or given in (signal.SIG_IGN, None):
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, given)


def confirmed(question: str, yes: bool) -> bool:
    """Return whether the work may be done: with `yes`, or if the user answers y. Where nobody can be asked, it may not."""
    if yes:
        return True
    answer = ""
    try:
        with interruptible():
            Console(stderr=True, soft_wrap=True).print(f"{question} [y/N] ", end="", markup=False)
            answer = sys.stdin.readline()
    finally:
        if not answer:
            print(file=sys.stderr)
    return answer.strip().lower() in ("y", "yes")
