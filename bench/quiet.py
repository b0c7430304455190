"""Tells whether the machine is quiet: how much of its processors other programs use while nothing is measured."""

import time
from pathlib import Path

#: The most that they may use, as a share, for figures to be written; seconds for which that is looked at.
MOST, SECONDS = 0.1, 3.0
_STAT = Path("/proc/stat")
#: The fields of a line of /proc/stat in which a processor does nothing: idle, and waiting for a disk (proc_stat(5)).
_IDLE = (3, 4)


def used(seconds: float = SECONDS) -> float:
    """Return the share of the processors that is in use, looked at for some seconds; 0 where the system does not say."""
    before = _times()
    time.sleep(seconds)
    passed = [after - first for first, after in zip(before, _times(), strict=True)]
    return 1 - sum(passed[field] for field in _IDLE) / sum(passed) if sum(passed) else 0.0


def _times() -> list[int]:
    if not _STAT.exists():
        return [0] * 5
    return [int(field) for field in _STAT.read_text().partition("\n")[0].split()[1:9]]
