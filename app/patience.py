"""Writes to standard output and standard error without waiting for who reads them.

A reader that hangs (a collector of logs, a terminal that is held by Ctrl-S) would hold up the whole process at its next line, its
signals too, and one that has gone would end it by an error. Here a thread writes; what it cannot write is left out.
"""

import contextlib
import io
import os
import queue
import sys
import threading
from collections.abc import Iterator
from typing import TextIO

#: Writes that may wait, and seconds that the last ones may take at the end.
MOST, WORDS = 1000, 0.5


class Patient(io.TextIOBase):
    """A text stream over another one, which has a file descriptor. `close` leaves that one open."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream, self._descriptor = stream, stream.fileno()
        self._queue: queue.Queue[bytes | threading.Event] = queue.Queue(MOST)
        threading.Thread(target=self._work, name="output", daemon=True).start()

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """That of the stream."""
        return self._stream.encoding or "utf-8"

    def writable(self) -> bool:
        """Return True."""
        return True

    def fileno(self) -> int:
        """Return the stream's descriptor."""
        return self._descriptor

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return self._stream.isatty()

    def write(self, text: str) -> int:
        """Have text written soon, or left out if too much waits."""
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(text.encode(self.encoding, "replace"))
        return len(text)

    def settle(self, within: float = WORDS) -> None:
        """Wait until everything is written, for at most so many seconds."""
        done = threading.Event()
        with contextlib.suppress(queue.Full):
            self._queue.put_nowait(done)
            done.wait(within)

    def _work(self) -> None:
        while True:
            each = self._queue.get()
            if isinstance(each, threading.Event):
                each.set()
                continue
            with contextlib.suppress(OSError):  # nobody reads any more
                while each:
                    each = each[os.write(self._descriptor, each) :]


@contextlib.contextmanager
def patient_output() -> Iterator[None]:
    """Make standard output and standard error patient during the block. Where they have no descriptor (in tests) they stay as they
    are."""
    before = sys.stdout, sys.stderr
    try:
        made = Patient(before[0]), Patient(before[1])
    except (OSError, AttributeError, ValueError):
        yield
        return
    for stream in before:
        with contextlib.suppress(OSError):
            stream.flush()
    sys.stdout, sys.stderr = made
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
        for each in made:
            each.settle()
