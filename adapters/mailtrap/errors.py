"""Reads why Mailtrap, or the recipient's server, did not take a mail.

https://docs.mailtrap.io/email-api-smtp/advanced/webhooks (the examples of payloads)
"""

from typing import Any

from adapters.reading.facts import text
from adapters.reading.smtp_codes import code_of, reason_of
from schemas.events import Error

#: Words in `reason` of a reject or a suspension (the examples of …/advanced/webhooks); any other is Mailtrap's block.
REFUSALS: dict[str, str] = {
    "reason: unsubscription": "opted_out",
    "reason: spam complaint": "opted_out",
    "reason: hard bounce": "invalid_address",
    "limit": "rate",
}
#: `bounce_category`, where the server's code gives no reason.
BOUNCES: dict[str, str] = {"spam": "spam", "badrecipient": "invalid_address", "greylisting": "unreachable"}


def error_of(word: str, item: dict[str, Any]) -> Error:
    """Return the error of a refusal, a bounce or a delay."""
    words = text(item.get("response")) or text(item.get("reason"))
    code = code_of(text(item.get("response_code")), words)
    if word in ("reject", "suspension"):
        # Mailtrap's own refusals have no response of a server.
        said = (words or "").lower()
        return Error(code, words, next((reason for part, reason in REFUSALS.items() if part in said), "blocked"))
    reason = reason_of(code)
    if reason == "unknown":
        reason = BOUNCES.get((text(item.get("bounce_category")) or "").lower(), "unknown")
    return Error(code, words, reason)
