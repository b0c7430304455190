"""What a check of `threadline doctor` returns."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "note", "look", "wrong"]


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check: what was checked, its state, what was found, and what to do (empty for nothing). A `note` is
    as it should be if it is meant so."""

    what: str
    state: State
    found: str
    todo: str = ""
