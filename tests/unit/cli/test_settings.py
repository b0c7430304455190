"""`threadline settings show` and `settings check`: what is set, where, and what is wrong with it."""

import base64
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from app import cli
from app.embedded.firstrun import make_key
from app.settings import Settings
from app.variables import fields_of

ROOT = Path(__file__).parents[3]
FILE = """[door]
port = 9000
[kafka]
username = "open"
password = "kept-from-words"
[sources.twilio]
account_sid = "AC1"
auth_token = ["kept-from-words", "kept-from-words-2"]
url = "https://kept:from-words@h.example/kept-from-words/x"
[sources.acme_shown]
secret = "kept-from-words"
"""


@pytest.fixture(autouse=True)
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings file of a data folder, not written yet, and no variables but that of the folder."""
    for name in [name for name in os.environ if name.startswith("THREADLINE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("THREADLINE_DATA", str(tmp_path))
    return tmp_path / "threadline.toml"


def run(*arguments: str) -> int:
    """Run `threadline settings …` and return its exit code."""
    with pytest.raises(SystemExit) as ended:
        cli.main(["settings", *arguments])
    return int(str(ended.value.code or 0))


def define(folder: Path, name: str) -> None:
    """Put a definition file there."""
    folder.mkdir(exist_ok=True)
    text = (ROOT / "docs/examples/acme.toml").read_text()
    (folder / f"{name}.toml").write_text(text.replace('name = "acme"', f'name = "{name}"'))


def test_what_is_set_is_shown_with_its_place_and_without_secrets(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line of the file, the variable, or the file of generated keys. A declared provider's secrets are secrets too."""
    file.write_text(FILE)
    define(file.parent / "adapters", "acme_shown")
    monkeypatch.setenv("THREADLINE_API__RATE", "5")
    (file.parent / "secrets").mkdir()
    (file.parent / "secrets" / "keys").write_text(base64.b64encode(b"k" * 32).decode())
    assert run("show") == 0
    printed = capsys.readouterr().out
    assert printed.splitlines() == [
        f"data = {file.parent}  (THREADLINE_DATA)",
        f"kafka.username = open  ({file}:4)",
        f"kafka.password = set  ({file}:5)",
        f"door.port = 9000  ({file}:2)",
        "api.rate = 5.0  (THREADLINE_API__RATE)",
        f"secrets.keys = set  ({file.parent / 'secrets' / 'keys'})",
        f"sources.twilio.url = https://h.example/***/x  ({file}:9)",
        f"sources.twilio.account_sid = AC1  ({file}:7)",
        f"sources.twilio.auth_token = set (2 values)  ({file}:8)",
        f"sources.acme_shown.secret = set  ({file}:11)",
    ]


def test_all_settings_are_shown_as_json(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With --all those that have their default too; whether a change needs a restart."""
    file.write_text("[door]\nmax_headers = 50\n")
    assert run("show", "--json") == 0
    assert json.loads(capsys.readouterr().out)[1:] == [
        {"name": "door.max_headers", "value": 50, "origin": f"{file}:2", "reload": True}
    ]
    assert run("show", "--all", "--json") == 0
    found: list[dict[str, Any]] = json.loads(capsys.readouterr().out)
    assert {each["name"] for each in found} == {".".join(path) for path, _ in fields_of(Settings)} - {
        "sources",
        "issuers",
    }
    assert {"name": "door.port", "value": 8080, "origin": "default", "reload": False} in found


def test_a_sound_file_is_ok(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """So is none, but a key is needed."""
    assert run("check") == 1
    assert "openssl rand" in capsys.readouterr().out
    make_key(file.parent)
    assert (run("check"), capsys.readouterr().out) == (0, "ok\n")
    file.write_text("[door]\nport = 1\n")
    assert (run("check"), capsys.readouterr().out) == (0, "ok\n")


def test_every_fault_is_found_at_once(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In the file, in the environment, in definition files, in sources, and between settings: each with its place, and
    what was meant. Names no value."""
    file.write_text("[sources.twilio]\nauth_token = 'x'\n")
    other = file.with_name("other.toml")
    other.write_text(
        '[door]\nmax_body = 0\nprt = 1\nidle_timeout = "kept-from-words"\n'
        '[sources.twilio]\nauth_tokn = "kept-from-words"\n[sources.twillio]\nx = "kept-from-words"\n'
        "[sending]\nlease = 5\ntimeout = 6\n[sources.threadline]\n[sources.fine]\nadapter = 'slack'\n"
    )
    define(file.parent / "adapters", "acme_shown")
    (file.parent / "adapters" / "bad.toml").write_text("title = 'x'\n")
    monkeypatch.setenv("THREADLINE_CALLBACKS__HTTP_HOSTS", "kept-from-words")
    monkeypatch.setenv("THREADLINE_KAFKA_BOOTSTRAP", "kept-from-words")
    assert run("check", str(other), "--json") == 1
    printed = capsys.readouterr().out
    found: list[str] = json.loads(printed)
    assert "kept-from-words" not in printed
    for says in (
        "THREADLINE_CALLBACKS__HTTP_HOSTS must be JSON",
        f"door.prt: there is no such setting; did you mean door.port? (from {other}:3)",
        f"(from {other}:4)",
        "sources.twilio: a key is no setting of twilio; did you mean auth_token?",
        f"(from {other}:6)",
        f"sources.twillio has no adapter 'twillio'; did you mean twilio? (from {other}:7)",
        "sending: timeout must be less than lease",
        "a source cannot be named 'threadline'",
        "bad.toml cannot be used",
        "THREADLINE_KAFKA_BOOTSTRAP is no setting; did you mean THREADLINE_KAFKA__BOOTSTRAP?",
        "door.max_body is 0",
    ):
        assert [each for each in found if says in each], (says, found)
    assert not [each for each in found if "sources.fine" in each or "acme_shown.toml" in each]
    assert "THREADLINE_CONFIG" not in os.environ
    assert (run("check"), "bad.toml" in capsys.readouterr().out) == (1, True)


def test_what_is_wrong_beside_a_file_that_is_no_toml_is_found_too(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Unknown variables, and definition files."""
    file.write_text("[door\n")
    define(file.parent / "adapters", "twilio")
    monkeypatch.setenv("THREADLINE_PORT", "1")
    assert run("check") == 1
    toml, variable, definition, *_ = capsys.readouterr().out.splitlines()
    assert "line 1" in toml and "twilio.toml cannot be used" in variable + definition
    assert run("check", str(file.with_name("none.toml"))) == 1
    assert "there is no such file" in capsys.readouterr().out.splitlines()[0]
    shutil.rmtree(file.parent / "adapters")
