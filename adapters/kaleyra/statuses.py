"""Kaleyra's statuses of a message, of SMS and of WhatsApp."""

#: …/docs/sms-callback, …/docs/whatsapp-callback-url, in upper case.
STATUSES: dict[str, str] = {
    "SENT": "UserMessageSent",
    "DELIVERED": "MessageDelivered",
    "READ": "MessageRead",
    "FAILED": "MessageFailed",
    "UNDELIVERED": "MessageFailed",
    "NOT-SENT": "MessageRejected",
}
FAILURES = frozenset({"MessageFailed", "MessageRejected"})
