"""The table of who may call what is whole: each route and command is in it, and nothing else."""

import inspect
import pkgutil
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

import app.cli
from app.api.openapi import document
from app.api.routing import route
from app.http.app import Http
from app.http.permits import COMMANDS, ENVELOPES, ROUTES, checked
from app.http.scopes import SCOPES
from app.settings import Kafka, Postgres, Settings


async def nothing(_: Any) -> Any:
    """Answer nothing."""


def test_the_table_has_every_route_and_no_other(tmp_path: Path) -> None:
    """The door's two rows aside, which the router does not serve."""
    dsn = SecretStr("postgresql://127.0.0.1:1/none")
    settings = Settings(data=tmp_path, postgres=Postgres(dsn=dsn), kafka=Kafka(bootstrap="127.0.0.1:1"))
    served = {ENVELOPES, f"{ENVELOPES}/{{source}}"}
    for one in Http(settings)._pages.routes:
        assert isinstance(one, Route)
        served |= {f"{method} {one.path}" for method in (one.methods or set()) - {"HEAD"}}
    assert ROUTES.keys() == served


def test_a_route_that_is_not_in_the_table_is_not_served() -> None:
    """It fails where it is made, and where the application takes its routes."""
    with pytest.raises(LookupError, match="GET /v1/new"):
        route("/v1/new", GET=nothing)
    with pytest.raises(LookupError, match=r"DELETE /v1/clients/\{id\}"):
        route("/v1/clients/{id}", GET=nothing, DELETE=nothing)
    for strange in (Route("/v1/new", nothing), Mount("/files", StaticFiles(directory="."))):
        with pytest.raises(LookupError, match="table"):
            checked([strange])


def test_every_scope_of_the_table_exists() -> None:
    """A route without a scope is open, or takes any credential by a setting."""
    for name, need in ROUTES.items():
        assert need.scope in SCOPES or (need.scope is None and need.open != "never"), name
        assert need.also in (None, *SCOPES), name


def test_the_description_states_the_scope_of_each_route() -> None:
    """As the table has it."""
    paths = document()["paths"]
    for name, need in ROUTES.items():
        method, _, path = name.partition(" ")
        if need.open == "never":
            security = paths[path.replace(":path}", "}")][method.lower()]["security"]
            needs = [scopes for one in security for scheme, scopes in one.items() if scheme != "signature"]
            assert needs and all(scopes == [one for one in (need.scope, need.also) if one] for scopes in needs), name


def test_commands_that_call_the_api_are_in_the_table() -> None:
    """With routes that exist."""
    calling = set()
    for found in pkgutil.walk_packages(app.cli.__path__, "app.cli."):
        if "support" in found.name or found.name.endswith("__main__"):
            continue
        if "app.cli.support.api import" in inspect.getsource(import_module(found.name)):
            calling.add(found.name.split(".")[2])
    assert calling == {name.partition(" ")[0] for name in COMMANDS}
    assert {each for routes in COMMANDS.values() for each in routes} <= ROUTES.keys()
