"""`threadline work`: replace this process by the stream process (`agents`, which `app` may not import)."""

import os
import sys


def work() -> int:
    """Run the stream process, which turns Kafka records into events and timelines, and sends messages.

    SIGTERM or Ctrl-C ends it in order within ten seconds, with exit code 0, or 75 where that took too long. Exit code 70 where it ended
    itself, as a part failed or its port is taken, 2 where the settings cannot be used. Nothing that was acknowledged is lost in any case.
    """
    os.execv(sys.executable, [sys.executable, "-P", "-m", "agents"])  # noqa: S606  # our own module
