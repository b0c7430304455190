"""Maps Kaleyra's statuses of SMS and WhatsApp to events, and the trace codes of SMS to reasons.

https://developers.kaleyra.io/docs/sms-callback, …/docs/whatsapp-callback-url, …/docs/sms-status-and-status-trace-codes. In
upper case.
"""

#: EXPIRED: retried until the validity period ended. NO DLR: passed to the operator, and no receipt will come.
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
    """Return the reason of a trace's last known code (`SENT,MOB-OFF`), or else of the status."""
    codes = [*(trace or "").upper().split(",")[-100:], status.upper()]
    return next((_REASONS[code] for one in reversed(codes) if (code := one.strip()) in _REASONS), "unknown")
