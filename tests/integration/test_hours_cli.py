"""`threadline clients reseal` and `doctor` on the keys of raw records."""

import base64
import json
import secrets
from pathlib import Path

from sql import EventStore
from sql.hour_keys import AHEAD
from sql.sealing import KEY_BYTES, Seal
from tests.conftest import Dsns
from tests.integration.command_line import command, on_store

KEYS = sum(hours for purpose, hours in AHEAD.items() if purpose != "events")


async def test_a_new_key_takes_over_the_keys_of_records(postgres_dsn: Dsns, tmp_path: Path) -> None:
    """The doctor names what needs the old one, before, after, and where it was taken out too early."""
    old, new = secrets.token_bytes(KEY_BYTES), secrets.token_bytes(KEY_BYTES)
    async with await EventStore.open(postgres_dsn.service, Seal([old]), pool=1) as store:
        await store.keys_ahead()

    def env(*keys: bytes) -> dict[str, str]:
        given = json.dumps([base64.b64encode(key).decode() for key in keys])
        return on_store(postgres_dsn.service, tmp_path) | {"THREADLINE_SECRETS__KEYS": given, "COLUMNS": "200"}

    early = (await command("doctor", environment=env(new))).out
    assert f"{KEYS} of {KEYS} need the key {Seal([old]).key_id}" in " ".join(early.split())
    assert f"{KEYS} of {KEYS} need an older key" in " ".join(
        (await command("doctor", environment=env(new, old))).out.split()
    )
    done = await command("clients", "reseal", environment=env(new, old))
    assert done.code == 0 and f"{KEYS} keys of raw records were encrypted" in " ".join(done.err.split())
    assert "Keys of raw records" not in (await command("doctor", environment=env(new))).out
