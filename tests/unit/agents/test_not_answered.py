"""What a call that reached nobody is reported as."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest

from agents.sender.answers import not_answered
from agents.transport import NoAnswer
from app.sending.explain import explain
from app.sending.requests import Request


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("10.0.0.1: the connection was refused", "no connection: 10.0.0.1: the connection was refused"),
        ("mail.example: no connection in time", "mail.example: no connection in time"),
    ],
)
def test_the_reason_is_given_once_and_without_a_class(error: str, words: str) -> None:
    """For people, who read it in `explain`, `doctor` and the log."""
    request = cast(Request, None)  # read only for a fault of the sender's name
    assert not_answered(NoAnswer(error), request, recipient_named_host=False).words == words


def test_explain_gives_the_reason_of_an_account_once() -> None:
    """The message's last error and the account's trouble are the same failure."""
    now = datetime(2026, 2, 3, 12, tzinfo=UTC)
    due = datetime(2026, 2, 3, 13, tzinfo=UTC)
    row: dict[str, Any] = {
        "state": "retrying",
        "due_at": due,
        "error": {"code": "20003", "text": "Authenticate", "reason": "account"},
        "cause": None,
        "tries": 1,
        "channel": "sms",
        "account": "twilio",
        "checks": 0,
        "cancelled": False,
    }
    waits = {"ahead": 0, "rate": None, "trouble": "401: Authenticate", "open_until": due}
    words = [reason.words for reason in explain(row, waits, "not known", now)]
    assert sum(each.count("Authenticate") for each in words) == 1
    other = explain(row, waits | {"trouble": "503: down"}, "not known", now)
    assert any("503: down" in reason.words for reason in other)
