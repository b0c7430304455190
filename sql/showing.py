"""Says whether the current task may see personal data; if not, what the store opens for it is masked (`sql.personal.masking`).

Set around what a request of a caller does who lacks the right. Without it everything is shown: to workers, which send and deliver, and to
the command line where it reads the database itself.
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
    """Show personal data within the block, or mask it. True also around what has to compute with it, and gives none of it out."""
    before = _SHOWN.set(personal)
    try:
        yield
    finally:
        _SHOWN.reset(before)
