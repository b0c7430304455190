"""Reads what Customer.io says of a message: its states, by channel, and the replies. https://docs.customer.io/api/webhooks"""

from datetime import datetime
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.customerio.people import others_of, recipient_of
from adapters.reading.addresses import of_kind, written
from adapters.reading.facts import fact_id, identifier, text
from adapters.reading.remainder import keep_rest
from adapters.reading.smtp_codes import code_of, reason_of
from schemas.events import Error, Event, Handle

Item = dict[str, Any]

#: …/api/webhooks: `object_type` of messages, with our channel; `webhook` is a request to a server and no message.
OBJECTS: dict[str, str] = {
    "email": "email",
    "sms": "sms",
    "whatsapp": "whatsapp",
    "push": "push",
    "in_app": "push",
    "slack": "chat",
}
#: …/api/webhooks: `metric` of a message. `attempted`: the provider did not take it, to be retried; `dropped`, `undeliverable`:
#: never sent; `failed`: could not be sent.
METRICS: dict[str, str] = {
    "drafted": "ProviderEventReceived",
    "attempted": "MessageDelayed",
    "sent": "UserMessageSent",
    "delivered": "MessageDelivered",
    "opened": "MessageOpened",
    "clicked": "MessageClicked",
    "converted": "ProviderEventReceived",
    "deferred": "MessageDelayed",
    "bounced": "MessageBounced",
    "dropped": "MessageRejected",
    "undeliverable": "MessageRejected",
    "failed": "MessageFailed",
    "spammed": "MessageComplained",
    "unsubscribed": "RecipientUnsubscribed",
    "replied": "MessageReceived",
}
#: Metrics that mean something else on one channel: WhatsApp's `opened` is its mark that the person read it.
OF_CHANNEL: dict[tuple[str, str], str] = {("whatsapp", "opened"): "MessageRead"}
_FAILURES = frozenset({"MessageDelayed", "MessageBounced", "MessageRejected", "MessageFailed"})
#: Marks of an open or a click that a program made.
_MACHINE = ("machine_open", "prefetched", "machine")
#: Keys whose value the event's type or `machineOpen` says.
_READ = frozenset(_MACHINE)
_MOST_DEVICES = 100


def type_of(kind: str, metric: str) -> str:
    """Return the type of a message's event, `ProviderEventReceived` for what is no message or a metric unknown."""
    if kind not in OBJECTS:
        return "ProviderEventReceived"
    return OF_CHANNEL.get((kind, metric)) or METRICS.get(metric, "ProviderEventReceived")


def messages_of(
    kind: str, metric: str, data: Item, event_id: str, at: datetime | None, status: str, request: Request
) -> list[Event]:
    """Return the event of a message, or one for each device of a push. Raises Unprocessable."""
    delivery, type_ = identifier(data.get("delivery_id")), type_of(kind, metric)
    if type_ == "MessageReceived":
        return [_reply(kind, data, event_id, delivery, at, status, request)]
    if delivery is None:
        raise Unprocessable("an event has no delivery_id")
    devices = data.get("recipients")
    if kind != "push" or not isinstance(devices, list) or not devices:
        customer = recipient_of(data, OBJECTS[kind])
        event = _message(type_, kind, metric, data, customer, data, status, request)
        event.source_event_id, event.provider_message_id, event.occurred_at = event_id, delivery, at
        return [keep_rest(event, data, read=_READ)]
    events: list[Event] = []
    shared = {key: value for key, value in data.items() if key != "recipients"}
    for device in [one for one in devices[:_MOST_DEVICES] if isinstance(one, dict)]:
        # A push is `sent` if one device of several took it; those that did not say why.
        failed = type_ == "UserMessageSent" and text(device.get("failure_message"))
        token = text(device.get("device_id"))
        customer = of_kind("device_token", token)
        event = _message("MessageFailed" if failed else type_, kind, metric, data, customer, device, status, request)
        event.source_event_id, event.provider_message_id, event.occurred_at = fact_id(event_id, token), delivery, at
        # What concerns all devices is kept once.
        events.append(keep_rest(event, device if events else shared | {"device": device}, read=_READ))
    return events


def _message(
    type_: str,
    kind: str,
    metric: str,
    data: Item,
    customer: Handle | None,
    failed: Item,
    status: str,
    request: Request,
) -> Event:
    """Return a message's event, without its ids. `failed` holds the failure's text: the device of a push, else `data`."""
    payload: Item = {"providerStatus": status}
    if to := (customer.value if customer else text(data.get("recipient"))):
        payload["to"] = to[:2048]
    if customer is not None and (others := others_of(data, customer)):
        payload["handles"] = others
    if metric == "clicked":
        if (url := text(data.get("href"))) and len(url) <= 8192:
            payload["url"] = url
        if action := text(data.get("tracked_response")):  # the name of an in-app message's button
            payload["action"] = action[:2048]
    if any([data.get(name) is True for name in _MACHINE]):
        payload["machineOpen"] = True
    if type_ == "UserMessageSent" and (content := _content(kind, data)):
        payload["content"] = content
    error = None
    if type_ in _FAILURES:
        words = text(failed.get("failure_message")) or text(data.get("failure_message"))
        code = code_of(None, words) if kind == "email" else None
        error = Error(code, words, reason_of(code))
    return Event(
        type_,
        request.source,
        "",
        channel=OBJECTS[kind],
        direction="outbound",
        handle=customer,
        error=error,
        payload=payload,
    )


def _content(kind: str, data: Item) -> Item:
    """Return what was sent, where the option Body Content is on. That of a push is the gateways' JSON, no text."""
    content: Item = {"subject": words} if (words := text(data.get("subject"))) else {}
    if kind != "push" and (body := text(data.get("content"))):
        content["html" if kind == "email" else "text"] = body
    return content


def _reply(
    kind: str, data: Item, event_id: str, delivery: str | None, at: datetime | None, status: str, request: Request
) -> Event:
    """Return a person's answer to a message, whose text the webhook does not have. `recipient` is the person, `to` our
    number."""
    channel = OBJECTS[kind]
    customer = recipient_of(data, channel)
    payload: Item = {"providerStatus": status}
    sender, to = written(data.get("recipient"), channel), written(data.get("to"), channel)
    given = (("from", sender or (customer and customer.value)), ("to", to), ("inReplyTo", delivery))
    payload |= {key: value for key, value in given if value}
    if customer is not None and (others := others_of(data, customer)):
        payload["handles"] = others
    event = Event(
        "MessageReceived",
        request.source,
        event_id,
        channel=channel,
        direction="inbound",
        provider_message_id=identifier(data.get("inbound_event_id")) or event_id,
        handle=customer,
        occurred_at=at,
        payload=payload,
    )
    return keep_rest(event, data)
