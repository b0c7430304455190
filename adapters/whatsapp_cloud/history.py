"""Reads the files of a chat's history, which Meta sends when a number that the WhatsApp Business app used is connected.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/history
"""

from adapters.contract import Request
from adapters.reading.addresses import phone
from adapters.reading.facts import fact_id, unknown
from adapters.reading.times import from_unix
from adapters.whatsapp_cloud.messages import Item, customer_of, required_id
from schemas.events import Event


def past(item: Item, value: Item, request: Request) -> Event:
    """Return the unmapped event of a message with a file, which either side may have sent. Raises Unprocessable."""
    message_id = required_id(item)
    event = unknown(request, item, status="history", event_id=fact_id("history", message_id))
    metadata = value.get("metadata")
    ours = phone(metadata.get("display_phone_number")) if isinstance(metadata, dict) else None
    sender, _ = customer_of(item.get("from"), item.get("from_user_id"))
    outbound = sender is not None and sender == ours
    event.channel, event.direction = "whatsapp", "outbound" if outbound else "inbound"
    event.handle = customer_of(item.get("to"), item.get("to_user_id"))[0] if outbound else sender
    event.provider_message_id, event.occurred_at = message_id, from_unix(item.get("timestamp"))
    return event
