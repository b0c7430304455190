"""Reads addresses as people and programs write them so that they are not taken for one: `(at)` for @, and base32. Pure."""

import re
from collections.abc import Iterator
from typing import Final

_MARKS: Final = {"at": "@", "dot": "."}
_BRACKETED = re.compile(r"\s{0,4}[(\[{<]\s{0,4}(at|dot)\s{0,4}[)\]}>]\s{0,4}", re.IGNORECASE)
_WORDED = re.compile(r"\s{1,4}(at|dot)\s{1,4}|[_\-.](at|dot)[_\-.]", re.IGNORECASE)
_CODED = re.compile(r"[A-Z2-7]{12,}(?:\s{1,4}[A-Z2-7]{4,})*|[a-z2-7]{12,}(?:\s{1,4}[a-z2-7]{4,})*")
#: The digits of base32 as `int` has those of base 32, which takes time in proportion to their number.
_DIGITS = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", "0123456789abcdefghijklmnopqrstuv")


def bracketed(text: str) -> str:
    """Return a text with the marks that stand as words between brackets: `(at)`, `[dot]`."""
    return _BRACKETED.sub(_mark, text) if _may_have(text) else text


def worded(text: str) -> str:
    """Return a text with the marks that stand as words between brackets, joining marks or blanks: `ana_at_example.com`."""
    return _WORDED.sub(_mark, bracketed(text)) if _may_have(text) else text


def base32(text: str) -> Iterator[list[bytes]]:
    """Yield of each part of a text that may be base32 what it says, at each of the eight places at which it may end within it."""
    for match in _CODED.finditer(text):
        run = re.sub(r"\s", "", match[0]).upper().translate(_DIGITS)
        bits = int(run, 32)
        yield [(bits >> last).to_bytes(len(run) * 5 // 8 + 1, "big") for last in range(8)]


def _may_have(text: str) -> bool:
    """Return whether a text has one of the words: most ids have none, and a search costs more."""
    lower = text.lower()
    return "at" in lower or "dot" in lower


def _mark(match: re.Match[str]) -> str:
    return _MARKS[next(filter(None, match.groups())).lower()]
