"""Every way in reads the settings in one place: what cannot be used ends it with one error, and declared providers are known."""

import os
import re
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters import ADAPTERS
from agents import __main__ as agents_main
from app import cli
from app.cli.program import COMMANDS
from app.declared import read

ROOT = Path(__file__).parents[3]
ID = "0193a5c2-1111-7aaa-8bbb-0123456789ab"
#: A use of each command. `work` becomes `python -m agents`; `settings` shows and checks them (`test_settings.py`); `events` and
#: `new-provider` read none.
USES: dict[str, tuple[str, ...]] = {
    "up": ("--prepare",),
    "demo": (),
    "doctor": (),
    "providers": (),
    "send": ("--to", "+15551234567", "hello"),
    "messages": ("show", ID),
    "timeline": ("+15551234567",),
    "customers": ("show", "+15551234567"),
    "login": (),
    "recipients": ("show", "+15551234567"),
    "erasure": ("list",),
    "clients": ("set", "default", "--file", "client.json"),
    "callbacks": ("list",),
    "audit": ("list",),
    "keys": ("list",),
    "secrets": ("list",),
    "dead-letters": ("replay", ID),
    "gaps": (),
    "explain": ("webhook.http",),
    "simulate": ("twilio",),
    "serve": (),
    "work": (),
    "mqtt": (),
    "migrate": (),
    "topics": (),
    "rebuild": (),
    "retention": (),
    "archive": (),
    "restored": ("hold",),
}
#: Those that start what they lack, rather than end with the advice to start it.
STARTING = ("up", "demo")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data folder from which nothing runs, and no other settings. A process that begins to start handles SIGHUP: not this
    one, afterwards."""
    before = signal.getsignal(signal.SIGHUP)
    for name in os.environ:
        if name.startswith("THREADLINE_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("THREADLINE_DATA", str(tmp_path / "data"))
    (tmp_path / "data").mkdir()
    (tmp_path / "client.json").write_text("{}")
    shutil.copy(ROOT / "tests/fixtures/postmark/delivery.http", tmp_path / "webhook.http")
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "data"
    signal.signal(signal.SIGHUP, before)


def run(name: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a command's use and return its exit code."""
    monkeypatch.setattr(agents_main, "Ending", object)  # its thread would outlive the test
    monkeypatch.setattr(os, "execv", lambda *_: (_ for _ in ()).throw(SystemExit(agents_main.main())))
    with pytest.raises(SystemExit) as ended:
        cli.main([name, *USES[name]])
    return ended.value.code


def test_each_command_is_tried() -> None:
    """A new one too."""
    assert USES.keys() | {"events", "settings", "new-provider", "logout"} == COMMANDS.keys()


