"""Gupshup's error codes of WhatsApp messages (https://docs.gupshup.io/docs/error-and-status-messages), by why a message
failed; other codes are Meta's own."""

from typing import Any

from adapters.reading.facts import text
from adapters.whatsapp_cloud.errors import REASONS as _META
from schemas.events import Error

_CODES = {
    "invalid_address": "1002",
    # No money, the wrong sender, no consent, or no message of the user's for 24 hours.
    "blocked": "1001 1003 1004 1005 1006 1007 1008",
    "content": "1010 1011 4003 4004 4005",
    "opted_out": "1012",
    "rate": "4001",
    "unknown": "500 4002",
}
_REASONS = _META | {code: reason for reason, codes in _CODES.items() for code in codes.split()}


def error_of(code: Any, words: Any) -> Error:
    """Return the error of a failed message, its code a number or text."""
    told, said = text(code), text(words)
    return Error(told[:255] if told else None, said[:8192] if said else None, _REASONS.get(told or "", "unknown"))
