"""How much processor time the tests of costly input allow.

What they look for takes many times longer than it should, and the same work takes twice as long on a busy machine as on an
idle one. So the time is compared with that of a fixed piece of work, done in the same moment.
"""

import sys
import time
from collections.abc import Callable

#: By how much more a test may take that is traced (`make coverage`), since tracing slows each line.
TRACED = 10 if sys.gettrace() is not None else 1
#: Seconds of processor time that the fixed work takes on the machine that the limits were chosen on.
REFERENCE = 0.01


def slowness() -> float:
    """Return how many times longer this machine takes now than the one that the limits were chosen on; 1 at least."""
    return max(1.0, processor_time(_work) / REFERENCE) * TRACED


def processor_time(act: Callable[[], object]) -> float:
    """Return the seconds of processor time that `act` takes."""
    began = time.process_time()
    act()
    return time.process_time() - began


def is_within(seconds: float, act: Callable[[], object], tries: int = 3) -> bool:
    """Return whether one of these tries takes less than so many seconds of the reference machine's processor time."""
    return any(processor_time(act) < seconds * slowness() for _ in range(tries))


def _work() -> None:
    found: dict[bytes, int] = {}
    for number in range(40_000):
        word = b"%d" % (number & 1023)
        found[word] = found.get(word, 0) + len(word)
