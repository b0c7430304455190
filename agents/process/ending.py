"""Ends the process within a bounded time: on SIGTERM and SIGINT, and when Python code can no longer run.

Ending at any point loses nothing: offsets are committed, and attempts settled, only after the database has the data.
"""

import asyncio
import faulthandler
import os
import signal
import sys
import threading
import time

import structlog

log = structlog.get_logger("agents")

SIGNALS = (signal.SIGTERM, signal.SIGINT)
#: Seconds for an orderly shutdown, and seconds after which the process ends regardless. The difference is for telemetry.
GRACE, LAST = 8.0, 9.0
#: The process ends if no Python code has run for this many seconds (a library call holds the interpreter, or the process
#: was stopped), since it could not handle a signal either.
WEDGED = 9.0
#: Seconds that the last lines of its log may take.
WORDS = 0.4
#: Exit status if the orderly shutdown took too long (EX_TEMPFAIL of sysexits.h).
CUT_SHORT = 75


class Ending:
    """Handles signals in a thread of their own, since a blocked event loop cannot. Create it in the main thread before other threads
    start, so that they inherit the blocked signals."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._waiter: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._deadline: float | None = None
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        threading.Thread(target=self._listen, name="signals", daemon=True).start()
        threading.Thread(target=self._watch, name="ending", daemon=True).start()

    @property
    def asked(self) -> bool:
        """Whether a signal was received."""
        return self._asked.is_set()

    def within(self, seconds: float) -> bool:
        """Wait for a signal for so many seconds, and return whether there was one."""
        return self._asked.wait(seconds)

    async def wait(self) -> None:
        """Wait for a signal."""
        event = asyncio.Event()
        self._waiter = (asyncio.get_running_loop(), event)
        if not self._asked.is_set():
            await event.wait()

    def begin(self) -> None:
        """Start the deadline: the process ends in `LAST` seconds at the latest."""
        if self._deadline is None:
            self._deadline = time.monotonic() + LAST

    def _listen(self) -> None:
        # Not `sigtimedwait`, which returns as if a signal had come when the process was stopped (SIGSTOP) for longer than its
        # timeout and goes on: https://github.com/python/cpython/blob/v3.11.7/Modules/signalmodule.c, signal_sigtimedwait_impl.
        while signal.sigwait(SIGNALS):
            if self._asked.is_set():
                leave(CUT_SHORT)  # a second signal
            self.begin()
            self._asked.set()
            if self._waiter is not None:
                loop, event = self._waiter
                loop.call_soon_threadsafe(event.set)

    def _watch(self) -> None:
        while True:
            # A C thread that needs no interpreter lock ends the process, and dumps the stack of each thread.
            faulthandler.dump_traceback_later(WEDGED, exit=True)
            time.sleep(0.5)
            if self._deadline is not None and time.monotonic() > self._deadline:
                # By its C thread again, which waits alone where what it writes to takes nothing.
                faulthandler.dump_traceback_later(WORDS / 2)
                leave(CUT_SHORT, "the end took too long, so it is cut short")


def leave(status: int, why: str = "") -> None:
    """End the process at once. A normal interpreter exit would wait for threads that never end, such as Faust's consumer. `why` is
    logged."""

    def last_words() -> None:
        if why:
            log.error(why, seconds=LAST)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()

    signal.alarm(1)  # the kernel ends it then, whatever holds the interpreter
    # The reader of this process's output may hang, and then a thread that writes to it hangs too.
    words = threading.Thread(target=last_words, name="last words", daemon=True)
    words.start()
    words.join(WORDS)
    os._exit(status)
