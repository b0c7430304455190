"""The timeline as a table: what a person reads of each interaction, whatever strangers wrote into it."""

import io
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from app.cli.support.terminal import printable
from app.cli.support.timeline_table import timeline_table
from app.cli.timeline import timeline

ONE: dict[str, Any] = {
    "interactionId": "0b9c4a5e-8f0e-4b3e-9a64-4f2d1c7be001",
    "channel": "sms",
    "timestamp": "2026-02-03T12:00:00Z",
    "direction": "outbound",
    "content": {"text": "Hello"},
    "status": "completed",
    "delivery": "delivered",
    "facts": {"UserMessageSent": "2026-02-03T12:00:00Z", "MessageDelivered": "2026-02-03T12:00:03.500000Z"},
    "error": None,
    "contradiction": False,
}


def printed(*interactions: dict[str, Any], width: int = 120) -> str:
    """The table of these as plain text."""
    console = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False)
    console.print(timeline_table("c1", [{"kind": "phone", "value": "+15551234567"}], interactions, width=width))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_row_tells_what_was_said_and_what_became_of_it() -> None:
    """Who, when, where, which way, what, how it ended and how long each step took."""
    text = printed(ONE)
    for part in (
        "+15551234567",
        "customer c1",
        "Feb 2026",
        "sms",
        "→ out",
        "Hello",
        "delivered",
        "sent, delivered +3.5 s",
    ):
        assert part in text


def test_failure_tells_its_code_text_and_reason() -> None:
    """The provider's words and ours."""
    error = {"code": "30003", "text": "Unreachable handset", "reason": "unreachable"}
    text = printed(ONE | {"delivery": "failed", "error": error, "facts": {"MessageFailed": ONE["timestamp"]}})
    assert "30003 Unreachable handset (unreachable)" in text
    assert "in" not in printed(ONE | {"error": {"code": None, "text": None, "reason": "spam"}}).split("spam")[1]


def test_contradiction_is_shown() -> None:
    """Delivered, and failed as well: both words stand there."""
    assert "delivered and failed" in printed(ONE | {"contradiction": True})
    assert "bounced and delivered" in printed(ONE | {"contradiction": True, "delivery": "bounced"})


@pytest.mark.parametrize(
    ("content", "channel", "part"),
    [
        ({}, "sms", "(no content)"),
        ({}, "voice", "(call)"),
        ({"subject": "Your order", "html": "<p>x</p>"}, "email", "Your order"),
        ({"html": "<p>x</p>"}, "email", "(HTML)"),
        ({"audioUrl": "https://example.com/a.mp3"}, "voice", "recording example.com/a.mp3"),
        ({"media": [{"type": "image/png", "name": "cat.png"}, {}]}, "sms", "image/png cat.png"),
        ({"location": {"latitude": 38.7, "longitude": -9.1, "name": "Lisboa"}}, "whatsapp", "at 38.7, -9.1 Lisboa"),
        ({"buttonReply": {"id": "1", "title": "Yes"}}, "whatsapp", "chose Yes"),
        ({"reaction": {"emoji": "👍"}}, "whatsapp", "reacted 👍"),
        ({"pushPayload": {"title": "Hi"}}, "push", '{"title":"Hi"}'),
        ({"text": 5, "media": "none", "location": [], "buttonReply": "x", "reaction": 1}, "sms", "5"),
    ],
)
def test_every_kind_of_content_is_shown(content: dict[str, Any], channel: str, part: str) -> None:
    """Text, mail, recordings, media, places, choices, reactions, push; and what has another shape breaks nothing."""
    assert part in printed(ONE | {"content": content, "channel": channel})


def test_markup_in_what_was_said_is_text() -> None:
    """`[red]` is not a colour, and `[/]` no error."""
    assert "[red]x[/] [bold" in printed(ONE | {"content": {"text": "[red]x[/] [bold"}})


@given(st.text())
def test_strangers_cannot_steer_the_terminal(text: str) -> None:
    """No escape, no control character, nothing that turns the line's direction gets through; plain text does."""
    shown = printable(text)
    assert not any((c < " " and c != "\n") or "\x7f" <= c <= "\x9f" for c in shown)
    assert not set(shown) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c")
    if text.isascii() and text.isprintable():
        assert shown == text


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_table_fits_its_terminal(width: int) -> None:
    """No line is wider than the terminal, long words and addresses included."""
    long = ONE | {"content": {"text": "x" * 500, "audioUrl": "https://example.com/" + "y" * 300}}
    assert max(map(len, printed(long, width=width).splitlines())) <= width


def test_the_heading_has_handles_as_they_can_be_typed() -> None:
    """A phone number alone, any other with its kind."""
    console = Console(file=io.StringIO(), width=120, color_system=None, force_terminal=False)
    handles = [{"kind": "phone", "value": "+15557654321"}, {"kind": "whatsapp_user_id", "value": "DE.9876543210"}]
    console.print(timeline_table("c1", handles, [ONE]))
    assert isinstance(console.file, io.StringIO)
    assert "+15557654321, whatsapp_user_id:DE.9876543210" in console.file.getvalue()


def test_a_part_of_a_phone_number_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """With exit code 2, before anything is looked up."""
    assert timeline("+1555") == 2
    assert "it is no complete phone number" in capsys.readouterr().err


@pytest.mark.parametrize("width", [30, 40, 71, 72, 100])
def test_nothing_is_cut_off_in_a_narrow_terminal(width: int) -> None:
    """What does not fit beside goes below: all words are there at any width."""
    text = printed(ONE | {"content": {"text": "one two three four five six"}, "channel": "whatsapp"}, width=width)
    words = text.split()
    assert {"one", "two", "three", "four", "five", "six", "whatsapp", "out", "delivered"} <= set(words)
