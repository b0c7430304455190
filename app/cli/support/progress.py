"""Progress of long work, and the question before it."""

import sys
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


def confirmed(question: str, yes: bool) -> bool:
    """Return whether the work may be done: with `yes`, or if the user answers y. Where nobody can be asked, it may not."""
    if yes:
        return True
    Console(stderr=True, soft_wrap=True).print(f"{question} [y/N] ", end="", markup=False)
    answer = sys.stdin.readline()
    if not answer:
        print(file=sys.stderr)
    return answer.strip().lower() in ("y", "yes")
