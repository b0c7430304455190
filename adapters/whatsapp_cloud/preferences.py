"""Reads a user's consent to a business's marketing messages.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/user_preferences
"""

from adapters.contract import Request
from adapters.reading.facts import fact_id, text, unknown
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from adapters.whatsapp_cloud.messages import Item, customer_of, payload_of
from schemas.events import Event

PREFERENCES: dict[str, str] = {"stop": "RecipientUnsubscribed", "resume": "RecipientSubscribed"}


def preference(item: Item, value: Item, request: Request) -> Event:
    """Return the event of consent given or withdrawn. Raises Unprocessable."""
    given, category = text(item.get("value")) or "", text(item.get("category"))
    wanted = spelled(given, PREFERENCES)
    customer, others = customer_of(item.get("wa_id"), item.get("user_id"))
    type_ = PREFERENCES.get(wanted)
    if type_ is None or customer is None:
        return unknown(request, item, status=wanted or None)
    payload = payload_of(given, value, customer, others, outbound=False)
    if category:
        payload["category"] = category
    when = text(item.get("timestamp"))
    event_id = fact_id("preference", customer.value, category, wanted, when)
    time = from_unix(item.get("timestamp"))
    return Event(
        type_,
        request.source,
        event_id,
        channel="whatsapp",
        direction="inbound",
        handle=customer,
        occurred_at=time,
        payload=payload,
    )
