"""`threadline simulate` for every provider: configured at once, or an error that says what to configure."""

import os
import signal
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest

from adapters import ADAPTERS
from adapters.contract import Request
from app.cli.simulate.source import sample, target
from app.cli.support.sources import WrongUse
from app.simulator import SIMULATED, samples, webhooks_of
from app.simulator.life import nth

ROOT = Path(__file__).resolve().parents[3]
SIGNING = [name for name, simulator in SIMULATED.items() if simulator.webhooks is not None]


@pytest.fixture(autouse=True)
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of nobody's."""
    monkeypatch.setenv("THREADLINE_DATA", str(tmp_path))
    monkeypatch.delenv("THREADLINE_CONFIG", raising=False)
    return tmp_path


@pytest.mark.parametrize("provider", SIGNING)
def test_the_error_says_how_to_configure_a_source(provider: str, data: Path) -> None:
    """The lines it asks for are TOML; with them it can be played, and the adapter takes its signature for true."""
    try:
        target(provider, None, [], None)
    except WrongUse as error:
        head, _, lines = str(error).partition("\n\n")
        assert str(data / "threadline.toml") in head
        (data / "threadline.toml").write_text(lines)
        assert set(tomllib.loads(lines)["sources"][provider]) <= {one.name for one in ADAPTERS[provider].settings}
    played = target(provider, None, [], None)
    now = datetime.now(UTC)
    post = webhooks_of(provider).sign(sample(SIMULATED[provider], webhooks_of(provider)), played.settings, now)
    headers = {name.lower(): value for name, value in post.headers.items()}
    request = Request(post.method, post.url, headers, post.body, now, provider)
    values = {name: (value,) for name, value in played.settings.items() if name != "private_key"}
    assert ADAPTERS[provider].verify(request, values) is True


def test_another_source_of_a_provider_is_played_by_its_name(data: Path) -> None:
    """Its adapter and its URL are the source's."""
    (data / "threadline.toml").write_text(
        '[sources.eu]\nadapter = "twilio"\nauth_token = "x"\nurl = "https://hooks.example.com/eu"\n'
    )
    played = target("twilio", "eu", [], "http://127.0.0.1:1/webhooks/aggregate/eu")
    assert (played.title, played.public_url) == ("Twilio", "https://hooks.example.com/eu")
    assert played.to == "http://127.0.0.1:1/webhooks/aggregate/eu"


@pytest.mark.parametrize(("provider", "to", "why"), [("pigeon", None, "no simulated"), ("twilio", "localhost", "URL")])
def test_what_cannot_be_played_is_said(provider: str, to: str | None, why: str) -> None:
    """An unknown provider with those that there are; a target that is no URL."""
    with pytest.raises(WrongUse, match=why):
        target(provider, None, ["auth_token=x"], to)


def test_customers_are_many() -> None:
    """Each provider's example address makes others of its form."""
    for provider in SIGNING:
        for channel in webhooks_of(provider).channels:
            address = samples.customer(channel, SIMULATED[provider].customers)
            assert len({nth(address, number) for number in range(100)}) == 100


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_with_0_though_webhooks_wait(how: signal.Signals, data: Path) -> None:
    """It has no end of its own, so that there always is one on its way."""
    program = [
        sys.executable,
        "-m",
        "app.cli",
        "simulate",
        "twilio",
        "--setting",
        "auth_token=x",
        "--port",
        "0",
        "--rate",
        "50",
    ]
    environment = os.environ | {"THREADLINE_DATA": str(data), "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [*program, "--to", "http://127.0.0.1:1/"], stdout=subprocess.PIPE, text=True, env=environment, cwd=ROOT
    ) as played:
        assert played.stdout is not None
        while "messages sent" not in played.stdout.readline():
            assert played.poll() is None
        played.send_signal(how)
        assert "still to be posted" in played.stdout.read()
    assert played.returncode == 0
