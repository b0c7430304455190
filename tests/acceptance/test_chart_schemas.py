"""What the chart makes fits the schemas of its kinds, options that no test runs included."""

import pytest
import yaml

from tests.acceptance.kubernetes.programs import run
from tests.acceptance.kubernetes.release import CHART
from tests.support.resources import SCHEMAS, faults


@pytest.mark.parametrize("values", ["everything", "minimal"])
def test_each_manifest_fits_its_schema(values: str) -> None:
    """With all options that go together, and with none: no name that is unknown, no wrong type. With all options each kind that has
    a schema is made, so that none of the checks is idle."""
    made = run("helm", "template", "t", CHART, "--values", CHART / "ci" / f"{values}.yaml").stdout
    resources = [each for each in yaml.safe_load_all(made) if each]
    found = {f"{each['kind']} {each['metadata']['name']}": [*faults(each)] for each in resources}
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    if values == "everything":
        assert {f"{each['apiVersion']}/{each['kind']}" for each in resources} == SCHEMAS["kinds"].keys()
