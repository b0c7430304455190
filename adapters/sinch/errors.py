"""Maps Sinch's error codes to our reasons.

SMS: https://developers.sinch.com/docs/sms/api-reference/sms/tag/Delivery-reports/. Conversation API:
https://developers.sinch.com/docs/conversation/callbacks#reason.
"""

from typing import Any

from adapters.reading.facts import text
from schemas.events import Error

_SMS = {
    "invalid_address": "402",
    "unreachable": "404 416 417",
    "blocked": "408 412 413 415",
    "content": "405 411 414 418",
    "expired": "406",
}
_SMS_TEXTS = {
    "402": "Message unroutable",
    "403": "Internal error",
    "404": "Temporary delivery failure",
    "405": "Unmatched parameter",
    "406": "Internal expiry",
    "407": "Cancelled",
    "408": "Internal reject",
    "410": "Unmatched default originator",
    "411": "Exceeded parts limit",
    "412": "Unprovisioned region",
    "413": "The account is blocked",
    "414": "Bad media URL",
    "415": "Rejected by the MMS gateway or network",
    "416": "MMS is not supported there",
    "417": "The network or subscriber cannot be reached by MMS",
    "418": "The handset does not recognise the MMS",
}
_CONVERSATION = {
    "invalid_address": "RECIPIENT_INVALID_CHANNEL_IDENTITY NO_CHANNEL_IDENTITY_FOR_CONTACT CONTACT_NOT_FOUND",
    "unreachable": "RECIPIENT_NOT_REACHABLE CHANNEL_FAILURE DELIVERY_TIMED_OUT NO_CHANNELS_LEFT",
    "blocked": (
        "OUTSIDE_ALLOWED_SENDING_WINDOW CHANNEL_BAD_CONFIGURATION CHANNEL_CONFIGURATION_MISSING CHANNEL_REJECT"
        " DELIVERY_REJECTED_DUE_TO_POLICY NO_PERMISSION UNKNOWN_APP INACTIVE_CREDENTIAL"
    ),
    "opted_out": "RECIPIENT_NOT_OPTED_IN",
    "content": (
        "MEDIA_TYPE_UNSUPPORTED MEDIA_TOO_LARGE MEDIA_NOT_REACHABLE TEMPLATE_NOT_FOUND BAD_REQUEST"
        " TEMPLATE_INSUFFICIENT_PARAMETERS TEMPLATE_NON_EXISTING_LANGUAGE_OR_VERSION UNSUPPORTED_OPERATION"
    ),
    "rate": "RATE_LIMITED",
    "expired": "MESSAGE_EXPIRED",
}
_REASONS = {
    code: reason for table in (_SMS, _CONVERSATION) for reason, codes in table.items() for code in codes.split()
}


def sms_error(code: Any, status: str) -> Error:
    """Return the error of a report's `code`: Sinch's own from 400 on, the operator's SMPP error below."""
    number = text(code)
    reason = _REASONS.get(number or "") or ("expired" if status == "Expired" else "unknown")
    return Error(number[:255] if number else None, _SMS_TEXTS.get(number or ""), reason)


def conversation_error(reason: Any) -> Error:
    """Return the error of a report's `reason`, which has a code and a description."""
    details = reason if isinstance(reason, dict) else {}
    code = text(details.get("code"))
    return Error(code[:255] if code else None, text(details.get("description")), _REASONS.get(code or "", "unknown"))
