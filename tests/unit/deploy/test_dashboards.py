"""The dashboards: each is what `panels.py` says, and each query is about metrics that exist."""

import json
import re
import runpy
from pathlib import Path
from typing import Any

import pytest

from tests.unit.deploy.test_alerts import ADDED, metrics_in_the_code

FOLDER = Path(__file__).parents[3] / "deploy" / "dashboards"
PANELS: dict[str, Any] = runpy.run_path(str(FOLDER / "panels.py"))["DASHBOARDS"]
FILES = {file.stem: json.loads(file.read_text("utf-8")) for file in FOLDER.glob("*.json")}
#: What Prometheus adds to the name of a histogram or a counter; and metrics of Prometheus and of the process.
MORE = (*ADDED, "_count")


def test_each_file_has_its_panels() -> None:
    """No dashboard is missing or left over, and none shows another query than the table has."""
    assert FILES.keys() == PANELS.keys()
    for name, (title, panels) in PANELS.items():
        made = FILES[name]
        assert (made["title"], made["uid"]) == (title, f"threadline-{name}")
        assert [(panel["title"], [target["expr"] for target in panel["targets"]]) for panel in made["panels"]] == [
            (panel.title, [query for query, _ in panel.queries]) for panel in panels
        ]
        assert len({panel["id"] for panel in made["panels"]}) == len(panels)


@pytest.mark.parametrize("name", sorted(FILES))
def test_metrics_exist(name: str) -> None:
    """A panel about a metric that nobody exposes would stay empty."""
    known = metrics_in_the_code()
    for panel in FILES[name]["panels"]:
        for target in panel["targets"]:
            used = re.findall(r"\bthreadline_\w+", target["expr"])
            bare = {next((each.removesuffix(end) for end in MORE if each.endswith(end)), each) for each in used}
            assert bare <= known, (panel["title"], bare - known)
