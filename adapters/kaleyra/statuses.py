"""Kaleyra's statuses of a message, of SMS and of WhatsApp, and why an SMS failed.

https://developers.kaleyra.io/docs/sms-callback, …/docs/whatsapp-callback-url, …/docs/sms-status-and-status-trace-codes, in
upper case.
"""

#: What is expired was tried until its time was over; without a receipt (NO DLR) it is with the operator, no more.
STATUSES: dict[str, str] = {
    "SUBMITTED": "UserMessageSent",
    "ENROUTE": "UserMessageSent",
    "SENT": "UserMessageSent",
    "SENT - NO DLR": "UserMessageSent",
    "DELIVERED": "MessageDelivered",
    "DELIVRD": "MessageDelivered",
    "READ": "MessageRead",
    "FAILED": "MessageFailed",
    "UNDELIVERED": "MessageFailed",
    "EXPIRED": "MessageFailed",
    "NOT-SENT": "MessageRejected",
}
FAILURES = frozenset({"MessageFailed", "MessageRejected"})
_TRACES = {
    "invalid_address": "INVALID-SUB",
    "unreachable": "MOB-OFF",
    "blocked": "NOTALLOWED NO-CREDITS BLACKLIST BLOCKED-COUNTRY KYC-NOT-APPROVED",
    "opted_out": "CON-DND OPT-OUT",
    "content": "TEMPLATE-NOT-FOUND",
    "expired": "EXPIRED",
}
_REASONS = {code: reason for reason, codes in _TRACES.items() for code in codes.split()}


def reason_of(trace: str | None, status: str) -> str:
    """Of the last code of a trace (`SENT,MOB-OFF`) that says why, else of the status."""
    codes = [*(trace or "").upper().split(",")[-100:], status.upper()]
    return next((_REASONS[code] for one in reversed(codes) if (code := one.strip()) in _REASONS), "unknown")
