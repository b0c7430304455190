"""Writes the dashboards as JSON for Grafana (`*.json` beside this file) from `panels.py`.

python -m venv sdk && sdk/bin/pip install grafana-foundation-sdk==1769699998!10.1.0
sdk/bin/python deploy/dashboards/generate.py            # writes them
sdk/bin/python deploy/dashboards/generate.py --check    # exits 1 where a file differs
"""

import sys
from pathlib import Path

from grafana_foundation_sdk.builders import common, dashboard, prometheus, timeseries
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models.common import LegendDisplayMode, LegendPlacement, TooltipDisplayMode
from grafana_foundation_sdk.models.dashboard import DataSourceRef
from panels import DASHBOARDS, Panel

FOLDER = Path(__file__).parent
#: Panels in a row of Grafana's 24 columns, and their height in its rows.
COLUMNS, HEIGHT = 3, 8


def source() -> DataSourceRef:
    """Return the reference to the Prometheus that a reader chooses at the top of the dashboard."""
    return DataSourceRef(type_val="prometheus", uid="${source}")


def panel(number: int, made: Panel) -> timeseries.Panel:
    """Return a panel as the SDK builds it."""
    built = timeseries.Panel().id(number).title(made.title).unit(made.unit).datasource(source()).min(0)
    legend = common.VizLegendOptions().show_legend(True).placement(LegendPlacement.BOTTOM)
    built = built.legend(legend.display_mode(LegendDisplayMode.LIST))
    built = built.tooltip(common.VizTooltipOptions().mode(TooltipDisplayMode.MULTI))
    built = built.height(HEIGHT).span(24 // COLUMNS)
    for letter, (query, name) in zip("ABCD", made.queries, strict=False):
        built = built.with_target(prometheus.Dataquery().expr(query).legend_format(name).ref_id(letter))
    return built


def written(name: str) -> str:
    """Return one dashboard as JSON."""
    title, panels = DASHBOARDS[name]
    built = (
        dashboard.Dashboard(title).uid(f"threadline-{name}").tags(["threadline"]).refresh("30s").time("now-3h", "now")
    )
    built = built.with_variable(dashboard.DatasourceVariable("source").label("Prometheus").type("prometheus"))
    for number, each in enumerate(panels, 1):
        built = built.with_panel(panel(number, each))
    return JSONEncoder(sort_keys=True, indent=2).encode(built.build()) + "\n"


def main() -> int:
    """Write the files, or with `--check` compare them. Returns the exit status."""
    differ = [name for name in DASHBOARDS if _text(name) != written(name)]
    if "--check" in sys.argv[1:]:
        for name in differ:
            print(f"{name}.json is not what panels.py makes: run generate.py", file=sys.stderr)
        return 1 if differ else 0
    for name in differ:
        (FOLDER / f"{name}.json").write_text(written(name), "utf-8")
    return 0


def _text(name: str) -> str:
    file = FOLDER / f"{name}.json"
    return file.read_text("utf-8") if file.exists() else ""


if __name__ == "__main__":
    sys.exit(main())
