"""`threadline explain`: one request in a file, the live code's judgement of it out."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.cli.explain import explain as run_explain
from app.cli.support.http_file import NoRequest, read_request
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
    code, output = explain(TWILIO, f"auth_token={TOKEN}")
    assert code == 0
    assert (output["source"], output["authentic"], output["reason"]) == ("twilio", True, None)
    assert output["answer"]["status"] == 200 and "<Response/>" in output["answer"]["body"]
    (event,) = output["events"]
    assert list(event) == [
        "type",
        "source",
        "source_event_id",
        "channel",
        "direction",
        "provider_message_id",
        "per_recipient",
        "message_id",
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
    code, output = explain(TWILIO, f"auth_token=@{tmp_path / 'nothing'}")
    assert code == 2 and "nothing" in output["error"]


def test_several_values_of_a_setting_count(explain: Explain) -> None:
    """As while a secret is rotated."""
    assert explain(TWILIO, "auth_token=old", f"auth_token={TOKEN}")[1]["authentic"] is True


def test_an_unknown_setting_is_reported_with_the_known_ones(explain: Explain) -> None:
    """It counts for nothing, so that one set of settings serves many files; standard error says so."""
    code, output = explain(TWILIO, "tokn=x", f"auth_token={TOKEN}")
    assert code == 0 and output["authentic"] is True
    assert "'tokn'" in output["warning"] and "auth_token" in output["warning"]
    assert explain(TWILIO, "auth_token")[0] == 2


def test_secrets_of_other_sources_may_be_given_beside(explain: Explain) -> None:
    """One set of variables serves for every file."""
    code, output = explain(
        TWILIO, f"TWILIO_AUTH_TOKEN={TOKEN}", f"SENDGRID_PUBLIC_KEY={KEY}", "WHATSAPP_CLOUD_APP_SECRET=x"
    )
    assert code == 0 and output["authentic"] is True


def test_without_a_secret_nothing_is_checked(explain: Explain) -> None:
    """`authentic` is null, and the events are shown."""
    code, output = explain(META)
    assert code == 0
    assert output["authentic"] is None and output["reason"]
    assert [event["type"] for event in output["events"]] == ["MessageReceived"]


def test_what_is_not_authentic_is_refused_and_not_read(explain: Explain, tmp_path: Path) -> None:
    """Exit code 3, the caller's 401, why, and no events: the live door keeps none."""
    code, output = explain(TWILIO, "auth_token=wrong")
    assert code == 3
    assert output["authentic"] is False and "auth_token" in output["reason"]
    assert output["answer"]["status"] == 401 and output["events"] == []
    changed = tmp_path / "changed.http"
    changed.write_bytes(META.read_bytes().replace(b"another colour", b"another color"))
    assert explain(changed, f"app_secret={accounts('whatsapp_cloud').settings['app_secret']}")[0] == 3


def test_a_signature_is_judged_as_of_the_time_given(explain: Explain) -> None:
    """Now by default; ISO 8601 or Unix seconds."""
    at = accounts("sendgrid").at
    assert explain(SENDGRID, f"public_key={KEY}", at=at.isoformat())[1]["authentic"] is True
    assert explain(SENDGRID, f"public_key={KEY}", at=str(at.timestamp() + 200))[1]["authentic"] is True
    assert explain(SENDGRID, f"verification_key={KEY}", at=str(int(at.timestamp())))[1]["authentic"] is True
    code, output = explain(SENDGRID, f"public_key={KEY}", at=str(at.timestamp() + 301))
    assert code == 3 and "301 seconds old" in output["reason"]
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
    head, _, body = TWILIO.read_bytes().partition(b"\r\n\r\n")
    edited = tmp_path / "edited.http"
    edited.write_bytes(head.replace(b"\r\n", b"\n") + b"\n\n" + body)
    assert explain(edited, f"auth_token={TOKEN}")[1]["authentic"] is True


def test_what_cannot_be_understood_has_its_own_exit_code(explain: Explain, tmp_path: Path) -> None:
    """4: no request, no source that knows it, nothing that can be read."""
    file = tmp_path / "some.http"
    file.write_bytes(b"hello\n")
    code, output = explain(file)
    assert (code, output["answer"]["status"], output["source"]) == (4, 400, None)
    file.write_bytes(b"POST / HTTP/1.1\nHost: hooks.example.com\nContent-Type: application/json\n\n{}")
    code, output = explain(file)
    assert (code, output["answer"]["status"], output["source"]) == (4, 404, None)
    code, output = explain(file, source="whatsapp_cloud")
    assert (code, output["authentic"], output["events"]) == (4, None, [])
    assert "entry" in output["reason"]


