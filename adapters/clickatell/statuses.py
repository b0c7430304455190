"""Maps Clickatell's message statuses to events and reasons.

Words: https://www.clickatell.com/developers/api-documentation/one-api-message-status-codes-descriptions, and newer ones
https://docs.clickatell.com/channels/one-api/one-api-message-status-table. The SMS APIs' codes are those of its HTTP API.
"""

from schemas.events import Error

#: A delivered message is DEVICE_ACK in One API and RECEIVED_BY_RECIPIENT in the SMS APIs.
STATUSES: dict[str, str] = {
    "UNKNOWN": "ProviderEventReceived",
    "EMULATED": "ProviderEventReceived",
    "QUEUED": "MessageQueued",
    "SCHEDULED": "MessageQueued",
    "SENT_TO_SUPPLIER": "UserMessageSent",
    "DEVICE_ACK": "MessageDelivered",
    "RECEIVED_BY_RECIPIENT": "MessageDelivered",
    "READ": "MessageRead",
    "STOPPED_BY_USER": "MessageCancelled",
    "EXPIRED": "MessageFailed",
    "DELIVERY_FAILURE": "MessageFailed",
    "RECIPIENT_DOES_NOT_EXIST": "MessageFailed",
    "ROUTING_ERROR": "MessageFailed",
    "WHATSAPP_ACCOUNT_PAYMENT_ISSUE": "MessageFailed",
    "WHATSAPP_RE_ENGAGEMENT_REQUIRED": "MessageFailed",
    "WHATSAPP_SPAM_RATE_LIMIT_REACHED": "MessageFailed",
    "WHATSAPP_SERVER_RATE_LIMIT": "MessageFailed",
    "WHATSAPP_EXPERIMENTAL_NUMBER": "MessageFailed",
    "WHATSAPP_HSM_NOT_AVAILABLE": "MessageFailed",
    "WHATSAPP_TEMPLATE_TEXT_TOO_LONG": "MessageFailed",
    "WHATSAPP_TEMPLATE_FORMAT_MISMATCH": "MessageFailed",
    "STOPPED_BY_ADMIN": "MessageRejected",
    "INSUFFICIENT_ACCOUNT_BALANCE": "MessageRejected",
    "VOLUME_LIMIT": "MessageRejected",
    "VOLUME_LIMIT_DAILY": "MessageRejected",
    "VOLUME_LIMIT_MONTHLY": "MessageRejected",
    "ENCRYPTION_ACCESS_DENIED": "MessageRejected",
    "ENCRYPTION_CONTENT_ERROR": "MessageRejected",
    "MEDIA_NOT_FOUND": "MessageRejected",
    "MEDIA_SIZE_ERROR": "MessageRejected",
    "MEDIA_CHECKSUM_FAILURE": "MessageRejected",
    "MEDIA_REJECTED_BY_SUPPLIER": "MessageRejected",
    "MEDIA_METADATA_ERROR": "MessageRejected",
    "MEDIA_ACCESS_ERROR": "MessageRejected",
}
#: The SMS APIs' codes, for unknown words. 2: retried; 8: accepted by the gateway; 11: scheduled.
CODES: dict[str, str] = {
    "2": "MessageDelayed",
    "3": "UserMessageSent",
    "4": "MessageDelivered",
    "5": "MessageFailed",
    "6": "MessageCancelled",
    "7": "MessageFailed",
    "8": "MessageQueued",
    "9": "MessageFailed",
    "10": "MessageFailed",
    "11": "MessageQueued",
    "12": "MessageRejected",
}
_BY_WORD = {
    "invalid_address": "RECIPIENT_DOES_NOT_EXIST",
    "unreachable": "ROUTING_ERROR",
    "expired": "EXPIRED",
    "blocked": (
        "STOPPED_BY_ADMIN INSUFFICIENT_ACCOUNT_BALANCE WHATSAPP_ACCOUNT_PAYMENT_ISSUE WHATSAPP_RE_ENGAGEMENT_REQUIRED"
        " WHATSAPP_EXPERIMENTAL_NUMBER"
    ),
    "rate": (
        "VOLUME_LIMIT VOLUME_LIMIT_DAILY VOLUME_LIMIT_MONTHLY WHATSAPP_SPAM_RATE_LIMIT_REACHED"
        " WHATSAPP_SERVER_RATE_LIMIT"
    ),
    "content": (
        "ENCRYPTION_ACCESS_DENIED ENCRYPTION_CONTENT_ERROR MEDIA_NOT_FOUND MEDIA_SIZE_ERROR MEDIA_CHECKSUM_FAILURE"
        " MEDIA_REJECTED_BY_SUPPLIER MEDIA_METADATA_ERROR MEDIA_ACCESS_ERROR WHATSAPP_HSM_NOT_AVAILABLE"
        " WHATSAPP_TEMPLATE_TEXT_TOO_LONG WHATSAPP_TEMPLATE_FORMAT_MISMATCH"
    ),
}
_REASONS = {word: reason for reason, words in _BY_WORD.items() for word in words.split()}
#: Reasons by the SMS APIs' codes. One API uses the same numbers for other things, but all of its words are known.
_BY_CODE = {"5": "content", "7": "unreachable", "9": "unreachable", "10": "expired", "12": "blocked"}


def error_of(word: str | None, code: str | None, words: str | None) -> Error:
    """Return the error of a failed message: Clickatell's code and description, and our reason."""
    reason = _REASONS.get(word or "")
    if reason is None and word not in STATUSES:
        reason = _BY_CODE.get((code or "").lstrip("0"))
    description = words or word
    return Error((code or word or "")[:255] or None, description[:8192] if description else None, reason or "unknown")
