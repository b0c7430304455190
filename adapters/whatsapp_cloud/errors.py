"""Maps Meta's error codes of WhatsApp messages to our reasons.

https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes
"""

from typing import Any

from adapters.reading.facts import text
from schemas.events import Error

_CODES = {
    "invalid_address": "131021",
    # Not a WhatsApp user, an old app, or terms not accepted: Meta does not say which.
    "unreachable": "131026 1026",
    # Refused by Meta or its rules: policies, payment, permission, no message from the user for 24 hours.
    "blocked": "368 470 130472 130497 131005 131030 131031 131037 131042 131045 131047",
    "spam": "131048",
    "opted_out": "131050",
    "content": (
        "100 131008 131009 131051 131052 131053 132000 132001 132005 132007 132012 132015 132016 132068 132069"
    ),
    # 131049: the user has received enough marketing messages for now, from all businesses.
    "rate": "4 80007 130429 131049 131056 133016",
    "unknown": "1 2 131000 131016 131057",
}
REASONS: dict[str, str] = {code: reason for reason, codes in _CODES.items() for code in codes.split()}
#: Codes of the API only, not of webhooks: authorization (0 3 10 190, and 200 to 299), parameters.
_OF_THE_API = {
    **dict.fromkeys("0 3 10 190 200 131044".split(), "blocked"),
    **dict.fromkeys("33 132018 135000".split(), "content"),
}
#: Errors of authorization (0 3 10 190, 200 to 299), and of the account or its number: policies, payment, a name that
#: is not approved, a number that is not registered.
ACCOUNT = frozenset(
    [*"0 3 10 33 190 368 131005 131031 131037 131042 131044 131045 133010".split(), *map(str, range(200, 300))]
)
#: Errors after which, according to Meta, a retry may succeed: rate limits, and Meta's own faults.
AGAIN = frozenset("1 2 4 80007 130429 131000 131016 131048 131056 131057 133016".split())
KNOWN = frozenset(REASONS) | frozenset(_OF_THE_API)


def error_of(errors: Any) -> Error:
    """Return the first of a status's `errors`: its code, and the most precise of its texts."""
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code, data = text(first.get("code")), first.get("error_data")
    details = text(data.get("details")) if isinstance(data, dict) else None
    words = details or text(first.get("message")) or text(first.get("title"))
    return Error(code, words, REASONS.get(code or "") or _OF_THE_API.get(code or "", "unknown"))
