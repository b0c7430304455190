"""`threadline work`: becomes the stream process, which is above `app` and so not imported here."""

import os
import sys


def run() -> int:
    """Does not return."""
    os.execv(sys.executable, [sys.executable, "-P", "-m", "agents"])  # noqa: S606  # our own module
