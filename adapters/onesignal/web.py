"""Reads OneSignal's web push webhooks: a recipient's browser posts events of a notification, without a time or an id.

https://documentation.onesignal.com/docs/webhooks; the fields of earlier editions (`id`, `userId`, `data`, `action`)
are read too. Anyone can post such events, as every visitor of the site can see the URL.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import of_kind
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.own_ids import NAME, own_id
from schemas.events import Event

Item = dict[str, Any]

WEB_EVENTS: dict[str, str] = {
    "notification.willDisplay": "MessageDelivered",
    "notification.displayed": "MessageDelivered",
    "notification.clicked": "MessageClicked",
    # By the user, or automatically after some time.
    "notification.dismissed": "ProviderEventReceived",
}


def is_web(request: Request) -> bool:
    """Return whether a request is a web push webhook, by the header of `cors: true` or by its body."""
    if "x-onesignal-event" in request.headers:
        return True
    body = request.body
    return body.startswith(b'{"event":"notification.') and (b'"notificationId":' in body or b'"userId":' in body)


def event(body: Item, request: Request) -> Event:
    """Return the event. Raises Unprocessable."""
    word = text(body.get("event")) or text(request.headers.get("x-onesignal-event")) or ""
    notification = identifier(body.get("notificationId") or body.get("id"))
    if notification is None or not word:
        raise Unprocessable("a web push webhook without a notification or an event")
    subscription = identifier(body.get("subscriptionId") or body.get("userId"))
    type_ = WEB_EVENTS.get(word, "ProviderEventReceived")
    customer = of_kind("device_token", subscription)
    data = body.get("additionalData") or body.get("data")
    ours = own_id(data.get(NAME)) if isinstance(data, dict) else None
    if subscription is None and ours is None:
        # `cors: false` names no subscription: as a message it would be one of all who got the notification.
        type_ = "ProviderEventReceived"
    payload: Item = {"providerStatus": word[:255]}
    if customer is not None:
        payload["to"] = customer.value
    action = text(body.get("actionId")) or text(body.get("action"))
    if type_ == "MessageClicked":
        if url := text(body.get("url")):
            payload["url"] = url
        if action:
            payload["action"] = action
    elif type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, body).payload["native"]
    # As in a stream: a notification without our id may have gone to many people.
    message_id = notification if ours else f"{notification}:{subscription}" if subscription else None
    event_id = fact_id("onesignal", word, notification, subscription, action)
    return Event(
        type_,
        request.source,
        event_id,
        channel="push",
        direction="outbound",
        provider_message_id=message_id,
        echoed_message_id=ours,
        handle=customer,
        payload=payload,
    )
