"""A form or a query may repeat a name: every value of it is kept."""

from datetime import UTC, datetime

import pytest

from adapters import interpret
from adapters.contract import Request
from adapters.reading.bodies import fields_of

URL = "https://hooks.example.com/webhooks/aggregate/x"
FORM = {"content-type": "application/x-www-form-urlencoded"}
#: Providers that post forms, with a form that none of their words fits.
FORMS = {
    "twilio": "EventType=onConversationAdd&State=initializing",
    "plivo": "Another=1",
    "vonage": "another=1",
    "africastalking": "another=1",
    "kaleyra": "another=1",
    "messagebird": "another=1",
    "slack": "another=1",
}
POSTS_ONLY = ("africastalking", "slack")
CASES = [
    (provider, method)
    for provider in FORMS
    for method in ("POST", "GET")
    if method == "POST" or provider not in POSTS_ONLY
]


def test_values_are_in_their_order() -> None:
    """One value is a text, several are a list."""
    assert fields_of([("a", "1"), ("b", "2"), ("a", "3"), ("a", "1")]) == {"a": ["1", "3", "1"], "b": "2"}


@pytest.mark.parametrize(("provider", "method"), CASES)
def test_an_unknown_form_is_kept_whole(provider: str, method: str) -> None:
    """Each value of a repeated name is in `native`, whether the parameters come as a form or as a query."""
    written = f"{FORMS[provider]}&Address=%2B15551234567&Address=%2B15551234568"
    url, body = (f"{URL}?{written}", b"") if method == "GET" else (URL, written.encode())
    (event,) = interpret(Request(method, url, FORM, body, datetime(2026, 3, 2, tzinfo=UTC), provider), provider).events

    assert event.type == "ProviderEventReceived"
    assert event.payload["native"]["Address"] == ["+15551234567", "+15551234568"]
