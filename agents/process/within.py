"""Which part of the worker does something, and where: kept in the context of each task, so that a failure names it."""

from contextvars import ContextVar
from typing import NamedTuple


class Within(NamedTuple):
    """A part of the worker (one of `health.PARTS`), and where it is: `webhooks.received-3 from offset 17`, or nothing."""

    part: str
    where: str = ""


#: Of the task that runs, and of those that it starts; None outside of every part.
WITHIN: ContextVar[Within | None] = ContextVar("within", default=None)
