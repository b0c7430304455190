"""Run the tests with branch coverage, then print it by top-level folder: `python -m tests.coverage [pytest's arguments]`.

Both lanes of `python -m tests` are measured, and every Python process that they start, other than those that end by
SIGKILL. Use `-k` to select tests: paths would be added to those of the lanes. The lines that were never run are listed in
build/coverage/index.html.
"""

import sys
import tempfile
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import orjson
from coverage import Coverage

from tests.__main__ import ROOT, run

FOLDER = ROOT / "build" / "coverage"


@dataclass
class Counts:
    """What can be run, and what was: statements and branches."""

    statements: int = 0
    run: int = 0
    branches: int = 0
    taken: int = 0

    @property
    def percent(self) -> float:
        """Return the share of statements and branches that were run, as coverage.py computes it."""
        return 100 * (self.run + self.taken) / max(1, self.statements + self.branches)


def main(more: list[str]) -> int:
    """Run the tests with pytest's arguments `more`, print the table, and return the exit status: that of the tests, or 2 if
    the total is below `fail_under` of pyproject.toml."""
    measured = Coverage(config_file=ROOT / "pyproject.toml")
    measured.erase()
    FOLDER.mkdir(parents=True, exist_ok=True)
    status = run(["coverage", "run", "-m", "pytest"], more)
    measured.combine()
    measured.save()
    measured.html_report(directory=str(FOLDER), ignore_errors=True)
    folders = by_folder(measured)
    print(table(folders))
    least = float(measured.get_option("report:fail_under") or 0)  # type: ignore[arg-type]  # a number
    if folders["total"].percent < least:
        print(f"below {least:g} %")
        return status or 2
    return status


def by_folder(measured: Coverage) -> dict[str, Counts]:
    """Return the counts of each top-level folder, in order, and their `total`."""
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        measured.json_report(outfile=report.name, ignore_errors=True)
        files = orjson.loads(Path(report.name).read_bytes())["files"]
    found: defaultdict[str, Counts] = defaultdict(Counts)
    for path, file in sorted(files.items()):
        summary = file["summary"]
        for counts in (found[Path(path).parts[0]], found["total"]):
            counts.statements += summary["num_statements"]
            counts.run += summary["covered_lines"]
            counts.branches += summary["num_branches"]
            counts.taken += summary["covered_branches"]
    total = found.pop("total", Counts())
    return {**found, "total": total}


def table(folders: dict[str, Counts]) -> str:
    """Return the counts as lines of text."""
    lines = [f"{'folder':10}{'statements':>12}{'run':>8}{'branches':>10}{'taken':>8}{'covered':>10}"]
    for name, each in folders.items():
        lines.append(
            f"{name:10}{each.statements:>12,}{each.run:>8,}{each.branches:>10,}{each.taken:>8,}{each.percent:>8.1f} %"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
