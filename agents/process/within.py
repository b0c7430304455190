"""Holds, per task, which part of the worker is running and on what, so that a failure can name both."""

from contextvars import ContextVar
from typing import NamedTuple


class Within(NamedTuple):
    """A part of the worker (one of `health.PARTS`) and its place, e.g. `webhooks.received-3 from offset 17`, or empty."""

    part: str
    where: str = ""


#: Set for the current task and the tasks that it starts; None outside every part.
WITHIN: ContextVar[Within | None] = ContextVar("within", default=None)
