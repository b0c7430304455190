"""The alert rules: each names metrics that exist, says how grave it is, and has a section that says what to do."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
RULES: list[dict[str, Any]] = [
    rule
    for group in yaml.safe_load((ROOT / "deploy/prometheus/rules.yml").read_text("utf-8"))["groups"]
    for rule in group["rules"]
]
ALERTS = [rule for rule in RULES if "alert" in rule]
RUNBOOK = (ROOT / "docs/alerts.md").read_text("utf-8")
#: What Prometheus adds to a metric's name: counters have `_total`, histograms `_bucket`.
ADDED = ("_total", "_bucket")


def metrics_in_the_code() -> set[str]:
    """The names of all metrics, as the two `/metrics` pages are made in the code: whole, or after `threadline_`."""
    page = (ROOT / "app/http/metrics.py").read_text("utf-8")
    names = {f"threadline_{name}" for name in re.findall(r'_(?:gauges?|count|counter|histogram)\(\s*"(\w+)"', page)}
    for file in (ROOT / "app/settings/reloading.py", *(ROOT / "agents").rglob("*.py")):
        text = file.read_text("utf-8")
        names.update(re.findall(r'"(threadline_\w+)"', text))
        if "_LAG = {" in text:
            names.update(f"threadline_{name}" for name in re.findall(r'": \("(\w+)", "', text))
        if found := re.search(r"for name in \(([^)]*)\):\s+yield CounterMetricFamily", text):
            names.update(f"threadline_worker_{name}" for name in re.findall(r'"(\w+)"', found[1]))
    return names


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_metrics_exist(rule: dict[str, Any]) -> None:
    """A rule over a metric that nobody exposes would never fire."""
    known = metrics_in_the_code() | {one["record"] for one in RULES if "record" in one}
    used = set(re.findall(r"\bthreadline[_:][\w:]+", rule["expr"]))
    bare = {next((name.removesuffix(end) for end in ADDED if name.endswith(end)), name) for name in used}
    assert bare or "up{" in rule["expr"]
    assert bare <= known, bare - known


@pytest.mark.parametrize("rule", ALERTS, ids=lambda rule: rule["alert"])
def test_each_says_what_to_do(rule: dict[str, Any]) -> None:
    """Its severity is one of three, and its runbook is a section under its name, with something in it."""
    assert rule["labels"]["severity"] in ("page", "ticket", "info")
    assert rule["annotations"]["runbook"] == rule["alert"]
    section = RUNBOOK.split(f"\n## {rule['alert']}\n")
    assert len(section) == 2 and len(section[1].split("\n## ")[0]) > 80


def test_no_section_without_its_alert() -> None:
    """The page has no section about an alert that was removed."""
    assert set(re.findall(r"^## (\w+)$", RUNBOOK, re.M)) == {rule["alert"] for rule in ALERTS}
