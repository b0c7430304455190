"""Ends the process in time, in whatever state it is: on SIGTERM and SIGINT, and where no Python code can run any more.

Nothing that was acknowledged is lost by an end in the middle: offsets are committed, and attempts settled, only after the
database has them.
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
#: Seconds that an orderly end may take, and after which the process ends however far that is. The second covers telemetry.
GRACE, LAST = 8.0, 9.0
#: Seconds without any Python code at work (one call of a library holds the interpreter, or the process was halted), after
#: which it ends: no signal could be seen to either.
WEDGED = 9.0
#: Exit status where the orderly end took too long (EX_TEMPFAIL of sysexits.h).
CUT_SHORT = 75


class Ending:
    """Takes the signals in a thread of its own, as a loop that does not turn any more could not. Make it in the main thread,
    before any other is started: all of them are to leave the signals to it."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self._told: tuple[asyncio.AbstractEventLoop, asyncio.Event] | None = None
        self._deadline: float | None = None
        signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
        threading.Thread(target=self._listen, name="ending", daemon=True).start()

    @property
    def asked(self) -> bool:
        """Whether a signal came."""
        return self._asked.is_set()

    async def wait(self) -> None:
        """Until a signal comes."""
        event = asyncio.Event()
        self._told = (asyncio.get_running_loop(), event)
        if not self._asked.is_set():
            await event.wait()

    def begin(self) -> None:
        """The process ends now: from here on it has `LAST` seconds."""
        if self._deadline is None:
            self._deadline = time.monotonic() + LAST

    def _listen(self) -> None:
        while True:
            # A thread without the interpreter's lock ends the process, and says what each thread is at.
            faulthandler.dump_traceback_later(WEDGED, exit=True)
            if signal.sigtimedwait(SIGNALS, 0.5) is not None:
                if self._asked.is_set():
                    leave(CUT_SHORT)  # asked twice
                self.begin()
                self._asked.set()
                if self._told is not None:
                    loop, event = self._told
                    loop.call_soon_threadsafe(event.set)
            if self._deadline is not None and time.monotonic() > self._deadline:
                log.error("the end took too long, so it is cut short", seconds=LAST)
                faulthandler.dump_traceback(all_threads=True)
                leave(CUT_SHORT)


def leave(status: int) -> None:
    """End the process at once. Threads that do not end (Faust's consumer is one) would keep an interpreter that ends by
    itself waiting for ever."""
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(status)
