"""Reads the status of a WhatsApp message.

https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/reference/messages/status
"""

from adapters.contract import Request
from adapters.reading.facts import fact_id, text, unknown
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from adapters.whatsapp_cloud.details import keep_details
from adapters.whatsapp_cloud.errors import error_of
from adapters.whatsapp_cloud.groups import recipient_of, word_of
from adapters.whatsapp_cloud.messages import Item, customer_of, payload_of, required_id
from schemas.events import Event

#: `deleted`: the user deleted the message, which does not change its delivery.
STATUSES: dict[str, str] = {
    "sent": "UserMessageSent",
    "delivered": "MessageDelivered",
    "read": "MessageRead",
    "played": "MessageRead",
    "failed": "MessageFailed",
    "deleted": "ProviderEventReceived",
}


def status(item: Item, value: Item, request: Request) -> Event:
    """Return the event of an outbound message's status. Raises Unprocessable."""
    given = word_of(item)
    word = spelled(given, STATUSES)
    type_ = STATUSES.get(word, "ProviderEventReceived")
    message_id = required_id(item)
    recipient, user_id, group = recipient_of(item)
    customer, others = customer_of(recipient, user_id)
    payload = payload_of(given, value, customer, others, outbound=True)
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    if group:
        payload["groupId"] = group
    if reference := text(item.get("biz_opaque_callback_data")):
        payload["reference"] = reference[:1024]
    if isinstance(pricing := item.get("pricing"), dict) and (category := text(pricing.get("category"))):
        payload["pricingCategory"] = category[:255]
    whose = text(recipient) or text(user_id) or group
    event = Event(
        type_,
        request.source,
        fact_id("status", message_id, word, whose, text(item.get("timestamp"))),
        channel="whatsapp",
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        per_recipient=group is not None and customer is not None,
        occurred_at=from_unix(item.get("timestamp")),
        error=error_of(item.get("errors")) if type_ == "MessageFailed" else None,
        payload=payload,
    )
    return keep_details(event, item)
