"""`threadline explain`: one request in a file, the live code's judgement of it out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli.explain import explain as run_explain
from tests.fixtures import FOLDER, accounts

Explain = Callable[..., tuple[int, dict[str, Any]]]
TWILIO = FOLDER / "twilio" / "inbound_sms.http"
SENDGRID = FOLDER / "sendgrid" / "delivery.http"
META = FOLDER / "whatsapp_cloud" / "message_text.http"
TOKEN = accounts("twilio").settings["auth_token"]
KEY = accounts("sendgrid").settings["public_key"]


@pytest.fixture(autouse=True)
def no_configuration(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("THREADLINE_CONFIG", raising=False)
    monkeypatch.delenv("THREADLINE_DATA", raising=False)


@pytest.fixture
def explain(capsys: pytest.CaptureFixture[str]) -> Explain:
    def call(
        file: Path, *settings: str, source: str | None = None, url: str | None = None, at: str | None = None
    ) -> Any:
        code = run_explain(file, source=source, setting=list(settings), url=url, at=at)
        out, err = capsys.readouterr()
        return code, {**json.loads(out), "warning": err} if out else {"error": err}

    return call


def test_an_authentic_webhook_is_explained(explain: Explain) -> None:
    """The source, that it is authentic, what the provider hears, and the events, each with all its keys."""
    code, said = explain(TWILIO, f"auth_token={TOKEN}")
    assert code == 0
    assert (said["source"], said["authentic"], said["reason"]) == ("twilio", True, None)
    assert said["answer"]["status"] == 200 and "<Response/>" in said["answer"]["body"]
    (event,) = said["events"]
    assert list(event) == [
        "type",
        "source",
        "source_event_id",
        "channel",
        "direction",
        "provider_message_id",
        "handle",
        "occurred_at",
        "error",
        "payload",
    ]
    assert event["handle"] == {"kind": "phone", "value": "+15551234567"}
    assert event["occurred_at"] is None and event["error"] is None


@pytest.mark.parametrize("name", ["auth_token", "AUTH_TOKEN", "TWILIO_AUTH_TOKEN", "twilio_auth_token", "Auth-Token"])
def test_a_setting_is_named_in_any_case_with_or_without_its_source(explain: Explain, name: str) -> None:
    """As it stands in a file, or in an environment variable."""
    assert explain(TWILIO, f"{name}={TOKEN}")[1]["authentic"] is True


def test_a_setting_is_read_from_a_file(explain: Explain, tmp_path: Path) -> None:
    """NAME=@FILE, without the line end that an editor leaves."""
    (tmp_path / "token").write_text(TOKEN + "\n")
    assert explain(TWILIO, f"auth_token=@{tmp_path / 'token'}")[1]["authentic"] is True
    code, said = explain(TWILIO, f"auth_token=@{tmp_path / 'nothing'}")
    assert code == 2 and "nothing" in said["error"]


def test_several_values_of_a_setting_count(explain: Explain) -> None:
    """As while a secret is rotated."""
    assert explain(TWILIO, "auth_token=old", f"auth_token={TOKEN}")[1]["authentic"] is True


def test_an_unknown_setting_is_told_with_those_that_there_are(explain: Explain) -> None:
    """It counts for nothing, so that one set of settings serves many files; standard error says so."""
    code, said = explain(TWILIO, "tokn=x", f"auth_token={TOKEN}")
    assert code == 0 and said["authentic"] is True
    assert "'tokn'" in said["warning"] and "auth_token" in said["warning"]
    assert explain(TWILIO, "auth_token")[0] == 2


def test_secrets_of_other_sources_may_be_given_beside(explain: Explain) -> None:
    """One set of variables serves for every file."""
    code, said = explain(
        TWILIO, f"TWILIO_AUTH_TOKEN={TOKEN}", f"SENDGRID_PUBLIC_KEY={KEY}", "WHATSAPP_CLOUD_APP_SECRET=x"
    )
    assert code == 0 and said["authentic"] is True


def test_without_a_secret_nothing_is_checked(explain: Explain) -> None:
    """`authentic` is null, and the events are shown."""
    code, said = explain(META)
    assert code == 0
    assert said["authentic"] is None and said["reason"]
    assert [event["type"] for event in said["events"]] == ["MessageReceived"]


def test_what_is_not_authentic_is_refused_and_not_read(explain: Explain, tmp_path: Path) -> None:
    """Exit code 3, the caller's 401, why, and no events: the live door keeps none."""
    code, said = explain(TWILIO, "auth_token=wrong")
    assert code == 3
    assert said["authentic"] is False and "auth_token" in said["reason"]
    assert said["answer"]["status"] == 401 and said["events"] == []
    changed = tmp_path / "changed.http"
    changed.write_bytes(META.read_bytes().replace(b"another colour", b"another color"))
    assert explain(changed, f"app_secret={accounts('whatsapp_cloud').settings['app_secret']}")[0] == 3


def test_a_signature_is_judged_as_of_the_time_given(explain: Explain) -> None:
    """Now by default; ISO 8601 or Unix seconds."""
    at = accounts("sendgrid").at
    assert explain(SENDGRID, f"public_key={KEY}", at=at.isoformat())[1]["authentic"] is True
    assert explain(SENDGRID, f"public_key={KEY}", at=str(at.timestamp() + 200))[1]["authentic"] is True
    assert explain(SENDGRID, f"verification_key={KEY}", at=str(int(at.timestamp())))[1]["authentic"] is True
    code, said = explain(SENDGRID, f"public_key={KEY}", at=str(at.timestamp() + 301))
    assert code == 3 and "301 seconds old" in said["reason"]
    assert explain(SENDGRID, f"public_key={KEY}", "max_age=400", at=str(at.timestamp() + 301))[0] == 0
    assert explain(SENDGRID, f"public_key={KEY}")[0] == 3
    assert explain(SENDGRID, f"public_key={KEY}", at="soon")[0] == 2


def test_the_public_url_may_be_given(explain: Explain, tmp_path: Path) -> None:
    """A request as seen behind a proxy has another host than the one that was signed."""
    moved = tmp_path / "moved.http"
    moved.write_bytes(TWILIO.read_bytes().replace(b"Host: hooks.example.com", b"Host: 10.0.0.7:8080"))
    assert explain(moved, f"auth_token={TOKEN}")[0] == 3
    url = "https://hooks.example.com/webhooks/aggregate/twilio"
    assert explain(moved, f"auth_token={TOKEN}", url=url)[1]["authentic"] is True


def test_line_ends_of_the_head_may_be_lf(explain: Explain, tmp_path: Path) -> None:
    """As an editor leaves them; the body stays as it is."""
    head, _, body = META.read_bytes().partition(b"\r\n\r\n")
    document = json.loads(body)
    item = document["entry"][0]["changes"][0]["value"]["messages"][0]
    item |= {"from": "558191234567", "from_user_id": "BR.77"}
    file = tmp_path / "in.http"
    file.write_bytes(head + b"\r\n\r\n" + json.dumps(document).encode())
    code, said = explain(file, source="whatsapp_cloud")
    assert code == 0
    message, link = said["events"]
    assert message["handle"] == {"kind": "phone", "value": "+5581991234567"}
    assert message["payload"]["handleRule"] == "br_ninth_digit"
    assert message["payload"]["handleGiven"] == message["payload"]["from"] == "+558191234567"
    assert link["type"] == "HandleLinked"
    assert [one["value"] for one in link["payload"]["handles"]] == ["+5581991234567", "BR.77"]