def test_a_handshake_is_explained(explain: Explain, tmp_path: Path) -> None:
    """The challenge comes back to who knows the token; without a token nothing can be checked."""
    file = tmp_path / "hello.http"
    target = "/webhooks/aggregate/whatsapp_cloud?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=secret"
    file.write_bytes(f"GET {target} HTTP/1.1\r\nHost: hooks.example.com\r\n\r\n".encode())
    code, output = explain(file, "verify_token=secret")
    assert (code, output["authentic"], output["answer"], output["events"]) == (
        0,
        True,
        {"status": 200, "body": "1158201444"},
        [],
    )
    assert explain(file, "verify_token=other")[0] == 3
    code, output = explain(file)
    assert (code, output["authentic"], output["answer"]["status"]) == (0, None, 401)


def test_the_envelope_is_explained(explain: Explain) -> None:
    """It is one of the sources."""
    file, account = FOLDER / "envelope" / "received.http", accounts("envelope")
    code, output = explain(file, f"secret={account.settings['secret']}", at=account.at.isoformat())
    assert (code, output["source"], output["authentic"]) == (0, "envelope", True)
    assert output["events"][0]["occurred_at"] == "2026-03-02T09:29:30.250000Z"


def test_configured_sources_are_used(explain: Explain, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With their secrets and names; a setting given replaces the configured one."""
    config = tmp_path / "threadline.toml"
    config.write_text(
        f'[sources.shop]\nadapter = "twilio"\nurl = "https://hooks.example.com/webhooks/aggregate/twilio"\nauth_token = "{TOKEN}"\n'
    )
    monkeypatch.setenv("THREADLINE_CONFIG", str(config))
    file = tmp_path / "some.http"
    file.write_bytes(TWILIO.read_bytes().replace(b"POST /webhooks/aggregate/twilio ", b"POST /webhooks/aggregate "))
    code, output = explain(file)
    assert (code, output["source"], output["events"][0]["source"]) == (0, "shop", "shop")
    assert explain(file, "SHOP_AUTH_TOKEN=wrong")[0] == 3
    assert explain(SENDGRID, source="sendgrid")[1]["authentic"] is None


def test_a_part_that_cannot_be_understood_is_reported_beside_the_events(explain: Explain) -> None:
    """The neighbours live; the exit code is 0."""
    code, output = explain(FOLDER / "whatsapp_cloud" / "one_bad_of_three.http")
    assert code == 0 and len(output["events"]) == 2
    assert output["unprocessable"][0]["reason"] in output["reason"]


def test_a_missing_file_is_wrong_use(explain: Explain, tmp_path: Path) -> None:
    """Exit code 2, and which file."""
    code, output = explain(tmp_path / "none.http")
    assert code == 2 and "none.http" in output["error"]


def test_a_request_is_read_as_it_came() -> None:
    """Names in lower case, folded and repeated headers joined, chunks put together, the body's own line ends kept."""
    request = read_request(
        b"\r\npost /a?b=1 HTTP/1.1\r\nHost: h:8443\r\nX-A: 1\r\n 2\r\nx-a: 3\r\n\r\n\r\nbody\r\n\r\n"
    )
    assert (request.method, request.headers["x-a"], request.body) == ("POST", "1 2, 3", b"\r\nbody\r\n\r\n")
    assert request.url() == "https://h:8443/a?b=1"
    assert read_request(b"GET https://h/a HTTP/1.1\n\n").url() == "https://h/a"
    chunked = b"POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n4\r\nWiki\r\n6;x=1\r\npedia \r\n0\r\n\r\n"
    assert read_request(chunked).body == b"Wikipedia "
    for bad in (b"", b"GET\n\n", b"GET / HTTP/1.1\nno colon\n\n", chunked.replace(b"4\r\n", b"Z\r\n")):
        with pytest.raises(NoRequest):
            read_request(bad)


def test_one_spelling_of_a_number_and_the_links_of_handles_are_shown(explain: Explain, tmp_path: Path) -> None:
    """As the log gets them, with the rule of the spelling and the number as it came."""
    head, _, body = META.read_bytes().partition(b"\r\n\r\n")
    document = json.loads(body)
    item = document["entry"][0]["changes"][0]["value"]["messages"][0]
    item |= {"from": "558191234567", "from_user_id": "BR.77"}
    file = tmp_path / "in.http"
    file.write_bytes(head + b"\r\n\r\n" + json.dumps(document).encode())
    code, output = explain(file, source="whatsapp_cloud")
    assert code == 0
    message, link = output["events"]
    assert message["handle"] == {"kind": "phone", "value": "+5581991234567"}
    assert message["payload"]["handleRule"] == "br_ninth_digit"
    assert message["payload"]["handleGiven"] == message["payload"]["from"] == "+558191234567"
    assert link["type"] == "HandleLinked"
    assert [one["value"] for one in link["payload"]["handles"]] == ["+5581991234567", "BR.77"]
