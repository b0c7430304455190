"""Fictional example addresses of a customer and of ours, and example texts.

Numbers are from the range reserved for fiction (+1 555), mail is at example.com (RFC 2606).
"""

from collections.abc import Mapping

_CUSTOMERS = {
    "sms": "+15551234567",
    "voice": "+15551234567",
    "whatsapp": "+15551234567",
    "rcs": "+15551234567",
    "email": "ana@example.com",
    "push": "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
    "chat": "12345678",
    "iot": "truck-7",
}
_OURS = {
    "sms": "+15550001111",
    "voice": "+15550001111",
    "whatsapp": "+15550001111",
    "rcs": "+15550001111",
    "email": "shop@example.com",
    "push": "com.example.shop",
    "chat": "shop",
    "iot": "fleet",
}


def customer(channel: str, customers: Mapping[str, str] | None = None) -> str:
    """Return a customer's address on a channel; `customers` has those in a provider's own format, by channel."""
    return (customers or {}).get(channel) or _CUSTOMERS[channel]


def ours(channel: str, senders: Mapping[str, str] | None = None) -> str:
    """Return our address on a channel; `senders` as above."""
    return (senders or {}).get(channel) or _OURS[channel]


#: Example texts, in both directions.
TEXTS = (
    "Your order is on its way.",
    "When does it come?",
    "Thank you!",
    "Your code is 4711. It is good for ten minutes.",
    "Grüße aus Vilnius 👋",
    "Where is my refund?",
)
