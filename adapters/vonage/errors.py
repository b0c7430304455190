"""Maps Vonage's error codes of messages to our reasons.

Delivery receipts: https://developer.vonage.com/en/messaging/sms/guides/delivery-receipts. Messages API:
https://developer.vonage.com/en/api-errors/messages.
"""

from typing import Any

from adapters.reading.facts import text
from schemas.events import Error

_SMS = {
    "invalid_address": "3 12",
    "unreachable": "2 5 7 8 11",
    # Call barred by the user, blocked by age or carrier, no credit on a prepaid phone.
    "blocked": "4 13 14 15",
    "spam": "6",
    # Illegal number: the recipient has sent STOP.
    "opted_out": "9",
    "content": "10 50",
    "unknown": "1 39 99",
}
_MESSAGES = {
    "invalid_address": "1170 1190 1300 1310 1430",
    "unreachable": "1180 1200 1220 1230 1250 1260",
    # Refused by rules, accounts or permissions; 1340: no message from the customer for too long.
    "blocked": "1050 1060 1070 1080 1120 1140 1160 1270 1280 1290 1340 1350 1370 1420",
    "spam": "1210",
    "opted_out": "1240",
    "content": "1010 1020 1021 1022 1040 1090 1130 1150 1320 1380 1381 1382",
    "rate": "1000 1241",
    "expired": "1360",
    "unknown": "1030 1100 1330 1331",
}
_SMS_REASONS = {code: reason for reason, codes in _SMS.items() for code in codes.split()}
_MESSAGES_REASONS = {code: reason for reason, codes in _MESSAGES.items() for code in codes.split()}
#: Errors of the Messages API about the account: barred, without credit, not permitted; and about an invalid sender.
ACCOUNT, SENDER = frozenset({"1060", "1070", "1080"}), frozenset({"1120", "1420"})
_SMS_TEXTS = {
    "1": "Unknown",
    "2": "Absent Subscriber - Temporary",
    "3": "Absent Subscriber - Permanent",
    "4": "Call Barred by User",
    "5": "Portability Error",
    "6": "Anti-Spam Rejection",
    "7": "Handset Busy",
    "8": "Network Error",
    "9": "Illegal Number",
    "10": "Illegal Message",
    "11": "Unroutable",
    "12": "Destination Unreachable",
    "13": "Subscriber Age Restriction",
    "14": "Number Blocked by Carrier",
    "15": "Prepaid Insufficient Funds",
    "99": "General Error",
}


def sms_error(code: str | None, status: str) -> Error:
    """Return the error of a delivery receipt's `err-code`, which comes without text; `0` means no error."""
    known = code if code != "0" else None
    reason = _SMS_REASONS.get(known or "", "unknown")
    return Error(known, _SMS_TEXTS.get(known or ""), "expired" if status == "expired" and not known else reason)


def messages_error(error: Any) -> Error:
    """Return the error of a status or a response: the code is the number at the end of `type`, or `title`; v0.1 has
    `code`."""
    fields = error if isinstance(error, dict) else {}
    number = (text(fields.get("type")) or "").rpartition("#")[2]
    title = text(fields.get("title"))
    code = number if number.isdigit() else text(fields.get("code")) or title
    words = text(fields.get("detail")) or text(fields.get("reason")) or title
    return Error(code[:255] if code else None, words, _MESSAGES_REASONS.get(code or "", "unknown"))