@pytest.mark.parametrize("name", USES)
def test_a_command_ends_with_the_fault_of_the_settings(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With 2, and nothing but the fault on standard error."""
    monkeypatch.setenv("THREADLINE_KAFKA", "x")
    assert run(name, monkeypatch) == 2
    who = "threadline work" if name == "work" else "threadline"
    assert capsys.readouterr().err == (
        f"{who}: the settings do not fit:\n  THREADLINE_KAFKA must be JSON; or set THREADLINE_KAFKA__BOOTSTRAP and the like\n"
    )


@pytest.mark.parametrize("setting", ["DSN", "OWNER_DSN", "DIRECT_DSN"])
@pytest.mark.parametrize("name", USES)
def test_a_command_ends_where_a_connection_string_is_none(
    name: str, setting: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With 2, the setting's name and how one is written, and nothing of what was given: there may be a password in it."""
    monkeypatch.setenv(f"THREADLINE_POSTGRES__{setting}", "kept-from-words")
    assert run(name, monkeypatch) == 2
    error = capsys.readouterr().err
    assert f"postgres.{setting.lower()}: must be a connection string of PostgreSQL: postgresql://USER:" in error
    assert "kept-from-words" not in error and "Traceback" not in error


def _nothing(folder: Path) -> None:
    """Write no file."""


def _not_utf_8(folder: Path) -> None:
    (folder / "threadline.toml").write_bytes(b'[door]\nhost = "\xff\xfe"\n')


def _a_folder(folder: Path) -> None:
    (folder / "threadline.toml").mkdir()


def _no_toml(folder: Path) -> None:
    (folder / "threadline.toml").write_text("[door\n")


def _secret_as_key(folder: Path) -> None:
    (folder / "threadline.toml").write_text('[sources.twilio]\nkept-from-words = "kept-from-words"\n')


def _secret_as_name(folder: Path) -> None:
    (folder / "threadline.toml").write_text('[secrets]\nkept-from-words = "x"\n')


def _secret_as_table(folder: Path) -> None:
    (folder / "threadline.toml").write_text("[kept-from-words]\nx = 1\n")


def _secret_as_definition(folder: Path) -> None:
    (folder / "adapters").mkdir()
    (folder / "adapters" / "acme.toml").write_bytes(b"\xff")


@pytest.mark.parametrize(
    ("write", "variables", "says"),
    [
        (_nothing, {"THREADLINE_CALLBACKS__HTTP_HOSTS": "kept-from-words"}, r"THREADLINE_CALLBACKS__HTTP_HOSTS must be JSON"),
        (_nothing, {"THREADLINE_SOURCES": "kept-from-words"}, r"THREADLINE_SOURCES must be JSON"),
        (_nothing, {"THREADLINE_CONFIG": "/nonexistent"}, r"THREADLINE_CONFIG names /nonexistent: there is no such file"),
        (_nothing, {"THREADLINE_CONFIG": "/"}, r"THREADLINE_CONFIG names /: it is not a file"),
        (_nothing, {"THREADLINE_KAFKA__BOOTSTRAP": "a:b:c"}, r"kafka.bootstrap: must be host:port"),
        (_nothing, {"THREADLINE_KAFKA__BOOTSTRAP": "kafka://a:1"}, r"kafka.bootstrap: must be host:port"),
        (_not_utf_8, {}, r"threadline\.toml: is not UTF-8 \(byte 15\)"),
        (_a_folder, {}, r"threadline\.toml: it is not a file"),
        (_no_toml, {}, r"threadline\.toml: .*line 1"),
        (_secret_as_key, {}, r"sources\.twilio: a key is no setting of twilio\. There are: .*auth_token"),
        (_secret_as_name, {}, r"secrets: there is a name that is no setting \(it is not shown\); the settings are: keys, kms, "),
        (_secret_as_table, {}, r"  there is a name that is no setting \(it is not shown\); the settings are: .*sources"),
        (_secret_as_definition, {}, r"acme\.toml cannot be used"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["serve", "work", "providers"])
def test_a_fault_of_the_settings_is_a_line_without_their_values(
    name: str, write: Any, variables: dict[str, str], says: str, folder: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    """And without a name that may be a value in the wrong place."""
    write(folder)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert run(name, monkeypatch) == 2
    error = capsys.readouterr().err
    assert re.search(says, error), error
    assert "Traceback" not in error and "kept-from-words" not in error


@pytest.mark.parametrize(
    ("variables", "says"),
    [
        ({}, "there is no key to encrypt secrets and personal data with. Make one: openssl rand -base64 32"),
        ({"THREADLINE_SOURCES__PIGEON__SECRET": "kept-from-words"}, "sources.pigeon has no adapter 'pigeon'"),
        (
            {"THREADLINE_KAFKA__SECURITY_PROTOCOL": "SSL", "THREADLINE_KAFKA__CA_FILE": "/nonexistent"},
            "kafka.ca_file, cert_file or key_file cannot be used: No such file or directory",
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("name", ["serve", "work"])
def test_what_a_process_cannot_start_with_is_said_before_it_starts(
    name: str, variables: dict[str, str], says: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """With 2."""
    monkeypatch.setenv("THREADLINE_POSTGRES__DSN", "postgresql://threadline@127.0.0.1:1/threadline")
    monkeypatch.setenv("THREADLINE_KAFKA__BOOTSTRAP", "127.0.0.1:1")
    monkeypatch.setattr("app.cli.serve.configure", lambda *_, **__: None)
    monkeypatch.setattr("agents.__main__.configure", lambda *_, **__: None)
    for variable, value in variables.items():
        monkeypatch.setenv(variable, value)
    assert run(name, monkeypatch) == 2
    printed = capfd.readouterr()
    assert [line for line in printed.err.splitlines() if line.startswith(says)]
    assert "Traceback" not in printed.err and "kept-from-words" not in printed.err + printed.out


@pytest.fixture
def declared(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A provider of a definition file, with a source and its secret."""
    (folder / "adapters").mkdir()
    shutil.copy(ROOT / "docs/examples/acme.toml", folder / "adapters" / "acme_declared.toml")
    (folder / "threadline.toml").write_text('[sources.acme_declared]\nsecret = "s"\n')
    yield "acme_declared"
    ADAPTERS.pop("acme_declared", None)


@pytest.mark.parametrize("name", [name for name in USES if name not in STARTING])
def test_every_command_knows_the_declared_providers(name: str, declared: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever it then does: here nothing runs, and it ends."""
    assert declared not in ADAPTERS
    run(name, monkeypatch)
    assert declared in ADAPTERS


def test_settings_are_read_in_one_place() -> None:
    """Any other would have to repeat what `load` does."""
    places = [
        str(file.relative_to(ROOT))
        for folder in ("app", "agents", "webhooks")
        for file in (ROOT / folder).rglob("*.py")
        if re.search(r"\bSettings\(\)", file.read_text("utf-8"))
    ]
    assert places == ["app/settings/loading.py"]


def test_a_folder_of_another_account_is_one_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs a command beside a Threadline of another account learns which folder cannot be read."""

    def refuse(path: Path) -> bool:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "is_dir", refuse)
    found, faults = read(tmp_path / "adapters")
    assert (found, faults) == ({}, [f"{tmp_path}/adapters cannot be read: Permission denied"])
