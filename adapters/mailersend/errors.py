"""Reads why MailerSend did not deliver a mail or an SMS.

`meta` in webhooks of version 2, `morph` in version 1 (django-anymail has recorded posts:
https://github.com/anymail/django-anymail/blob/main/tests/test_mailersend_webhooks.py). The API's responses:
https://developers.mailersend.com/api/v1/email.html, https://developers.mailersend.com/general.html#api-response.
"""

from typing import Any

from adapters.reading.facts import text
from adapters.reading.smtp_codes import code_of, reason_of
from schemas.events import Error

#: The text of a bounce, where its code gives no reason.
BOUNCES: dict[str, str] = {
    "host or domain name not found": "invalid_address",
    "mailbox full": "unreachable",
}
#: The text of a suppression: the mail was not attempted.
SUPPRESSIONS: dict[str, str] = {
    "on_hold": "blocked",
    "blocklisted": "blocked",
    "unsubscribed": "opted_out",
    "spam_complaint": "opted_out",
    "hard_bounced": "invalid_address",
}
_WORDS = ("bounce_reason", "suppression_reason", "reject_reason", "readable_reason", "reason")


def error_of(about: dict[str, Any]) -> Error | None:
    """Return the error of an activity's `meta` or `morph`; None if it has neither a code nor text (a delay)."""
    words = next((value for name in _WORDS if (value := text(about.get(name)))), None)
    code = code_of(text(about.get("bounce_code")), words)
    if code is None and words is None:
        return None
    word = (words or "").lower()
    return Error(code, words, BOUNCES.get(word) or SUPPRESSIONS.get(word) or reason_of(code))


def refusal(body: dict[str, Any], status: int) -> Error:
    """Return the error of a response of the API: its `message`, or the first error of a field."""
    errors = body.get("errors")
    first = next(iter(errors.values()), None) if isinstance(errors, dict) else None
    detail = text(first[0]) if isinstance(first, list) and first else text(first)
    field = next(iter(errors), None) if isinstance(errors, dict) else None
    words = detail or text(body.get("message"))
    if status == 429:
        return Error("429", words, "rate")
    # MailerSend gives no error code; the field's name is the closest to one.
    return Error(
        field if isinstance(field, str) else str(status),
        words,
        "invalid_address" if isinstance(field, str) and field.startswith("to.") else "unknown",
    )
