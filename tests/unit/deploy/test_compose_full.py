"""compose.full.yml, laid over compose.yml: its form, its files, its limits, and configurations that are those of acceptance."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from app.settings.loading import load

ROOT = Path(__file__).parents[3]
DEPLOY = ROOT / "deploy"


class Loader(yaml.SafeLoader):  # type: ignore[misc]  # yaml has no types
    """Reads compose's `!reset`, which removes the value of compose.yml, as the empty value that follows it."""


Loader.add_constructor("!reset", lambda _, node: [] if isinstance(node, yaml.SequenceNode) else None)


def read(name: str) -> dict[str, Any]:
    """Return a file of the folder."""
    loaded: dict[str, Any] = yaml.load((DEPLOY / name).read_text("utf-8"), Loader)  # it is a SafeLoader
    return loaded


BASE, FULL = read("compose.yml"), read("compose.full.yml")
#: Each service as it is run, as far as the tests look at it: what the second file says stands before what the first says.
SERVICES: dict[str, dict[str, Any]] = {
    name: {**BASE["services"].get(name, {}), **FULL["services"].get(name, {})}
    for name in BASE["services"].keys() | FULL["services"].keys()
}
#: Kafka's scripts and PostgreSQL's server write beside their data; `folders` and `migrate` run once.
WRITES = {"kafka", "kafka2", "kafka3", "postgres", "standby"}
ENDS = {"folders", "migrate", "topics"}


def test_files_match_the_schema() -> None:
    """Both files are compose files by the specification's schema; a misspelt key is none."""
    schema = json.loads((ROOT / "tests/support/compose/compose-spec.json").read_bytes())
    validator = Draft7Validator(schema)
    for name, file in (("compose.yml", BASE), ("compose.full.yml", FULL)):
        assert [error.message for error in validator.iter_errors(file)] == [], name
    assert [*validator.iter_errors({"services": {"http": {"imagine": "x"}}})]


def mounts(service: dict[str, Any]) -> list[str]:
    """Return what a service mounts, as SOURCE:TARGET."""
    return [*service.get("volumes", [])]


def test_mounted_files_and_volumes_exist() -> None:
    """Each path is a file or folder of deploy/, given read-only; each name is a volume; each service that is waited for is one."""
    volumes = BASE["volumes"].keys() | FULL["volumes"].keys()
    used = set()
    for file in (BASE, FULL):
        for name, service in file["services"].items():
            for mount in mounts(service):
                source = mount.partition(":")[0]
                if source.startswith("${"):
                    assert mount.endswith(":ro")
                elif source.startswith("./"):
                    assert (DEPLOY / source).exists() and mount.endswith(":ro"), (name, mount)
                else:
                    used.add(source)
            assert set(service.get("depends_on", ())) <= SERVICES.keys(), name
    assert used == volumes


@pytest.mark.parametrize("name", sorted(SERVICES))
def test_each_may_do_no_more_than_it_needs(name: str) -> None:
    """No service has new privileges or all capabilities; each has a limit of memory, an image of one version, a health check where
    it stays and its image can be asked, and a port on loopback only."""
    service = SERVICES[name]
    assert service["security_opt"] == ["no-new-privileges:true"] and service["cap_drop"] == ["ALL"]
    assert service["mem_limit"]
    assert service["image"] == "localhost/threadline" or service["image"].rpartition(":")[2][:1] in "0123456789v"
    assert bool(service.get("read_only")) == (name not in WRITES)
    assert ("healthcheck" in service) == (name not in ENDS | {"collector"})
    assert (service.get("restart") == "always") == (name not in ENDS)
    assert all(port.startswith("127.0.0.1:") for port in service.get("ports") or ())


