"""Maps error codes of WhatsApp messages to our reasons: Gupshup's codes, and Meta's for all others.

https://docs.gupshup.io/docs/error-and-status-messages
"""

from typing import Any

from adapters.reading.facts import text
from adapters.whatsapp_cloud.errors import REASONS as _META
from schemas.events import Error

_CODES = {
    "invalid_address": "1002",
    # No funds, a wrong sender, no consent, or no message of the user's within 24 hours.
    "blocked": "1001 1003 1004 1005 1006 1007 1008",
    "content": "1010 1011 4003 4004 4005",
    "opted_out": "1012",
    "rate": "4001",
    "unknown": "500 4002",
}
_REASONS = _META | {code: reason for reason, codes in _CODES.items() for code in codes.split()}


def error_of(code: Any, words: Any) -> Error:
    """Return the error of a failed message; its code may be a number or text."""
    code, words = text(code), text(words)
    return Error(code[:255] if code else None, words[:8192] if words else None, _REASONS.get(code or "", "unknown"))
