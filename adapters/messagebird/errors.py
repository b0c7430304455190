"""Why an SMS failed, by MessageBird's `statusReason`; Bird has the same words in its `details`.

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
_REASONS = {word: reason for reason, words in _WORDS.items() for word in words}


def error_of(code: object, words: object, status: str = "") -> Error:
    """`code` as given, `words` that say why; `status` counts where they are silent."""
    told, said = text(code), text(words)
    reason = _REASONS.get((said or "").replace("_", " ").lower()) or _REASONS.get(status)
    return Error(told[:255] if told else None, said, reason or "unknown")
