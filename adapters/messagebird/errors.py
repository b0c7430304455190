"""Maps MessageBird's `statusReason` to our reasons; Bird has the same texts in its `details`.

https://developers.messagebird.com/api/sms-messaging/#sms-statuses,
https://docs.bird.com/api/channels-api/message-status-and-interactions/message-failure-sources/sms-platform-extended-error-codes
"""

from adapters.reading.facts import text
from schemas.events import Error

_WORDS = {
    "invalid_address": ("incorrect number", "unknown subscriber", "invalid recipient"),
    "unreachable": ("unavailable subscriber", "received network error", "network error"),
    "blocked": ("carrier rejected", "insufficient balance", "blacklisted", "sender id not allowed"),
    "opted_out": ("opted out",),
    "rate": ("capacity limit reached",),
    "expired": ("expired",),
}
#: `statusErrorCode` of a recipient who has sent STOP, whatever the words beside it.
_OPTED_OUT = "103"
_REASONS = {word: reason for reason, words in _WORDS.items() for word in words}


def error_of(code: object, words: object, status: str = "") -> Error:
    """Return the error of a code and its text; the reason comes from the text, else from `status`."""
    number, description = text(code), text(words)
    reason = _REASONS.get((description or "").replace("_", " ").lower()) or _REASONS.get(status)
    reason = "opted_out" if number == _OPTED_OUT else reason
    return Error(number[:255] if number else None, description, reason or "unknown")
