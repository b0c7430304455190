"""Why MailerSend's mail and SMS did not arrive.

`meta` of a webhook of version 2, `morph` of version 1 (as django-anymail records what is posted:
https://github.com/anymail/django-anymail/blob/main/tests/test_mailersend_webhooks.py); the API's answers:
https://developers.mailersend.com/api/v1/email.html, https://developers.mailersend.com/general.html#api-response.
"""

from typing import Any

from adapters.reading.facts import text
from adapters.reading.smtp_codes import code_of, reason_of
from schemas.events import Error

#: A bounce's words, where the code does not tell.
BOUNCES: dict[str, str] = {
    "host or domain name not found": "invalid_address",
    "mailbox full": "unreachable",
}
#: Why it was not tried.
SUPPRESSIONS: dict[str, str] = {"on_hold": "blocked", "blocklisted": "blocked"}
_WORDS = ("bounce_reason", "suppression_reason", "reject_reason", "readable_reason", "reason")


def error_of(about: dict[str, Any]) -> Error | None:
    """Return the error of an activity's `meta` or `morph`; None where it says nothing (a delay)."""
    words = next((value for name in _WORDS if (value := text(about.get(name)))), None)
    code = code_of(text(about.get("bounce_code")), words)
    if code is None and words is None:
        return None
    word = (words or "").lower()
    return Error(code, words, BOUNCES.get(word) or SUPPRESSIONS.get(word) or reason_of(code))


def refusal(said: dict[str, Any], status: int) -> Error:
    """Return the error of an answer of the API: `message`, and of each field what is wrong with it."""
    errors = said.get("errors")
    first = next(iter(errors.values()), None) if isinstance(errors, dict) else None
    detail = text(first[0]) if isinstance(first, list) and first else text(first)
    field = next(iter(errors), None) if isinstance(errors, dict) else None
    words = detail or text(said.get("message"))
    if status == 429:
        return Error("429", words, "rate")
    # A field's name is the nearest to a code that MailerSend gives.
    return Error(
        field if isinstance(field, str) else str(status),
        words,
        "invalid_address" if isinstance(field, str) and field.startswith("to.") else "unknown",
    )
