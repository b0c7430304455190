"""Says on which channel an item of Infobip is, and reads the addresses of that channel.

The word is in `channel` (the Messages API, and events of subscriptions) or in `integrationType` (inbound messages):
https://github.com/infobip/infobip-api-java-client (MessagesApiInboundMoEventChannel),
https://www.infobip.com/docs/cpaas-x/subscriptions-management.
"""

from typing import Any

from adapters.reading.addresses import dialled, of_kind
from adapters.reading.facts import text
from schemas.events import Handle

Item = dict[str, Any]

#: Channels whose addresses are phone numbers or mail addresses. Viber's business messages have numbers, its bots do not.
CHANNELS: dict[str, str] = {
    "SMS": "sms",
    "MMS": "sms",
    "WHATSAPP": "whatsapp",
    "RCS": "rcs",
    "EMAIL": "email",
    "VOICE": "voice",
    "VIBER": "chat",
    "VIBER_BM": "chat",
}
#: Chat services with user ids of their own, and the prefix of a `chat_id`. Such an id may be digits alone, and is then no
#: phone number.
CHATS: dict[str, str] = {
    "VIBER_BOT": "viber",
    "MESSENGER": "messenger",
    "INSTAGRAM_DM": "instagram",
    "APPLE_MB": "apple",
}


def word_of(item: Item) -> str:
    """Return the item's own word for its channel, in upper case, or an empty text."""
    return (text(item.get("channel")) or text(item.get("integrationType")) or "").upper()


def channel_named(word: str) -> str | None:
    """Return our channel for a word; None for one that is not of the tables."""
    return CHANNELS.get(word) or ("chat" if word in CHATS else None)


def customer_of(value: Any, word: str, channel: str | None) -> Handle | None:
    """Return the customer's handle: an id of the chat service, or else a number or a mail address."""
    if not _has_ids(word, channel):
        return dialled(value, channel)
    user = text(value)
    return of_kind("chat_id", f"{CHATS.get(word, word.lower())}:{user}") if user else None


def ours_of(value: Any, word: str, channel: str | None) -> str | None:
    """Return the account's own number or name."""
    found = None if _has_ids(word, channel) else dialled(value, channel)
    name = text(value)
    return found.value if found is not None else name[:255] if name else None


def _has_ids(word: str, channel: str | None) -> bool:
    return channel == "chat" and bool(word) and word not in CHANNELS
