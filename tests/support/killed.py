"""Kills a process before one of its steps, for tests of what a kill -9 leaves behind."""

import os
import signal
from collections.abc import Callable, Iterable
from typing import Any


def kill_before(step: int, *steps: tuple[Any, Iterable[str]]) -> None:
    """Kill this process when so many steps were taken and another is to be: a call of one of the named methods of one of the
    owners."""
    left = step

    def counted(original: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)
            return original(*arguments, **named)

        return call

    for owner, names in steps:
        for name in names:
            setattr(owner, name, counted(getattr(owner, name)))
