"""What commands print with `--json`: one JSON document, also where there is nothing to show."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import Dsns
from tests.integration.command_line import command, on_store
from tests.support.keys import KEY

#: Arguments, the exit code, and the document of an empty store; where it depends on the machine, its type.
DOCUMENTS: tuple[tuple[tuple[str, ...], int, Any], ...] = (
    (("callbacks", "list"), 0, []),
    (("clients", "list"), 0, []),
    (("dead-letters", "list"), 0, []),
    (("gaps",), 0, []),
    (("keys", "list"), 0, []),
    (("recipients", "show", "+15551234567"), 0, dict),
    (("settings",), 0, list),
    (("providers",), 0, list),
    (("events",), 0, list),
    (("doctor",), 1, list),
)


@pytest.mark.parametrize(
    ("arguments", "code", "document"), DOCUMENTS, ids=[" ".join(each[0][:2]) for each in DOCUMENTS]
)
async def test_json(postgres_dsn: Dsns, tmp_path: Path, arguments: tuple[str, ...], code: int, document: Any) -> None:
    """Nothing else is on standard output, and the exit code is that of the command without it."""
    environment = on_store(postgres_dsn.service, tmp_path) | {"THREADLINE_SECRETS__KEYS": f'["{KEY}"]'}
    ran = await command(*arguments, "--json", environment=environment)
    found = json.loads(ran.out)
    assert ran.code == code
    assert isinstance(found, document) if isinstance(document, type) else found == document
    if arguments == ("doctor",):
        assert {"what", "state", "found", "todo"} == found[0].keys()
