"""The pages of the providers say what the adapters do."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from adapters import ADAPTERS, PROVIDERS
from app.cli import providers
from app.cli.program import program

ROOT = Path(__file__).parents[3]
#: The sections of a provider's page, in their order.
SECTIONS = (
    "Set it up",
    "Settings",
    "What is signed",
    "Events",
    "What is missing",
    "Known limits",
    "Sources",
)


def test_the_page_is_what_the_adapters_say() -> None:
    """`threadline providers --markdown > docs/providers.md` changes nothing."""
    assert (ROOT / "docs" / "providers.md").read_text("utf-8") == providers.page()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_has_its_page(provider: str) -> None:
    """Under its title, with the same sections as each, and every setting of the adapter named in it."""
    text = (ROOT / "adapters" / provider / "README.md").read_text("utf-8")
    assert text.startswith(f"# {ADAPTERS[provider].title}\n")
    found = [line.removeprefix("## ") for line in text.splitlines() if line.startswith("## ")]
    assert found == list(SECTIONS)
    missing = [setting.name for setting in ADAPTERS[provider].settings if f"`{setting.name}`" not in text]
    assert not missing


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_provider_is_finished(provider: str) -> None:
    """No TODO of the template is left in its files."""
    files = [*(ROOT / "adapters" / provider).glob("*.*"), *(ROOT / "tests" / "fixtures" / provider).glob("*.*")]
    assert [str(file.relative_to(ROOT)) for file in files if b"TODO" in file.read_bytes()] == []


def test_there_is_no_page_too_many() -> None:
    """Each page is a provider's."""
    assert {file.parent.name for file in (ROOT / "adapters").glob("*/README.md")} == set(PROVIDERS)


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.5, "0.5 seconds"), (90.0, "90 seconds"), (900.0, "15 minutes"), (86_400.0, "24 hours")]
)
def test_how_long_a_provider_knows_repeats_is_shown(seconds: float, words: str) -> None:
    """However short a definition file says it is."""
    one = {"sends": ["sms"], "batch": None, "idempotentFor": seconds, "lookup": False}
    assert providers._sends(one) == f"sms (knows repeats for {words})"


def test_the_command_says_it_to_people_and_programs() -> None:
    """A table, one in full, JSON; a name that is none is refused with those that are."""

    def printed(*words: str) -> Result:
        return CliRunner().invoke(program, ["providers", *words])

    narrow = CliRunner().invoke(program, ["providers"], env={"COLUMNS": "80"}).stdout
    assert "sendgrid" in narrow and "signature" in narrow and "ECDSA P-256 over" in narrow
    assert all(len(line) <= 80 for line in narrow.splitlines())
    body = [line for line in narrow.splitlines() if line.startswith("  ") and line.strip()][1:]
    names = [line.split()[0] for line in body if line[2] != " "]
    assert names[:-1] == sorted(names[:-1])
    rows = {row["name"]: row for row in json.loads(printed("--json").stdout)}
    shown = narrow[narrow.index("vonage ") : narrow.index("webpush ")]
    for channel in rows["vonage"]["sends"]:
        assert shown.split().count(channel) == 2, "among its channels, and among those it sends by"
    assert "auth_token (secret)" in printed("twilio").stdout
    rows = json.loads(printed("--json").stdout)
    assert {row["name"] for row in rows} >= set(PROVIDERS)
    none = printed("pigeon")
    assert none.exit_code == 2 and "twilio" in none.stderr
