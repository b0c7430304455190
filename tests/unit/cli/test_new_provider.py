"""`threadline new-provider` creates what a provider needs, once, in a checkout only."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import new_provider
from app.cli.new_provider import NotCreated, create

ROOT = Path(__file__).parents[3]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout with the registry and the templates."""
    (tmp_path / "adapters").mkdir()
    (tmp_path / "tests/fixtures").mkdir(parents=True)
    shutil.copy(ROOT / new_provider.REGISTRY, tmp_path / "adapters")
    shutil.copytree(ROOT / "app/provider_template", tmp_path / "app/provider_template")
    return tmp_path


@pytest.mark.parametrize("channel", new_provider.GROUPS)
def test_a_new_provider_has_all_its_files(checkout: Path, channel: str) -> None:
    """The folder, the fixtures, and one word in the registry; each file that needs work says TODO."""
    created = create(checkout, "acme_sms", "Acme", channel)
    files = {f"adapters/acme_sms/{file}" for file in ("__init__.py", "README.md", "simulator.py")}
    assert set(created) == files | {f"tests/fixtures/acme_sms/{file}" for file in ("settings.json", "delivered.http")}
    assert all("TODO" in (checkout / file).read_text("utf-8") for file in files)
    before = (ROOT / new_provider.REGISTRY).read_text("utf-8").splitlines()
    after = (checkout / new_provider.REGISTRY).read_text("utf-8").splitlines()
    assert [line for line in after if line not in before] == ['    "acme_sms",'] and len(after) == len(before) + 1


def test_what_is_created_passes_the_tests_of_every_provider(checkout: Path) -> None:
    """Signed and otherwise as created, a provider passes every test that holds for all providers; only
    the test of finished pages fails, which finds its TODO."""
    for name in ("adapters", "agents", "app", "bench", "schemas", "sql", "tests", "webhooks", "pyproject.toml"):
        source, target = ROOT / name, checkout / name
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    names = ["acme_sms", "acme_push"]
    for name in names:
        create(checkout, name, "Acme", name.removeprefix("acme_"))

    def python(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", *words]
        return subprocess.run(command, cwd=checkout, capture_output=True, text=True, timeout=120, check=False)

    signed = python("tests.fixtures.sign", *names)
    assert signed.returncode == 0, signed.stderr
    events = [json.loads((checkout / f"tests/fixtures/{name}/delivered.json").read_text("utf-8")) for name in names]
    assert [[event["type"] for event in each] for each in events] == [["MessageDelivered"]] * len(names)
    checks = python("pytest", "-q", "-p", "no:cacheprovider", *new_provider.CHECKS.split(), "-k", "acme_")
    failed = {line for line in checks.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))}
    unfinished = "FAILED tests/unit/cli/test_providers.py::test_a_provider_is_finished"
    assert {line.partition(" - ")[0] for line in failed} == {f"{unfinished}[{name}]" for name in names}, checks.stdout


@pytest.mark.parametrize(
    ("name", "channel", "why"),
    [
        ("twilio", "sms", "taken"),
        ("signing", "sms", "taken"),
        ("Acme", "sms", "not a valid name"),
        ("acme-sms", "sms", "not a valid name"),
        ("../acme", "sms", "not a valid name"),
        ("class", "sms", "a word or a module of Python"),
        ("match", "sms", "a word or a module of Python"),
        ("print", "sms", "a word or a module of Python"),
        ("json", "sms", "a word or a module of Python"),
        ("acme", "pigeon", "no channel"),
    ],
)
def test_a_bad_name_creates_nothing(checkout: Path, name: str, channel: str, why: str) -> None:
    """The error says what is wrong."""
    for taken in ("twilio", "signing"):
        (checkout / "adapters" / taken).mkdir()
    before = sorted(checkout.rglob("*"))
    with pytest.raises(NotCreated, match=why):
        create(checkout, name, "Acme", channel)
    assert sorted(checkout.rglob("*")) == before


@pytest.mark.parametrize(
    "title", ['Acme "Pro"', "Acme\nimport os", "Acme\\", 'Acme"""', "a|b", "<b>", "", " ", "x" * 81, "a\u202eb"]
)
def test_a_title_that_cannot_be_written_creates_nothing(checkout: Path, title: str) -> None:
    """Titles go into strings of Python, a page and a table."""
    before = sorted(checkout.rglob("*"))
    with pytest.raises(NotCreated, match="not a valid title"):
        create(checkout, "acme", title, "sms")
    assert sorted(checkout.rglob("*")) == before


@pytest.mark.parametrize("title", ["O'Reilly & Söhne", "$title", "1&1 (Ionos)", "{braces} %s"])
def test_what_is_created_is_python_whatever_the_title(checkout: Path, title: str) -> None:
    """And the adapter has this title."""
    for path in create(checkout, "acme", title, "sms"):
        if path.endswith(".py"):
            compile((checkout / path).read_text("utf-8"), path, "exec")
    assert f'title="{title}",' in (checkout / "adapters/acme/__init__.py").read_text("utf-8")


@pytest.mark.parametrize("failing", ["mkdir", "write_bytes", "write_text"])
@pytest.mark.parametrize("error", [PermissionError(13, "Permission denied"), OSError(28, "No space left on device")])
def test_a_checkout_that_cannot_be_written_is_left_as_it_was(
    checkout: Path, failing: str, error: OSError, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whichever file fails; the error is one line."""
    before = {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()}
    real, calls = getattr(Path, failing), []

    def fails(path: Path, *args: object, **options: object) -> object:
        calls.append(path)
        if len(calls) > 1 or failing == "write_text":
            raise error
        return real(path, *args, **options)

    monkeypatch.setattr(Path, failing, fails)
    monkeypatch.chdir(checkout)
    assert new_provider.run("acme", title=None, channel="sms") == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and str(error.strerror) in said and "nothing was created" in said
    assert {path: path.read_bytes() for path in checkout.rglob("*") if path.is_file()} == before
    assert not (checkout / "adapters/acme").exists()


def test_it_is_refused_outside_a_checkout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The error says where to run it."""
    monkeypatch.chdir(tmp_path)
    assert new_provider.run("acme", title=None, channel="sms") == 2
    assert "not in a checkout of Threadline" in capsys.readouterr().err
