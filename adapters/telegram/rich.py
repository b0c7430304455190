"""Reads the words of Telegram's rich messages, which are blocks of formatted text.

https://core.telegram.org/bots/api#richblock, …#richtext (a text, a list of them, or an object with a `text`).
"""

from collections.abc import Iterator
from typing import Any

#: Levels of blocks and of formatting that are read, and characters of the text.
_DEPTH = 32
_MOST = 1_000_000
#: Where a block has other blocks, items, cells or a caption.
_WITHIN = ("summary", "blocks", "items", "cells", "caption", "credit")


def words_of(blocks: Any) -> str:
    """Return the words of blocks, a line for each text."""
    return "\n".join(_lines(blocks, 0))[:_MOST]


def _lines(part: Any, depth: int) -> Iterator[str]:
    if depth > _DEPTH:
        return
    if isinstance(part, list):
        for one in part:
            yield from _lines(one, depth + 1)
    elif isinstance(part, dict):
        if line := "".join(_inline(part.get("text", part.get("expression")), depth)).strip():
            yield line
        for name in _WITHIN:
            yield from _lines(part.get(name), depth + 1)
    elif isinstance(part, str) and (line := part.strip()):
        yield line


def _inline(part: Any, depth: int) -> Iterator[str]:
    if depth > _DEPTH:
        return
    if isinstance(part, str):
        yield part
    elif isinstance(part, list):
        for one in part:
            yield from _inline(one, depth + 1)
    elif isinstance(part, dict):
        yield from _inline(part.get("text", part.get("expression", part.get("alternative_text"))), depth + 1)
