"""Requests that schemathesis makes of the API's description, with each role and without a key: no answer is an error of the server,
and each is one that the description has, with its headers and its body."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.core.result import Ok
from schemathesis.schemas import APIOperation
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.api import openapi
from app.embedded.ports import free
from app.embedded.process import Child
from app.http.scopes import ROLES
from app.http.tokens import mint
from sql import EventStore
from tests.conftest import Dsns
from tests.support.keys import KEY, SEAL
from tests.support.stack import ROOT
from tests.support.tenanted import filled
from tests.support.waiting import eventually

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
#: Requests of each operation that fit the description, and of those that do not; each is made by every caller.
EXAMPLES = 3
#: Seconds that one request may take.
PATIENCE = 10
#: Answered 503 where a part is away, as Kafka is here.
HEALTH = {"GET /readyz", "GET /healthz"}
CLIENT = "shop"


@asynccontextmanager
async def served(data: Path, dsns: Dsns) -> AsyncIterator[str]:
    """Run the whole HTTP process, without Kafka; yield its URL. A process of its own, since the making of examples watches the
    state of `random`."""
    port = free()
    given = {
        "DATA": str(data),
        "POSTGRES__DSN": dsns.service,
        "KAFKA__BOOTSTRAP": "127.0.0.1:1",
        "SECRETS__KEYS": json.dumps([KEY]),
        "DOOR__PORT": str(port),
        "API__RATE": "100000",
        "API__BURST": "100000",
        "SOURCES": json.dumps({"twilio": {"account_sid": "AC1", "auth_token": "secret", "client": CLIENT}}),
    }
    environment = {"PYTHONPATH": str(ROOT), **{f"THREADLINE_{name}": value for name, value in given.items()}}
    child = Child("serve", [sys.executable, "-m", "app.cli", "serve"], data / "serve.log", environment=environment)
    child.start()
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(trust_env=False) as http:

            async def answers() -> bool:
                with suppress(httpx.TransportError):
                    return (await http.get(f"{url}/healthz")).status_code == 200
                assert child.alive, (data / "serve.log").read_text()
                return False

            await eventually(answers, within=60)
        yield url
    finally:
        await child.stop()


async def test_what_the_description_allows_and_what_it_does_not(tmp_path: Path, postgres_dsn: Dsns) -> None:
    """Requests that fit the description, and such that do not, to each operation, by each caller."""
    callers: dict[str, dict[str, str]] = {"no key": {}}
    async with await EventStore.open(postgres_dsn.service, SEAL, pool=2) as store:
        await filled(store, CLIENT, 20)
        for role in ROLES:
            id, token, hash = mint()
            await store.create_api_key(id, role, CLIENT, [], hash, roles=[role])
            callers[role] = {"authorization": f"Bearer {token}"}
    schema = schemathesis.openapi.from_dict(openapi.document())
    operations = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) > 40
    async with served(tmp_path, postgres_dsn) as url:
        failed = [
            f"{operation.label}: {fault}"
            for operation in operations
            for fault in await asyncio.to_thread(faults, operation, url, callers)
        ]
    assert not failed, "\n\n".join(failed)


def faults(operation: APIOperation[Any, Any, Any, Any], url: str, callers: dict[str, dict[str, str]]) -> list[str]:
    """Ask an operation for each caller, in the same way each time, and return what is wrong with its answers."""
    checks = [one for one in CHECKS if operation.label not in HEALTH or one is not not_a_server_error]
    found: list[str] = []

    for mode in GenerationMode:

        @seed(1)
        @hypothesis_settings(
            max_examples=EXAMPLES,
            phases=[Phase.generate],
            deadline=None,
            suppress_health_check=list(HealthCheck),
            database=None,
        )
        @given(case=operation.as_strategy(generation_mode=mode))
        def ask(case: Case[Any]) -> None:
            for caller, headers in callers.items():
                # A fault is noted, not raised: a second try might not show it, as the first has changed something.
                try:
                    case.validate_response(case.call(base_url=url, headers=headers, timeout=PATIENCE), checks=checks)
                except (FailureGroup, OSError) as error:
                    each = getattr(error, "exceptions", [error])
                    found.extend(f"{caller}: {one}\n{case.as_curl_command()}" for one in each)

        with suppress(Unsatisfiable):  # without parameters and body there is nothing that does not fit
            ask()
    return found
