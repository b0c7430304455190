"""Collects the errors of one document, so that its author is told all of them at once."""

import re
from collections.abc import Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any

from schemas import MOST_FAULTS, Fault, SchemaError

#: Most errors of one document that are listed; the others are counted.
LISTED = 20
#: Most characters of a line that tells them.
LINE = 500
_TOP = re.compile(r"\$(?:\.([A-Za-z_][A-Za-z0-9_]*)|\['((?:[^'\\]|\\.)*)'\])")


class Several(SchemaError):
    """A SchemaError of several errors; its path and message are those of the first."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Keep the errors, of which there is at least one."""
        super().__init__(*faults[0])
        self._all = tuple(faults)

    @property
    def faults(self) -> Sequence[Fault]:
        """All errors, in the order in which they were found."""
        return self._all

    def under(self, path: str) -> SchemaError:
        """Return the same errors with longer paths."""
        return Several([(path + at[1:], message) for at, message in self._all])


class Faults:
    """Collects each SchemaError that leaves a `with` block of it; `refuse` raises them as one."""

    def __init__(self) -> None:
        """Begin without an error."""
        self._found: list[SchemaError] = []

    def __enter__(self) -> None:
        """Begin a block."""

    def __exit__(self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None) -> bool:
        """Keep a SchemaError and go on after the block; return whether there was one."""
        if not isinstance(error, SchemaError):
            return False
        self._found.append(error)
        return True

    def __bool__(self) -> bool:
        """Return whether there was an error."""
        return bool(self._found)

    def add(self, path: str, message: str) -> None:
        """Keep an error."""
        self._found.append(SchemaError(path, message))

    def sound(self, document: Any) -> Mapping[str, Any]:
        """Return the document without the members that have an error, so that what no schema can say of the others is checked too.
        Raises SchemaError where an error is none of a member's, and where there may be more than were looked for."""
        if not self._found:
            return document  # type: ignore[no-any-return]
        faults = [fault for error in self._found for fault in error.faults]
        members = [_TOP.match(path) for path, _ in faults]
        if not isinstance(document, Mapping) or None in members or len(faults) >= MOST_FAULTS:
            self.refuse()
        wrong = {top[1] or re.sub(r"\\(.)", r"\1", top[2]) for top in members if top}
        return {name: value for name, value in document.items() if name not in wrong}

    def refuse(self) -> None:
        """Raise what was collected. Raises SchemaError with all errors, or nothing where there was none."""
        if len(self._found) == 1:
            raise self._found[0]
        if self._found:
            raise Several([fault for error in self._found for fault in error.faults])


def listed(faults: Sequence[Fault]) -> tuple[Sequence[Fault], int]:
    """Return the errors that are listed, and the number of the others."""
    return faults[:LISTED], max(0, len(faults) - LISTED)


def line(faults: Sequence[Fault], most: int = LINE) -> str:
    """Return the errors in one line of at most `most` characters, with the number of those for which it has no room."""
    shown = [f"{path}: {message}" for path, message in listed(faults)[0]]
    while len(text := "; ".join(shown) + _more(len(faults) - len(shown), "; ")) > most and len(shown) > 1:
        shown.pop()
    return text if len(text) <= most else f"{text[: most - 1]}…"


def lines(faults: Sequence[Fault]) -> Iterable[str]:
    """Yield a line for each error that is listed, and one that counts the others."""
    shown, more = listed(faults)
    yield from (f"{path}: {message}" for path, message in shown)
    if more:
        yield _more(more)


def _more(count: int, before: str = "") -> str:
    return f"{before}and {count} more" if count else ""
