"""Reads why a mail of Unisender Go bounced: https://godocs.unisender.ru/email-statuses, https://docs.unione.io/en/email-statuses."""

from typing import Any

from adapters.reading.facts import text
from adapters.reading.smtp_codes import code_of, reason_of
from schemas.events import Error

#: …/email-statuses: `delivery_status`, which is more precise.
REASONS: dict[str, str] = {
    "err_user_unknown": "invalid_address",
    "err_user_inactive": "invalid_address",
    "err_dest_invalid": "invalid_address",
    "err_mailbox_discarded": "invalid_address",
    "err_mailbox_full": "unreachable",
    "err_domain_inactive": "unreachable",
    "err_destination_misconfigured": "unreachable",
    "err_unreachable": "unreachable",
    "err_will_retry": "unreachable",
    "err_not_available": "unreachable",
    "err_no_dns": "unreachable",
    "err_no_smtp": "unreachable",
    "err_giveup": "unreachable",
    "skip_dup_unreachable": "unreachable",
    "skip_dup_temp_unreachable": "unreachable",
    "skip_dup_mailbox_full": "unreachable",
    "err_spam_rejected": "spam",
    "err_spam_skipped": "spam",
    "err_spam_removed": "spam",
    "err_blacklisted": "blocked",
    "err_too_large": "content",
    "err_unsubscribed": "opted_out",
    "err_delivery_failed": "unknown",
    "err_skip_letter": "unknown",
    "err_lost": "unknown",
}


def error_of(info: dict[str, Any]) -> Error:
    """Return the error of a bounce's `delivery_info`."""
    status, words = text(info.get("delivery_status")), text(info.get("destination_response"))
    reason = REASONS.get(status or "", "unknown")
    if reason == "unknown":
        reason = reason_of(code_of(None, words))
    return Error(status, words, reason)
