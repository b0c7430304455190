"""Keeps the size of a store of blobs, which takes long to measure, between two measurements."""

import time
from collections.abc import Callable
from threading import Lock


class Weight:
    """The bytes of a store by `measure`, which is called when the last result is older than `every` seconds; in between,
    this process's own writes are added. Its methods may be called in any thread."""

    def __init__(self, measure: Callable[[], int], every: float) -> None:
        self._measure, self._every = measure, every
        self._bytes = 0
        self._measured: float | None = None
        self._lock = Lock()

    def bytes(self) -> int:
        """Return the bytes, measured at most `every` seconds ago. Raises what `measure` raises."""
        with self._lock:
            if self._measured is None or time.monotonic() - self._measured > self._every:
                self._bytes = self._measure()
                self._measured = time.monotonic()
            return self._bytes

    def add(self, size: int) -> None:
        """Add what this process wrote."""
        with self._lock:
            self._bytes += size

    def forget(self) -> None:
        """Discard the last result, so that the next call of `bytes` measures."""
        with self._lock:
            self._measured = None
