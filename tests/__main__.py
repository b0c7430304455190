"""Run the tests in two lanes, one after the other: `python -m tests [further arguments of pytest]`.

The pure lane is tests/unit. The servers lane is the rest: each of its processes starts a PostgreSQL and a Kafka of its own, and
mostly waits, so there are more processes than cores. Where at most `FEW` of its tests failed, these are run once more, alone: a
test that fails again is a failure; one that passes depends on how busy the machine is, and is named at the end, to be mended.
The exit status is that of the first lane that failed.
"""

import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from xml.etree import ElementTree

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
#: Failed tests of the servers lane that are run once more; where there are more, the change is at fault, not the machine.
FEW = 3
#: pytest's status where tests failed, other than by an error of collection or usage.
FAILED = 1
#: pytest's status if it found no test, as when `-k` names one of the other lane.
NOTHING = 5


def run_lane(name: str, module: list[str], more: list[str]) -> int:
    """Run one lane with further arguments of pytest, where needed its few failures once more, and return its exit status."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder, "report.xml")
        code = run_tests(name, module, [*LANES[name], *more, f"--junit-xml={report}"])
        failed = failed_tests(report) if code == FAILED and name == "servers" else []
    if not 0 < len(failed) <= FEW:
        return code
    code = run_tests(f"{name}, what failed once more, alone", module, failed)
    if code == 0:
        print(f"== {name}: passed only when run alone, to be mended: {' '.join(failed)}", flush=True)
    return code


def failed_tests(report: Path) -> list[str]:
    """Return the ids of the tests that failed, or whose fixtures did, from a report in JUnit's format."""
    cases = ElementTree.parse(report).iter("testcase")
    return [
        f"{case.attrib['classname'].replace('.', '/')}.py::{case.attrib['name']}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]


def run_tests(name: str, module: list[str], arguments: list[str]) -> int:
    """Run `python -m MODULE` with arguments of pytest, print how it ended under a name, and return its exit status."""
    print(f"\n== {name}", flush=True)
    began = time.monotonic()
    command = [sys.executable, "-m", *module, "-q", *arguments]
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
