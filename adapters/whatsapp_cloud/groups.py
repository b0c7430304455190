"""Reads what a status names: its recipient, in a group one of several, and its word.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/group
"""

from typing import Any

from adapters.reading.facts import text


def recipient_of(item: dict[str, Any]) -> tuple[Any, Any, str | None]:
    """Return the number and the user id of a status's recipient, and the group (None for a message to one person). In a
    group each participant has a status of its own, so that message id and participant together are one message
    (`Event.per_recipient`)."""
    group = text(item.get("recipient_id")) if item.get("recipient_type") == "group" else None
    number = item.get("recipient_participant_id") or (None if group else item.get("recipient_id"))
    return number, item.get("recipient_participant_user_id") or item.get("recipient_user_id"), group


def word_of(item: dict[str, Any]) -> str:
    """Return the word of a status. The word of an order's payment, which comes under the id of the order's message,
    gets the prefix `payment.`, so that it is not taken for a state of the message."""
    given = text(item.get("status")) or ""
    return f"payment.{given}" if item.get("type") == "payment" else given
