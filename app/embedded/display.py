"""Shows the progress of `threadline up`: live lines on a terminal, plain lines elsewhere."""

import time
from dataclasses import dataclass, field
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TaskID, TextColumn

MEGABYTE = 1_000_000


@dataclass
class Display:
    """A context manager. `log` works outside the context too."""

    console: Console = field(default_factory=lambda: Console(highlight=False, soft_wrap=True))
    _live: Progress | None = None
    _begun: dict[str, tuple[float, TaskID | None]] = field(default_factory=dict)
    _reported: int = 0

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
        """Show that something has begun."""
        task = None
        if self._live:
            task = self._live.add_task(f"{name}: {doing}", total=None, note="")
        else:
            self.console.print(f"  {name}: {doing}", markup=False)
        self._begun[name] = (time.monotonic(), task)

    def received(self, name: str, got: int, total: int) -> None:
        """Show that `got` of `total` bytes have arrived. May be called from another thread."""
        note = f"{got / MEGABYTE:.0f} of {total / MEGABYTE:.0f} MB"
        _, task = self._begun[name]
        if self._live and task is not None:
            self._live.update(task, total=total, completed=got, note=note, description=f"{name}: downloading, once")
        elif got * 4 // total != self._reported:  # without a terminal, one line per quarter
            self._reported = got * 4 // total
            self.console.print(f"  {name}: downloaded {note}", markup=False)

    def end(self, name: str, result: str) -> None:
        """Show that it has finished."""
        began, task = self._begun.pop(name)
        if self._live and task is not None:
            self._live.remove_task(task)
        self.console.print(f"[green]✓[/] {name}: {result} [dim]({time.monotonic() - began:.1f} s)[/]")

    def log(self, message: str) -> None:
        """Print one line with the time."""
        self.console.print(f"{time.strftime('%H:%M:%S')} {message}", markup=False)

    def text(self, message: str) -> None:
        """Print lines unchanged."""
        self.console.print(message, markup=False)
