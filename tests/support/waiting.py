"""Waits for conditions by polling."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(true: Callable[[], object], within: float = 60.0) -> None:
    """Wait until `true()` is. Raises TimeoutError after `within` seconds."""
    async with asyncio.timeout(within):
        while not true():  # noqa: ASYNC110  # what is waited for has no event
            await asyncio.sleep(0.01)


async def eventually(look: Callable[[], Awaitable[T]], holds: Callable[[T], object] = bool, within: float = 30.0) -> T:
    """Repeat `look` until `holds` is true of its result; return that result. Fails with the last result after `within`
    seconds."""
    deadline = time.monotonic() + within
    while not holds(found := await look()):
        assert time.monotonic() < deadline, f"did not come true within {within} s; last: {found!r}"
        await asyncio.sleep(0.05)
    return found
