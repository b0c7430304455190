"""Handles as people type and read them: in a search, and in what is printed."""

import re

from schemas.events import Handle
from schemas.handles import handle_of

#: The kinds of `HANDLE_KINDS`, for people: an example that can be typed, and what the value is.
EXAMPLES: dict[str, tuple[str, str]] = {
    "phone": ("+15551234567", "a phone number"),
    "email": ("ana@example.com", "an e-mail address"),
    "user_id": ("user_id:42", "a service's own id"),
    "whatsapp_user_id": ("whatsapp_user_id:US.13491208655302741918", "WhatsApp's business-scoped id"),
    "chat_id": ("chat_id:telegram:12345", "an id after the platform's name"),
    "device_token": ("device_token:0f1e2d3c", "the address of a push message"),
    "device_id": ("device_id:emqx:truck-7", "an id after the network's name"),
    "short_code": ("short_code:12345", "a short number of an operator"),
    "alphanumeric": ("alphanumeric:SHOP", "the name of a sender of SMS"),
    "sip": ("sip:ana@example.com", "a SIP address"),
    "other": ("other:client:ana", "any other address, as it came"),
}
_ALONE = frozenset({"phone", "email"})
#: Begins like an international phone number and has nothing but what phone numbers have.
_LIKE_INTERNATIONAL = re.compile(r"[+\uff0b][\d\s().\-/]*")


def typed(kind: str, value: str) -> str:
    """Return the text by which `searched` finds a handle: a phone number or an e-mail address alone, any other as
    `kind:value`."""
    if kind in _ALONE:
        try:
            if handle_of(value) == Handle(kind, value):
                return value
        except ValueError:
            pass
    return f"{kind}:{value}"


def searched(text: str) -> Handle:
    """Return the handle that a person looks for, read as `handle_of` does. Raises ValueError, with a message for people, if
    the text is no address, or begins a phone number and is none."""
    handle = handle_of(text)
    if handle.kind != "phone" and _LIKE_INTERNATIONAL.fullmatch(text.strip()):
        raise ValueError("it is no complete phone number: +, country code, number, 7 to 15 digits, as +15551234567")
    return handle
