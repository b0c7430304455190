"""Maps Telnyx's error codes of messages to our reasons.

https://developers.telnyx.com/docs/messaging/messages/error-codes; codes below 40000 belong to all its APIs:
https://developers.telnyx.com/development/api-fundamentals/api-errors.
"""

from typing import Any

from adapters.reading.facts import text
from schemas.events import Error

_CODES = {
    "invalid_address": "10002 10016 40001 40012 40310",
    "unreachable": "40006 40008",
    # The sender, its registration or its profile is refused, or a carrier gives no reason.
    "blocked": (
        "10001 40004 40010 40013 40019 40020 40100 40150 40151 40155 40305 40306 40307 40308 40309 40311 40312 40313"
        " 40314 40315 40320 40321 40323 40325 40329 40330 40331 40333"
    ),
    "spam": "40002 40003 40015 40017",
    "opted_out": "40300",
    "content": "10003 10004 40009 40301 40302 40304 40316 40317 40319 40322 40328",
    "rate": "10011 40011 40016 40018 40318",
    "expired": "40005 40014",
}
_REASONS = {code: reason for reason, codes in _CODES.items() for code in codes.split()}
#: Errors of the API about the account: credentials, credit, a messaging profile that is disabled or has reached its
#: limit; and about a sender that the account does not have.
ACCOUNT = frozenset("10009 10010 20012 20013 20014 20100 40312 40333".split())
SENDER = frozenset("40013 40305 40306 40307 40311 40313 40321".split())
#: Errors after which a retry may succeed: rate limits, and Telnyx's own faults.
RETRYABLE = frozenset({"10007", "10011", "40011", "40318"})


def error_of(errors: Any, otherwise: str = "unknown") -> Error:
    """Return the first error of a list; `otherwise` is the reason if its code has none."""
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code = text(first.get("code"))
    return Error(code, text(first.get("detail")) or text(first.get("title")), _REASONS.get(code or "", otherwise))
