"""`threadline work`: replace this process by the stream process (`agents`, which `app` may not import)."""

import os
import sys


def work() -> int:
    """Run the stream process, which turns Kafka records into events and timelines, and sends messages."""
    os.execv(sys.executable, [sys.executable, "-P", "-m", "agents"])  # noqa: S606  # our own module