@pytest.mark.parametrize("name", ["http", "worker", "topics", "migrate"])
def test_settings_are_known(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Threadline accepts the variables of both files together; the door believes the gateway's network alone."""
    given = BASE["services"][name]["environment"] | FULL["services"][name]["environment"]
    for key, value in given.items():
        filled = re.sub(r"\$\{(\w+)(:\?[^}]*)?\}", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY=", value)
        monkeypatch.setenv(key, filled.replace("/etc/threadline.toml", str(DEPLOY / "threadline.toml")))
    settings = load()
    if name != "topics":
        dsn = settings.postgres.owner_dsn if name == "migrate" else settings.postgres.dsn
        assert dsn is not None and "@postgres,standby/" in dsn.get_secret_value()
    if name == "http":
        (network,) = FULL["networks"]["default"]["ipam"]["config"]
        assert [str(each) for each in settings.door.trusted_proxies] == [network["subnet"]]


def test_only_the_gateway_leads_to_the_door() -> None:
    """The door publishes no port; the name of the gateway's upstream in envoy.yaml is an alias of it."""
    assert FULL["services"]["http"]["ports"] == []
    (alias,) = FULL["services"]["http"]["networks"]["default"]["aliases"]
    assert f"address: {alias}, port_value: 8080" in (DEPLOY / "gateway/envoy.yaml").read_text("utf-8")


def test_prometheus_differs_from_the_tested_file_in_hosts_only() -> None:
    """deploy/full/prometheus.yml is deploy/prometheus/prometheus.yml, whose rules it reads, with services as targets."""

    def without_targets(file: str) -> tuple[Any, list[str]]:
        config = read(file)
        found = []
        for each in (*config["alerting"]["alertmanagers"], *config["scrape_configs"]):
            (static,) = each["static_configs"]
            found += static.pop("targets")
        return config, found

    tested, _ = without_targets("prometheus/prometheus.yml")
    config, targets = without_targets("full/prometheus.yml")
    assert config == tested
    assert {target.partition(":")[0] for target in targets} <= SERVICES.keys()
    assert f"http:{FULL['services']['http']['environment']['THREADLINE_API__METRICS_PORT']}" in targets
    assert "./prometheus/rules.yml:/etc/prometheus/rules.yml:ro" in mounts(SERVICES["prometheus"])


def test_the_others_run_the_tested_files() -> None:
    """Gateway, collector and Grafana mount the very files of the acceptance tests; versions are those that ran there."""
    assert "./gateway/envoy.yaml:/etc/envoy/envoy.yaml:ro" in mounts(SERVICES["gateway"])
    assert "./collector/collector.yml:/etc/collector.yml:ro" in mounts(SERVICES["collector"])
    assert "./dashboards:/var/lib/grafana/dashboards:ro" in mounts(SERVICES["grafana"])
    collector = (DEPLOY / "collector/collector.yml").read_text("utf-8")
    assert all(f"env:{name}:" in collector for name in SERVICES["collector"]["environment"])
    ran = (DEPLOY / "ACCEPTANCE.md").read_text("utf-8")
    for name, tool in (("gateway", "Envoy"), ("collector", "OpenTelemetry collector"), ("jaeger", "Jaeger"),
                       ("victorialogs", "VictoriaLogs")):  # fmt: skip
        version = SERVICES[name]["image"].rpartition(":")[2].removeprefix("v")
        assert f"{tool} {version}" in ran, name


def test_kafka_and_postgresql_are_as_in_the_page_of_clusters() -> None:
    """Three brokers with ids of their own, three replicas of which two acknowledge; the standby's name is the one that commits wait
    for, and the WAL is archived as docs/backup.md says."""
    brokers = [FULL["services"][name]["environment"] for name in ("kafka", "kafka2", "kafka3")]
    assert sorted(each["KAFKA_NODE_ID"] for each in brokers) == ["1", "2", "3"]
    for each in brokers:
        assert (each["KAFKA_DEFAULT_REPLICATION_FACTOR"], each["KAFKA_MIN_INSYNC_REPLICAS"]) == ("3", "2")
    for name in ("http", "worker", "topics"):
        assert FULL["services"][name]["environment"]["THREADLINE_KAFKA__REPLICATION"] == "3"
    assert "'ANY 1 (standby)'" in (DEPLOY / "postgres/replication.sh").read_text("utf-8")
    assert "application_name=standby" in (DEPLOY / "postgres/standby.sh").read_text("utf-8")
    (command,) = (each for each in FULL["services"]["postgres"]["command"] if each.startswith("-carchive_command="))
    assert command.removeprefix("-carchive_command=") in (ROOT / "docs/backup.md").read_text("utf-8")
