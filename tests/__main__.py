"""Run the tests in two lanes, one after the other: `python -m tests [further arguments of pytest]`.

The pure lane is tests/unit. The servers lane is the rest: each of its processes starts a PostgreSQL and a Kafka of its own, and
mostly waits, so there are more processes than cores. The exit status is that of the first lane that failed.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
#: pytest's arguments by lane. The tests of a file with servers stay in one process, since they share the servers; the files
#: keep the order of tests/conftest.py, not one by how many tests they have.
LANES = {
    "pure": ["tests/unit", "-n", "2", "--dist", "worksteal"],
    "servers": [
        "tests/integration",
        "tests/e2e",
        "tests/faults",
        "-n",
        "3",
        "--dist",
        "loadfile",
        "--no-loadscope-reorder",
    ],
}
#: pytest's status if it found no test, as when `-k` names one of the other lane.
NOTHING = 5


def run_lane(name: str, module: list[str], more: list[str]) -> int:
    """Run one lane as `python -m MODULE`, with further arguments of pytest, and return its exit status."""
    print(f"\n== {name}", flush=True)
    began = time.monotonic()
    command = [sys.executable, "-m", *module, "-q", *LANES[name], *more]
    # In a process group of its own, so that Ctrl-C reaches it once: a second would interrupt the end of its servers.
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, process_group=0) as lane:
        try:
            lane.wait()
        except KeyboardInterrupt:
            lane.send_signal(signal.SIGINT)  # pytest then ends its fixtures, and with them the servers
            lane.wait()
            raise SystemExit(130) from None
    print(f"== {name}: exit {lane.returncode} after {time.monotonic() - began:.0f} s", flush=True)
    return lane.returncode


def status(codes: list[int]) -> int:
    """Return one exit status for several: the first failure. A lane without tests is one only if all are without."""
    return next((code for code in codes if code not in (0, NOTHING)), NOTHING if set(codes) == {NOTHING} else 0)


def run(module: list[str], more: list[str]) -> int:
    """Run all lanes as `python -m MODULE`, also after a failure, so that one run reports everything."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    return status([run_lane(name, module, more) for name in LANES])


if __name__ == "__main__":
    sys.exit(run(["pytest"], sys.argv[1:]))
