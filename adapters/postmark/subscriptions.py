"""Reads a change of a recipient's subscription at Postmark: https://postmarkapp.com/developer/webhooks/subscription-change-webhook"""

from typing import Any

from adapters.reading.facts import text
from adapters.reading.words import spelled

#: Why sending was stopped, …/developer/webhooks/subscription-change-webhook. A bounce does not change the
#: recipient's consent.
SUPPRESSIONS: dict[str, str] = {
    "HardBounce": "ProviderEventReceived",
    "SpamComplaint": "RecipientUnsubscribed",
    "ManualSuppression": "RecipientUnsubscribed",
}
#: The id of the transactional stream that each server begins with: https://postmarkapp.com/developer/api/message-streams-api
_DEFAULT_STREAM = "outbound"


def type_of_change(item: dict[str, Any]) -> str:
    """Return the event's type. Anybody may stop the mail; only the recipient consents to it (`Customer` is the account, `Admin`
    is Postmark)."""
    if item.get("SuppressSending") is True:
        return SUPPRESSIONS.get(spelled(text(item.get("SuppressionReason")), SUPPRESSIONS), "ProviderEventReceived")
    by_recipient = item.get("SuppressSending") is False and _by_recipient(item)
    return "RecipientSubscribed" if by_recipient else "ProviderEventReceived"


def is_of_all_mail(item: dict[str, Any], stream: str) -> bool:
    """Return whether a change concerns all mail, and not its stream alone: a complaint, or that the recipient unsubscribed
    from the default stream, which has the mail that belongs to no list."""
    if item.get("SuppressSending") is not True:
        return False
    if spelled(text(item.get("SuppressionReason")), SUPPRESSIONS) == "SpamComplaint":
        return True
    return stream == _DEFAULT_STREAM and _by_recipient(item)


def _by_recipient(item: dict[str, Any]) -> bool:
    return (text(item.get("Origin")) or "").lower() == "recipient"
