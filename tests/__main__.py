"""Run the tests in two lanes side by side: `python -m tests [what else pytest takes]`.

The pure lane is tests/unit, in two processes. The servers lane is the rest: its processes each start a PostgreSQL and a
Kafka of their own, and most of their time is waiting. The output of a lane is printed once it ends, so that the two do not
mix; the exit status is the worse of the two.
"""

import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[1]
#: pytest's arguments by lane. A file's tests stay in one process, as they share its module's servers.
LANES = {
    "pure": ["tests/unit", "-n", "2", "--dist", "worksteal"],
    "servers": ["tests/integration", "tests/e2e", "tests/faults", "-n", "3", "--dist", "loadfile"],
}
#: pytest's status where it found no test, as when `-k` names one of the other lane.
NOTHING = 5


@dataclass
class Lane:
    """One pytest process, and the file that it writes to."""

    name: str
    process: subprocess.Popen[bytes]
    output: IO[bytes]
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def start(cls, name: str, program: list[str], more: list[str]) -> "Lane":
        """Start it: a module of Python and its arguments, the lane's, and `more`."""
        output = tempfile.TemporaryFile()
        command = [sys.executable, "-m", *program, "-q", *LANES[name], *more]
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            process_group=0,  # Ctrl-C reaches it once, from here: a second would interrupt the end of its servers
        )
        return cls(name, process, output)

    def report(self) -> None:
        """Print what it wrote, under a heading with its time."""
        print(
            f"\n== {self.name}: exit {self.process.returncode} after {time.monotonic() - self.began:.0f} s", flush=True
        )
        self.output.seek(0)
        sys.stdout.buffer.write(self.output.read())
        sys.stdout.flush()


def run(program: list[str], more: list[str]) -> int:
    """Run both lanes by `program`, with pytest's arguments `more`. Returns the exit status: 0 where each passed, and at
    least one had tests."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    lanes = [Lane.start(name, program, more) for name in LANES]
    print(f"running {' and '.join(LANES)} side by side; each prints what it found at its end", flush=True)
    waiting = list(lanes)
    try:
        while waiting:
            time.sleep(0.2)
            for lane in [lane for lane in waiting if lane.process.poll() is not None]:
                waiting.remove(lane)
                lane.report()
    except KeyboardInterrupt:
        for lane in waiting:  # pytest then ends its fixtures, and with them the servers
            lane.process.send_signal(signal.SIGINT)
        for lane in waiting:
            lane.process.wait()
            lane.report()
    return status([lane.process.returncode for lane in lanes])


def status(codes: list[int]) -> int:
    """One exit status for several: the first that is no success; a lane without tests counts only where all are."""
    return next((code for code in codes if code not in (0, NOTHING)), NOTHING if set(codes) == {NOTHING} else 0)


if __name__ == "__main__":
    sys.exit(run(["pytest"], sys.argv[1:]))
