"""Samples a Python process with py-spy (https://github.com/benfred/py-spy), and counts where it was."""

import asyncio
import sys
from collections import Counter
from pathlib import Path
from typing import NamedTuple

#: Samples a second.
RATE = 250
#: The innermost function of a thread that waits, which costs no processor time.
WAITING = (
    "Selector.select (selectors.py",
    "_worker (concurrent/futures/thread.py",
    "Ending._listen (agents/process/ending.py",
)


class Sampled(NamedTuple):
    """Shares of the processor time, 0 to 1: of each package and each function itself, and of each with what it called."""

    packages: dict[str, float]
    itself: dict[str, float]
    whole: dict[str, float]


async def sample(pid: int, seconds: int, file: Path) -> Sampled:
    """Sample a process for some seconds; keep the stacks in a file, which https://www.speedscope.app shows. Raises RuntimeError if py-spy
    may not read the process."""
    program = Path(sys.executable).parent / "py-spy"
    arguments = ["record", "--pid", str(pid), "--duration", str(seconds), "--rate", str(RATE), "--nonblocking"]
    process = await asyncio.create_subprocess_exec(
        str(program), *arguments, "--format", "raw", "--output", str(file),
        stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    _, complaint = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"py-spy cannot sample process {pid}: {complaint.decode().strip()[-300:]}")
    return counted(await asyncio.to_thread(file.read_text))


def counted(stacks: str) -> Sampled:
    """Count stacks as py-spy writes them: a line a stack, outermost first, with how often it was seen."""
    packages: Counter[str] = Counter()
    itself: Counter[str] = Counter()
    whole: Counter[str] = Counter()
    for line in stacks.splitlines():
        stack, _, times = line.rpartition(" ")
        frames = [frame.rpartition(":")[0] for frame in stack.split(";")]
        if frames[-1].endswith(WAITING):
            continue
        packages[_package(frames[-1])] += int(times)
        itself[frames[-1]] += int(times)
        whole.update(dict.fromkeys(frames, int(times)))
    total = max(1, itself.total())
    return Sampled(*({name: count / total for name, count in each.most_common()} for each in (packages, itself, whole)))


def _package(frame: str) -> str:
    """Return the first folder of a frame's file, `built in` where it has none."""
    path = frame.rpartition("(")[2]
    return path.split("/", 1)[0] if "/" in path else "built in"
