"""Telnyx's codes of messages, by why. https://developers.telnyx.com/docs/messaging/messages/error-codes"""

from typing import Any

from adapters.parts.facts import text
from schemas.events import Error

_CODES = {
    "invalid_address": "10002 40001 40012 40310",
    "unreachable": "40006 40008",
    "blocked": "10001 40003 40004 40010 40013 40305 40308 40309 40320 40321",
    "spam": "40002 40015",
    "opted_out": "40300",
    "content": "10003 10004 40009 40301 40302 40316 40317 40319 40322",
    "rate": "10011 40011 40016 40017 40318",
    "expired": "40005 40014",
}
_REASONS = {code: reason for reason, codes in _CODES.items() for code in codes.split()}
#: Faults that pass: too many, or Telnyx's own.
RETRYABLE = frozenset({"10007", "10011", "10016", "40011", "40318"})


def error_of(errors: Any, otherwise: str = "unknown") -> Error:
    """The first of a list of errors; `otherwise` is the reason where its code tells none."""
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code = text(first.get("code"))
    return Error(code, text(first.get("detail")) or text(first.get("title")), _REASONS.get(code or "", otherwise))
