"""Lines for a terminal and for a pipe."""

import logging

import pytest

from app.cli.doctor import _lines
from app.cli.doctor.finding import Finding
from app.cli.support.connecting import attempts, cause
from app.cli.support.terminal import entry, print_error

LONG = "n" * 64


@pytest.mark.parametrize("columns", [40, 80, 120])
def test_an_error_is_wrapped_between_words_for_a_terminal(
    columns: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No line is wider, but for a word that is: that stays whole, to be copied."""
    monkeypatch.setenv("COLUMNS", str(columns))
    text = (
        f"There is no account {'https://shop.example.com/' + LONG * 2} of {LONG}. What is wrong? threadline doctor " * 3
    )
    assert print_error(f"first\n  indented {text}", 2) == 2
    printed = capsys.readouterr().err
    assert all(len(line) <= columns or len(line.split()) == 1 for line in printed.splitlines())
    assert printed.split() == f"first indented {text}".split()


def test_an_error_for_a_pipe_is_one_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """So that programs find its words."""
    monkeypatch.delenv("COLUMNS", raising=False)
    print_error("word " * 100)
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_the_first_line_of_an_entry_is_wrapped_as_well() -> None:
    """With the rest indented."""
    lines = entry(f"2026-11-29 12:00:00  key:{LONG}  client.set  {LONG}", f"client {LONG}").splitlines()
    assert len(lines) > 2 and max(map(len, lines)) <= 80
    assert all(line.startswith("  ") for line in lines[1:])


@pytest.mark.parametrize("state", ["ok", "note", "look", "wrong"])
def test_each_finding_of_doctor_fits(state: str) -> None:
    """Also with a long path and a long name."""
    found = Finding(f"Account {LONG}", state, f"webhooks to https://shop.example.com/{LONG[:40]} come " * 4, "do " * 60)  # type: ignore[arg-type]
    for text in _lines([found]):
        assert max(map(len, text.plain.splitlines())) <= 80


def test_why_a_connection_failed_is_one_line() -> None:
    """Of libpq's words without its question; of the pool's attempts the last."""
    libpq = 'connection failed: "127.0.0.1", port 1 failed: refused\n\tIs the server running on that host and accepting TCP/IP connections?\n'
    assert cause(OSError(libpq)) == 'connection failed: "127.0.0.1", port 1 failed: refused'
    assert cause(OSError()) == "OSError"
    pool = logging.getLogger("psycopg.pool")
    with attempts() as failed:
        pool.warning("error connecting in %r: %s", "threadline", OSError("one"))
        pool.warning("error connecting in %r: %s", "threadline", OSError(libpq))
        assert not pool.propagate
    assert failed.last.endswith("refused") and pool.propagate and failed not in pool.handlers
