"""Says whether the current task may see personal data; if not, the store masks the values that it opens (`sql.personal.masking`).

It is set to False while a request of a caller without the right is served. By default everything is shown: to workers, which send and
deliver, and to the commands that read the database themselves.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_SHOWN: ContextVar[bool] = ContextVar("shown", default=True)


def shows() -> bool:
    """Return whether the current task may see personal data."""
    return _SHOWN.get()


@contextmanager
def showing(personal: bool) -> Iterator[None]:
    """Show personal data within the block, or mask it. True is also for code that has to compute with personal data and gives none of it out."""
    before = _SHOWN.set(personal)
    try:
        yield
    finally:
        _SHOWN.reset(before)
