"""Prints progress. One console for all parts."""

from datetime import datetime

from rich.console import Console

console = Console()


def say(text: str) -> None:
    """Print one line with the time."""
    console.print(f"[dim]{datetime.now():%H:%M:%S}[/] {text}", highlight=False)
