"""What `threadline up` shows: a live line for each thing under way on a terminal, plain lines anywhere else."""

import time
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

MEGABYTE = 1_000_000


@dataclass
class Display:
    """Use as a context; `log` works before and after it, too."""

    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))
    _live: Progress | None = None
    _begun: dict[str, tuple[float, TaskID | None]] = field(default_factory=dict)
    _told: int = 0

    def __enter__(self) -> "Display":
        if self.console.is_terminal:
            columns = (
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=30),
                TextColumn("{task.fields[note]}"),
            )
            self._live = Progress(*columns, console=self.console, transient=True)
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
            self._live = None

    def begin(self, name: str, doing: str = "starting") -> None:
        """Something is under way."""
        task = None
        if self._live:
            task = self._live.add_task(f"{name}: {doing}", total=None, note="")
        else:
            self.console.print(f"  {name}: {doing}", markup=False)
        self._begun[name] = (time.monotonic(), task)

    def received(self, name: str, got: int, total: int) -> None:
        """`got` of `total` bytes have come. Callable from another thread."""
        note = f"{got / MEGABYTE:.0f} of {total / MEGABYTE:.0f} MB"
        _, task = self._begun[name]
        if self._live and task is not None:
            self._live.update(task, total=total, completed=got, note=note, description=f"{name}: downloading, once")
        elif got * 4 // total != self._told:  # on paper, a line for each quarter
            self._told = got * 4 // total
            self.console.print(f"  {name}: downloaded {note}", markup=False)

    def end(self, name: str, result: str) -> None:
        """It is done."""
        began, task = self._begun.pop(name)
        if self._live and task is not None:
            self._live.remove_task(task)
        self.console.print(f"[green]✓[/] {name}: {result} [dim]({time.monotonic() - began:.1f} s)[/]")

    def log(self, message: str) -> None:
        """One line with its time."""
        self.console.print(f"{time.strftime('%H:%M:%S')} {message}", markup=False)

    def text(self, message: str) -> None:
        """Lines as they are."""
        self.console.print(message, markup=False)
