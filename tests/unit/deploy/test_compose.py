"""compose.yml: its commands, variables and health checks are Threadline's own."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from app.cli.program import COMMANDS
from app.settings.loading import load

DEPLOY = Path(__file__).parents[3] / "deploy"
OURS: dict[str, Any] = {
    name: service
    for name, service in yaml.safe_load((DEPLOY / "compose.yml").read_text("utf-8"))["services"].items()
    if service["image"] == "localhost/threadline"
}


@pytest.mark.parametrize("name", OURS)
def test_each_runs_a_command_with_settings_that_are_known(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command exists, and its variables are accepted as settings (an unknown one is refused)."""
    service = OURS[name]
    assert service["command"][0] in COMMANDS
    for key, value in service["environment"].items():
        filled = re.sub(r"\$\{(\w+)(:\?[^}]*)?\}", "QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVoxMjM0NTY=", value)
        monkeypatch.setenv(key, filled.replace("/etc/threadline.toml", str(DEPLOY / "threadline.toml")))
    settings = load()
    assert settings.postgres.dsn or settings.postgres.owner_dsn


def test_nothing_of_ours_may_do_more_than_it_needs() -> None:
    """Each has a read-only root, no capabilities, and a limit of memory; only the one that migrates has the owner's password."""
    for name, service in OURS.items():
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["mem_limit"]
        assert ("OWNER_PASSWORD" in str(service["environment"])) == (name == "migrate")


def test_health_is_asked_where_it_is_answered() -> None:
    """The ports are those that the settings have by default."""
    ports = {name: service["healthcheck"]["test"][-1] for name, service in OURS.items() if "healthcheck" in service}
    assert ports == {"http": str(load().door.port), "worker": str(load().worker.port)}
