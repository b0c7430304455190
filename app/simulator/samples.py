"""Addresses to play with, none of them anyone's: a customer's and ours.

Numbers are of the range kept for fiction (+1 555), mail is at example.com (RFC 2606).
"""

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


def customer(channel: str, customers: dict[str, str] | None = None) -> str:
    """A customer's address on a channel; `customers` are those that a provider has in a form of its own."""
    return (customers or {}).get(channel) or _CUSTOMERS[channel]


def ours(channel: str, senders: dict[str, str] | None = None) -> str:
    """Our address on a channel; `senders` as above."""
    return (senders or {}).get(channel) or _OURS[channel]


#: What is written, to and fro.
TEXTS = (
    "Your order is on its way.",
    "When does it come?",
    "Thank you!",
    "Your code is 4711. It is good for ten minutes.",
    "Grüße aus Vilnius 👋",
    "Where is my refund?",
)
