"""Maps Plivo's error codes of messages to our reasons.

https://www.plivo.com/docs/messaging/troubleshooting/error-codes
"""

from schemas.events import Error

_CODES = {
    "invalid_address": "50 70",
    "unreachable": "20 80 90",
    "blocked": "40 60 100 201 450 451 452 900 910",
    "spam": "30",
    "opted_out": "200",
    "content": "10 110",
    "rate": "950",
    "expired": "160 420",
}
_REASONS = {code: reason for reason, codes in _CODES.items() for code in codes.split()}


def error_of(code: str | None, text: str | None) -> Error:
    """Return the error of a failed message."""
    return Error(code, text, _REASONS.get(code or "", "unknown"))
