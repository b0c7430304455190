"""The Helm chart, as far as it can be checked without Helm: its values, their schema and page, and what it has a copy of."""

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from agents import GROUP
from agents.process.ending import LAST
from app.cli.program import COMMANDS
from app.http.server import GRACE
from app.kafka.topics import TOPICS
from app.settings import Settings
from app.settings.loading import load
from app.variables import BESIDE, fields_of, variable

DEPLOY = Path(__file__).parents[3] / "deploy"
CHART = DEPLOY / "helm" / "threadline"
VALUES: dict[str, Any] = yaml.safe_load((CHART / "values.yaml").read_text("utf-8"))
SCHEMA: dict[str, Any] = json.loads((CHART / "values.schema.json").read_text("utf-8"))
TEMPLATES = {file.name: file.read_text("utf-8") for file in (CHART / "templates").iterdir()}
EXAMPLES = sorted((CHART / "ci").iterdir())


def leaves(values: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the path of each value; a list or an empty table is one."""
    for key, value in values.items():
        if isinstance(value, dict) and value and key not in ("requests", "limits"):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}"


def described(schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Yield the path of each value that the schema knows, in the same way."""
    for key, value in schema["properties"].items():
        inner = SCHEMA["$defs"]["resources"] if "$ref" in value else value
        if "properties" in inner:
            yield from described(inner, f"{path}{key}.")
        else:
            yield f"{path}{key}"


def validate(values: dict[str, Any]) -> None:
    """Raise ValidationError where values do not fit the schema."""
    Draft202012Validator(SCHEMA).validate(values)


def test_the_schema_knows_the_values_and_no_others() -> None:
    """Each value has a default and a type. `global` is Helm's own."""
    Draft202012Validator.check_schema(SCHEMA)
    validate(VALUES)
    assert set(leaves(VALUES)) == set(described(SCHEMA)) - {"global"}


@pytest.mark.parametrize("file", EXAMPLES, ids=lambda file: file.name)
def test_examples_fit(file: Path) -> None:
    """The files of values that are linted fit the schema."""
    validate(yaml.safe_load(file.read_text("utf-8")))


@pytest.mark.parametrize(
    "values",
    [
        {"door": {"replica": 3}},
        {"door": {"replicas": "two"}},
        {"door": {"stopSeconds": 5}},
        {"kafka": {"bootstrap": "no port:x"}},
        {"largeBodies": {"keep": "disk"}},
        {"existingSecret": "Not_A_Name"},
        {"image": {"digest": "latest"}},
        {"ingress": {"paths": ["webhooks"]}},
    ],
    ids=str,
)
def test_mistakes_are_refused(values: dict[str, Any]) -> None:
    """A misspelt name, a wrong type, a value out of its range."""
    with pytest.raises(ValidationError):
        validate(values)


def test_the_page_has_each_group_of_values() -> None:
    """deploy/helm/README.md names each top-level value, and no other."""
    page = (DEPLOY / "helm" / "README.md").read_text("utf-8")
    table = page.split("\n## Values\n")[1].split("\n## ")[0]
    named = [name for row in re.findall(r"^\| (`.*?) \|", table, re.M) for name in re.findall(r"`(\w+)", row)]
    assert named == list(VALUES)


def test_the_doors_probes_follow_its_tls() -> None:
    """The variables are those of the settings, their files those of the Secret, and each probe asks by the scheme of its port."""
    door = TEMPLATES["door.yaml"]
    assert 'ternary "HTTPS" "HTTP" (ne .Values.door.tlsSecret "")' in door
    for name, file in (("CERTIFICATE", "tls.crt"), ("KEY", "tls.key")):
        assert f"THREADLINE_DOOR__TLS__{name}, value: /etc/threadline/door-tls/{file}" in door
        assert name.lower() in type(Settings().door.tls).model_fields
        assert f"key: {file}, path: {file}" in door
    assert TEMPLATES["_pod.tpl"].count("port: {{ .port }}, scheme: {{ .scheme }}}") == 3


def test_each_value_is_used() -> None:
    """A value that no template reads would do nothing."""
    text = "".join(TEMPLATES.values())
    for path in leaves(VALUES):
        assert re.search(rf"\.{path.removesuffix('.requests').removesuffix('.limits').rsplit('.')[-1]}\b", text), path


def test_rules_are_those_of_prometheus() -> None:
    """The chart's copy, which Helm can read, equals deploy/prometheus/rules.yml."""
    assert (CHART / "files/rules.yml").read_bytes() == (DEPLOY / "prometheus/rules.yml").read_bytes()


def test_versions_are_those_of_the_project() -> None:
    """The chart's version, and that of the image that it names, are pyproject.toml's."""
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text("utf-8"))
    version = tomllib.loads((DEPLOY.parent / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert (chart["version"], chart["appVersion"]) == (version, version)


def test_commands_variables_ports_and_topics_exist() -> None:
    """What the templates give to the processes is what they have."""
    text = "".join(TEMPLATES.values())
    for commands in re.findall(r"args: \[(\w+)[\],]", text):
        assert commands in COMMANDS
    hooks = re.findall(r'dict "(\w+)" "-5" "(\w+)" "0"', text)
    assert hooks == [("topics", "migrate")] and set(hooks[0]) <= set(COMMANDS)
    known = {variable(path) for path, _ in fields_of(Settings)} | set(BESIDE)
    known |= {"THREADLINE_SOURCES__TWILIO__AUTH_TOKEN"}
    assert set(re.findall(r"THREADLINE_[A-Z0-9_]+[A-Z0-9]", text + (CHART / "values.yaml").read_text("utf-8"))) <= known
    assert f"containerPort: {load().door.port}}}" in TEMPLATES["door.yaml"]
    assert f"containerPort: {load().worker.port}}}" in TEMPLATES["worker.yaml"]
    assert f"consumerGroup: {GROUP}\n" in TEMPLATES["scaling.yaml"]
    (topics,) = re.findall(r'range \$topic := list ((?:"[\w.]+" ?)+)', text)
    assert set(re.findall(r'"([\w.]+)"', topics)) <= {topic.name for topic in TOPICS}


def test_no_body_becomes_a_blob_where_large_ones_are_refused() -> None:
    """`largeBodies.keep: refuse` sets both limits to the default of `blobs.over`."""
    over = str(load().blobs.over)
    for name in ("THREADLINE_DOOR__MAX_BODY", "THREADLINE_BLOBS__OVER"):
        assert f'{{name: {name}, value: "{over}"}}' in TEMPLATES["_pod.tpl"]


def test_no_pod_may_do_more_than_it_needs() -> None:
    """Each pod template has the restricted security of the pod and of its container, and no token."""
    for name in ("door.yaml", "worker.yaml", "mqtt.yaml", "hooks.yaml"):
        text = TEMPLATES[name]
        assert text.count('include "threadline.containerSecurity"') == text.count("image: {{") == 1
        assert ('include "threadline.podHead"' in text) or ('include "threadline.podSecurity"' in text)
        assert ('include "threadline.podHead"' in text) or "automountServiceAccountToken: false" in text
    assert "runAsUser: 10001" in TEMPLATES["_pod.tpl"] and "readOnlyRootFilesystem: true" in TEMPLATES["_pod.tpl"]


def test_time_to_stop_suffices() -> None:
    """Kubernetes waits longer than the processes take to stop by themselves."""
    assert VALUES["worker"]["stopSeconds"] > LAST
    assert VALUES["door"]["stopSeconds"] > load().door.keep_timeout + GRACE
