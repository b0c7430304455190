"""Measures Threadline on this machine, each figure beside a limit measured in the same run.

It starts its own PostgreSQL, Kafka, door and worker on free ports of 127.0.0.1, in a temporary folder that it removes,
and leaves nothing running. All parts take about twenty minutes on two cores. Run nothing else on the machine meanwhile: figures of a busy
machine are printed, and not written.
"""

import argparse
import os
import sys
import tempfile
import textwrap
import time
import traceback
from pathlib import Path

import uvloop

from bench import quiet, results
from bench.alone import parser_of, wrapped
from bench.parts import PARTS
from bench.progress import console, say

HERE = Path(__file__).parent
AFTER = """examples:
  python -m bench
      everything, then bench/results.json and bench/results.svg
  python -m bench --quick
      less of everything, in about five minutes; noisier, and the file says so
  python -m bench --only store,worker
      some parts; prints, writes nothing
  python -m bench --only door --save
      some parts, written beside what the file has of the others

parts:
{parts}

exit status: 0 every target met, 1 some missed or not measured, 2 misused"""


def arguments() -> argparse.Namespace:
    """Parse the command line."""
    parts = "\n".join(wrapped(f"{name}: {(part.__doc__ or '').splitlines()[0]}", 4) for name, part in PARTS.items())
    parser = parser_of("", __doc__, AFTER.format(parts=textwrap.indent(parts, "  ")))
    parser.add_argument("--only", metavar="PART[,PART]", help="measure these parts only")
    parser.add_argument("--quick", action="store_true", help="a short form of each")
    parser.add_argument("--save", action="store_true", help="write results also with --only")
    given = parser.parse_args()
    given.parts = given.only.split(",") if given.only else list(PARTS)
    if unknown := set(given.parts) - PARTS.keys():
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    return given


def main() -> int:
    """Measure, print and write. A part that fails is reported, and the others go on."""
    given = arguments()
    figures: list[results.Figure] = []
    broken: list[str] = []
    busy = 0.0
    began = time.monotonic()
    for number, name in enumerate(given.parts, start=1):
        say(f"[bold]{name}[/] ({number} of {len(given.parts)})")
        busy = max(busy, quiet.used())
        with tempfile.TemporaryDirectory(prefix="threadline-bench-") as temporary:
            os.chmod(temporary, 0o711)  # the embedded PostgreSQL may run under another account
            try:
                measured = uvloop.run(PARTS[name](Path(temporary) / name, given.quick))
            except Exception:
                traceback.print_exc()
                say(f"[red]{name} could not be measured")
                broken.append(name)
                continue
        figures += results.stamped(name, measured, quick=given.quick)
        console.print(results.table(measured))
    if len(given.parts) > 1:
        console.print(results.table(figures))
    for row in figures:
        console.print(f"[dim]{row['name']}: {row['note']}", soft_wrap=True, highlight=False)
    if busy > quiet.MOST:
        say(f"[red]other programs used up to {busy:.0%} of the processors[/]: nothing is written")
    elif figures and (given.save or not given.only):
        before = results.earlier(HERE / "results.json")
        whole = results.merged(figures, HERE / "results.json", list(PARTS))
        results.write(whole, HERE / "results.json")
        results.draw(whole, HERE / "results.svg", before)
        say(f"written: bench/results.json, bench/results.svg ({(time.monotonic() - began) / 60:.1f} minutes)")
    return 1 if broken or any(row["met"] is False for row in figures) else 0


if __name__ == "__main__":
    sys.exit(main())
