"""The settings of keys, and what makes a key a bad one."""

import base64
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from app.embedded.firstrun import make_key
from app.keys import keys_of
from app.keys.sound import weakness
from app.keys.wrapping import KeysRefused, wrapper_of
from app.settings import Kms, Secrets, Settings, Transit
from app.settings.wording import worded
from sql.sealing import Seal
from tests.integration.command_line import command

TRANSIT = {"address": "https://bao.example.com:8200", "token_file": "/run/token"}


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"wrapped": ["vault:v1:AAAA"]}, "begin with transit: or kms:"),
        ({"wrapped": ["transit:"], "transit": TRANSIT}, "begin with transit: or kms:"),
        ({"wrapped": ["transit:AAAA"]}, "transit.address is not set"),
        ({"wrapped": ["kms:AAAA"]}, "kms.key is not set"),
        ({"transit": {"address": "https://bao.example.com"}}, "either token_file, or role_id"),
        ({"transit": TRANSIT | {"role_id": "r", "secret_id_file": "/run/id"}}, "either token_file, or role_id"),
        ({"transit": {"address": "https://bao.example.com", "role_id": "r"}}, "belong together"),
        ({"transit": TRANSIT | {"address": "http://bao.example.com:8200"}}, "must begin with https://"),
        ({"transit": TRANSIT | {"address": "http://10.0.0.1:8200"}}, "must begin with https://"),
        ({"transit": TRANSIT | {"address": "bao.example.com"}}, "must match"),
        ({"kms": {"key": "k", "endpoint": "http://kms.example.com"}}, "must begin with https://"),
        ({"kms": {"key": "k", "access_key_id": "AKIA"}}, "belong together"),
        ({"kms": {"key": "no key"}}, "must match"),
    ],
)
def test_settings_that_cannot_work_are_refused(given: dict[str, Any], says: str) -> None:
    """When they are read, with the name of the setting."""
    with pytest.raises(ValidationError) as raised:
        Secrets.model_validate(given)
    assert says in "\n".join(worded(raised.value))


@pytest.mark.parametrize("address", ["http://127.0.0.1:8200", "http://[::1]:8200", "http://localhost:8200/"])
def test_plain_http_is_for_this_machine(address: str) -> None:
    """As with an agent beside the process."""
    assert Secrets.model_validate({"transit": TRANSIT | {"address": address}}).transit.address == address


def test_a_service_that_is_not_configured_says_which_setting() -> None:
    """As when a key is to be wrapped by it."""
    for name, setting in (("transit", "secrets.transit.address"), ("kms", "secrets.kms.key")):
        with pytest.raises(KeysRefused, match=setting):
            wrapper_of(name, Settings(secrets=Secrets(transit=Transit(), kms=Kms())))


def test_the_key_of_the_data_folder_stays_beside_other_settings_of_keys(tmp_path: Path) -> None:
    """Reading it leaves the tables of the services as they are."""
    make_key(tmp_path)
    secrets = Secrets.model_validate({"transit": TRANSIT})
    settings = Settings(data=tmp_path, secrets=secrets)
    assert len(keys_of(settings)) == 1
    assert settings.secrets.transit.address == TRANSIT["address"]


@pytest.mark.parametrize(
    "key",
    [
        bytes(32),
        b"\xff" * 32,
        bytes(range(32)),
        bytes(range(64, 32, -1)),
        bytes(range(0, 96, 3)),
        b"0123456789abcdef" * 2,
        b"correct horse battery staple 1234",
        b"threadline-is-a-very-secret-key!"[:32],
    ],
)
def test_examples_and_passphrases_are_no_keys(key: bytes) -> None:
    """Zeros, sequences, repetitions, words."""
    assert weakness(key[:32])


@given(st.integers(0, 100))
def test_random_keys_are_sound(_: int) -> None:
    """Whatever the random bytes are."""
    assert weakness(os.urandom(32)) is None


def variables(data: Path, *keys: bytes) -> dict[str, str]:
    """The environment of a command with these keys."""
    given = json.dumps([base64.b64encode(key).decode() for key in keys])
    return {"THREADLINE_DATA": str(data)} | ({"THREADLINE_SECRETS__KEYS": given} if keys else {})


async def test_a_key_is_made_and_stored_nowhere(tmp_path: Path) -> None:
    """It is printed alone on standard output, each time another; what to do stands on standard error."""
    made = [await command("secrets", "create", environment=variables(tmp_path)) for _ in range(2)]
    keys = [base64.b64decode(one.out) for one in made]
    assert [len(key) for key in keys] == [32, 32] and keys[0] != keys[1]
    assert "THREADLINE_SECRETS__KEYS" in made[0].err and made[0].out.strip() not in made[0].err
    assert (await command("secrets", "list", environment=variables(tmp_path))).code == 1


async def test_keys_are_listed_without_being_shown(tmp_path: Path) -> None:
    """Which is first, where each comes from, and which is a bad one; without any it says how to make one."""
    good, bad = os.urandom(32), bytes(32)
    listed = await command("secrets", "list", environment=variables(tmp_path, good, bad))
    assert listed.code == 1
    first, second = listed.out.split("\n")[0], listed.out.index(Seal([bad]).key_id)
    assert first == Seal([good]).key_id and "encrypts and decrypts; THREADLINE_SECRETS__KEYS, item 1" in listed.out
    assert "is an example" in listed.out[second:] and "is an example" not in listed.out[:second]
    assert all(base64.b64encode(key).decode() not in listed.out for key in (good, bad))
    assert (await command("secrets", "list", environment=variables(tmp_path, good))).code == 0
    none = await command("secrets", "list", environment=variables(tmp_path))
    assert none.code == 1 and "openssl rand" in none.err
    make_key(tmp_path)
    kept = await command("secrets", "list", environment=variables(tmp_path))
    assert kept.code == 0 and str(tmp_path / "secrets" / "keys") in kept.out


async def test_what_cannot_be_wrapped_is_said(tmp_path: Path) -> None:
    """Two services or none, a service without settings, no key, another key."""
    given = variables(tmp_path, os.urandom(32))
    assert (await command("secrets", "create", "--transit", "--kms", environment=given)).code == 2
    assert (await command("secrets", "wrap", environment=given)).code == 2
    unset = await command("secrets", "wrap", "--kms", environment=given)
    assert unset.code == 2 and "secrets.kms.key is not set" in unset.err
    other = await command("secrets", "wrap", "--kms", "--key", "0" * 16, environment=given)
    assert other.code == 2 and "threadline secrets list" in other.err
    none = await command("secrets", "wrap", "--kms", environment=variables(tmp_path))
    assert none.code == 1 and "openssl rand" in none.err


async def test_the_doctor_finds_a_missing_key_and_a_bad_one(tmp_path: Path) -> None:
    """And says what to do; a good one is well."""
    for keys, state, says in (
        ([], "wrong", "openssl rand"),
        ([bytes(32)], "wrong", "is an example"),
        ([os.urandom(32), os.urandom(32)], "ok", "encrypts, 2 decrypt"),
    ):
        found = json.loads((await command("doctor", "--json", environment=variables(tmp_path, *keys))).out)
        (one,) = [finding for finding in found if finding["what"] == "Keys"]
        assert one["state"] == state and says in one["found"]
        assert one["todo"] or state == "ok"
