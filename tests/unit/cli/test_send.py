"""`threadline send` as far as it needs no server: what does not fit, and what a dry run says."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from app.cli.program import program as app
from app.cli.send import file
from app.cli.send.file import PRINTED, Sent

LINE = b'{"to": "+15551234567", "body": "Hello"}\n'
#: Nothing listens there: who asks would fail.
NOWHERE = {"THREADLINE_API_URL": "http://127.0.0.1:1", "THREADLINE_API_KEY": "tl_none", "COLUMNS": "200"}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to be in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["Hello"], "--to"),
        (["--to", "nobody", "--channel", "sms", "Hello"], "--to: is no address for sms"),
        (["--to", "+15551234567"], "needs a text, or --template"),
        (["--to", "+15551234567", "--channel", "pigeon", "Hello"], "--channel: must be one of"),
        (["--to", "+15551234567", "--template", "x", "--variable", "order"], "--variable"),
        (["--to", "+15551234567", "--not-before", "soon", "Hello"], "--not-before: must be a time"),
        (["--file", "none.jsonl"], "none.jsonl"),
        (["--file", "none.jsonl", "--channel", "pigeon"], "no channel pigeon"),
        (["--file", "none.jsonl", "--to", "+15551234567"], "give --file, or"),
    ],
)
def test_what_does_not_fit_is_said(arguments: list[str], words: str) -> None:
    """Before anything is asked, with 2."""
    ran = CliRunner().invoke(app, ["send", *arguments], env=NOWHERE)
    assert ran.exit_code == 2 and words in ran.stderr, ran.output


@pytest.mark.parametrize(
    ("option", "words"),
    [
        (["--key", ""], "THREADLINE_API_KEY, is empty"),
        (["--key", " \n"], "THREADLINE_API_KEY, is empty"),
        (["--key", "clé"], "is not an API key"),
        (["--key", "@empty"], "empty is empty"),
        (["--key", "@none"], "none cannot be read"),
        (["--url", "threadline.example.com"], "threadline.example.com is no URL"),
        (["--url", "http://"], "http:// is no URL"),
        (["--url", "http://[::1"], "http://[::1 is no URL"),
        (["--url", "http://127.0.0.1:1"], "http://127.0.0.1:1 does not answer"),
    ],
)
def test_how_the_api_cannot_be_called_is_said(option: list[str], words: str, folder: Path) -> None:
    """That nothing answers is said only where somebody was asked."""
    (folder / "empty").touch()
    ran = CliRunner().invoke(app, ["send", "--to", "+15551234567", "Hello", *option], env=NOWHERE)
    assert ran.exit_code == 1 and words in ran.stderr and isinstance(ran.exception, SystemExit), ran.output


def test_a_dry_run_of_one_message_asks_nobody() -> None:
    """It says that it fits, and prints no id."""
    ran = CliRunner().invoke(app, ["send", "--to", "+15551234567", "--dry-run", "Hello"], env=NOWHERE)
    assert (ran.exit_code, ran.stdout) == (0, "")


def test_a_dry_run_of_a_file_checks_each_line(folder: Path) -> None:
    """Each that is wrong by its number and path; of very many only the count."""
    good = b'{"to": "ana@example.com", "clientId": "shop", "content": {"text": "Hello"}}\n\n'
    (folder / "m.jsonl").write_bytes(good + LINE + b'{"to": "x", "channel": "sms", "body": "x"}\n{\n' + LINE)
    dry = ["send", "--file", "m.jsonl", "--dry-run"]
    ran = CliRunner().invoke(app, dry, env=NOWHERE)
    assert (ran.exit_code, ran.stdout) == (1, "3 valid, 2 refused\n")
    assert "line 4: $.to: " in ran.stderr and "line 5: $: " in ran.stderr
    (folder / "m.jsonl").write_bytes(LINE * 3)
    ran = CliRunner().invoke(app, dry, env=NOWHERE)
    assert (ran.exit_code, ran.stdout) == (0, "3 valid\n")
    (folder / "m.jsonl").write_bytes(LINE * 100)
    ran = CliRunner().invoke(app, [*dry, "--channel", "email"], env=NOWHERE)
    assert (ran.exit_code, ran.stdout) == (1, "100 refused\n")
    assert ran.stderr.count("line ") == PRINTED and "only counted" in ran.stderr


def test_a_file_without_messages_is_no_fault(folder: Path) -> None:
    """Nothing to do is done."""
    (folder / "m.jsonl").write_bytes(b"\n\n")
    ran = CliRunner().invoke(app, ["send", "--file", "m.jsonl", "--dry-run"], env=NOWHERE)
    assert (ran.exit_code, ran.stdout) == (0, "No messages in it\n")


@pytest.mark.parametrize(("accepted", "said"), [(2, "2 accepted\n"), (0, "None accepted\n")])
def test_ctrl_c_says_how_far_it_is(accepted: int, said: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And that the same can be run again."""

    def interrupted(client: object, path: str, lines: object, sent: Sent, rate: float) -> None:
        sent.accepted = accepted
        raise KeyboardInterrupt

    (folder / "m.jsonl").write_bytes(LINE * 3)
    monkeypatch.setattr(file, "_send", interrupted)
    ran = CliRunner().invoke(app, ["send", "--file", "m.jsonl"], env=NOWHERE)
    assert (ran.exit_code, ran.stdout) == (130, said) and "run the same again" in ran.stderr


def test_a_run_that_reaches_nobody_does_not_say_that_the_file_is_empty(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says that none was accepted."""
    (folder / "m.jsonl").write_bytes(LINE)
    monkeypatch.setattr(file, "TRIES", 1)
    ran = CliRunner().invoke(app, ["send", "--file", "m.jsonl"], env=NOWHERE)
    assert (ran.exit_code, ran.stdout) == (1, "None accepted\n") and "does not answer" in ran.stderr
