"""Makes figures, and writes them as a table, as a file and as a picture."""

import json
import os
import platform
import subprocess
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import matplotlib
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
Figure = dict[str, Any]
MET, MISSED, INK = "#3a8f5c", "#c8553d", "#24292f"


def figure(
    name: str,
    value: float,
    unit: str,
    *,
    limit: float | None = None,
    ratio: float | None = None,
    target: float | None = None,
    better: str = "more",
    note: str = "",
    **more: Any,
) -> Figure:
    """Return one row. `target` applies to the ratio if there is one, else to the value; `better` is `more` or `less`.
    `more` is written to the file only; `drawn=False` leaves the row out of the picture."""
    measured = value if ratio is None else ratio
    met = None if target is None else measured >= target if better == "more" else measured <= target
    return {
        "name": name,
        "value": round(value, 2),
        "limit": None if limit is None else round(limit, 2),
        "ratio": None if ratio is None else round(ratio, 3),
        "target": target,
        "better": better,
        "met": met,
        "unit": unit,
        "note": note,
        **more,
    }


def wanted(row: Figure) -> str:
    """Return the target in words: `≥ 0.4 of limit`."""
    if row["target"] is None:
        return ""
    of = row["unit"] if row["ratio"] is None else "of limit"
    return f"{'≥' if row['better'] == 'more' else '≤'} {row['target']:,} {of}"


def short(value: float) -> str:
    """Return a number for people: whole from 100 on, else with three digits."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"


def table(figures: Sequence[Figure]) -> Table:
    """Return the table to print."""
    made = Table()
    made.add_column("what")
    for name in ("figure", "limit", "ratio", "target"):
        made.add_column(name, justify="right")
    made.add_column("met")
    for row in figures:
        met = {None: "", True: "[green]yes[/]", False: "[red]no[/]"}[row["met"]]
        limit = "" if row["limit"] is None else short(row["limit"])
        ratio = "" if row["ratio"] is None else f"{row['ratio']:.2f}"
        made.add_row(row["name"], f"{short(row['value'])} {row['unit']}", limit, ratio, wanted(row), met)
    return made


def stamped(part: str, measured: Sequence[Figure], *, quick: bool) -> list[Figure]:
    """Return the figures of a part, with the time and the commit of the measurement."""
    stamp = {"part": part, "date": datetime.now(UTC).isoformat(timespec="seconds"), "commit": commit(), "quick": quick}
    return [{**row, **stamp} for row in measured]


def merged(figures: Sequence[Figure], file: Path, parts: Sequence[str]) -> list[Figure]:
    """Return these figures together with those of other parts in the file, in the order of `parts`."""
    kept = earlier(file)
    measured = {row["part"] for row in figures}
    rows = [row for row in kept if row["part"] in parts and row["part"] not in measured] + [*figures]
    return sorted(rows, key=lambda row: parts.index(row["part"]))


def earlier(file: Path) -> list[Figure]:
    """Return the figures that the file has."""
    found: list[Figure] = json.loads(file.read_text())["figures"] if file.exists() else []
    return found


def write(figures: Sequence[Figure], file: Path) -> None:
    """Write the file: the machine, and the figures."""
    content = {
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "figures": figures,
    }
    file.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


def commit() -> str | None:
    """Return the commit that was measured, with `+changes` if files differ from it; None outside a clone."""
    ran = [
        subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
        for words in (["rev-parse", "--short=12", "HEAD"], ["status", "--porcelain", "--untracked-files=no"])
    ]
    if any(one.returncode for one in ran):
        return None
    return ran[0].stdout.strip() + ("+changes" if ran[1].stdout.strip() else "")


def draw(figures: Sequence[Figure], file: Path, before: Sequence[Figure] = ()) -> None:
    """Draw a bar for each figure that has a target, as a multiple of the target, so that all have one line to reach, and a mark where
    it was `before`."""
    rows = [row for row in figures if row["target"] is not None and row.get("drawn", True)][::-1]
    if not rows:
        return
    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "threadline", "text.color": INK, "axes.labelcolor": INK})
    from matplotlib import pyplot

    plot, axes = pyplot.subplots(figsize=(9, 0.5 * len(rows) + 1.1))
    known = {row["name"]: row for row in before}
    for place, row in enumerate(rows):
        times = _times(row, row["target"])
        if (old := known.get(row["name"])) is not None:
            axes.plot([_times(old, row["target"])] * 2, [place - 0.4, place + 0.4], color=INK, linewidth=1.5)
        axes.barh(place, times, color=MET if row["met"] else MISSED, height=0.6)
        label = f"{short(row['value'])} {row['unit']}" if row["ratio"] is None else f"{row['ratio']:.2f} of limit"
        axes.text(times, place, f"  {label}   (target {wanted(row)})", va="center", fontsize=8.5)
    axes.axvline(1, color=INK, linewidth=1, linestyle="--")
    axes.set_yticks(range(len(rows)), [row["name"] for row in rows])
    axes.set_xlabel("times its target (dashed line: the target; mark: the run before; longer is better)")
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlim(0, max(axes.get_xlim()[1] * 1.5, 2))
    plot.tight_layout()
    plot.savefig(file, facecolor="white", metadata={"Date": None})  # a white card, on dark pages too
    pyplot.close(plot)


def _times(row: Figure, target: float) -> float:
    """Return a figure as a multiple of a target."""
    measured = row["value"] if row["ratio"] is None else row["ratio"]
    return float(measured / target if row["better"] == "more" else target / max(measured, 1e-9))
