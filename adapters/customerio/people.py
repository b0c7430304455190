"""Reads what Customer.io says of a person: who it is, and what the person wants. https://docs.customer.io/api/webhooks"""

from datetime import datetime
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import handle, of_kind
from adapters.reading.bodies import parse_json
from adapters.reading.facts import fact_id, text
from adapters.reading.remainder import keep_rest
from schemas.events import Event, Handle

#: `metric` of a person, for all channels, whatever message made the person choose so.
PEOPLE: dict[str, str] = {"subscribed": "RecipientSubscribed", "unsubscribed": "RecipientUnsubscribed"}
#: `metric` of a person who chose topics or channels; `content` has the choice as JSON.
PREFERENCES = "cio_subscription_preferences_changed"
#: Channels by their name in `channels`. An in-app message is none: who wants none may want pushes still.
_CHANNELS = frozenset({"email", "sms", "whatsapp", "push"})
_MOST_CHOICES, _MOST_CONTENT = 100, 64 << 10


def person_event(
    metric: str, data: dict[str, Any], event_id: str, at: datetime | None, status: str, request: Request
) -> Event | None:
    """Return the event of a person who wants all messages or none; None if the webhook names nobody."""
    person = person_of(data)
    if person is None:
        return None
    channel = "email" if person.kind == "email" else None
    event = _choice(metric == "subscribed", person, channel, data, status, request)
    event.source_event_id, event.occurred_at = event_id, at
    return keep_rest(event, data)


def choices_of(data: dict[str, Any], event_id: str, at: datetime | None, status: str, request: Request) -> list[Event]:
    """Return an event for each topic and each channel that a person wants or does not want; none if the content is missing
    (it comes with Body Content alone) or in another form."""
    own, content = person_of(data), data.get("content")
    if own is None or not isinstance(content, str) or len(content) > _MOST_CONTENT:
        return []
    try:
        document = parse_json(content.encode("utf-8", "replace"))
    except Unprocessable:
        return []
    if not isinstance(document, dict):
        return []
    events: list[Event] = []
    for part in ("topics", "channels"):
        chosen = document.get(part)
        if not isinstance(chosen, dict):
            continue
        read: set[str] = set()
        for name, wanted in chosen.items():
            topic = part == "topics"
            if not isinstance(wanted, bool) or not name or not (topic or name in _CHANNELS):
                continue
            if len(read) == _MOST_CHOICES:
                break
            read.add(name)
            person = own if topic else _known_by(name, data) or own
            channel = name if not topic else "email" if person.kind == "email" else None
            event = _choice(wanted, person, channel, data, status, request)
            event.source_event_id = fact_id(event_id, name) if topic else fact_id(event_id, part, name)
            event.occurred_at = at
            if topic:
                event.payload["list"] = name[:255]
            events.append(event)
        # `false` as text: it is a choice, and no empty value.
        left = {name: "false" if one is False else one for name, one in chosen.items() if name not in read}
        document = {key: value for key, value in document.items() if key != part} | ({part: left} if left else {})
    if events:  # what concerns all choices is kept once
        keep_rest(events[0], data | {"content": document})
    return events


def _choice(
    wanted: bool, person: Handle, channel: str | None, data: dict[str, Any], status: str, request: Request
) -> Event:
    payload: dict[str, Any] = {"providerStatus": status, "from": person.value}
    if others := others_of(data, person):
        payload["handles"] = others
    return Event(
        PEOPLE["subscribed" if wanted else "unsubscribed"],
        request.source,
        "",
        channel=channel,
        direction="inbound",
        handle=person,
        payload=payload,
    )


def person_of(data: dict[str, Any]) -> Handle | None:
    """Return the person's handle: the id in the operator's own system, or else the e-mail address."""
    return next(iter(_known(data)), None)


def recipient_of(data: dict[str, Any], channel: str) -> Handle | None:
    """Return the customer's handle of a message: its address, or the person's own if it names none. An address that cannot
    be read, or several, may be other people's. A mail that was not sent yet (`attempted`, `failed`) has no address, and is
    the same person's as when it is sent: the e-mail address comes before the id."""
    if channel in ("email", "sms", "whatsapp") and text(data.get("recipient")):
        return handle(data.get("recipient"), channel)
    return _known_by(channel, data) or person_of(data)


def _known_by(channel: str, data: dict[str, Any]) -> Handle | None:
    """Return the person's address on a channel, of which the webhook knows that of email alone."""
    return next((one for one in _known(data) if one.kind == channel), None)


def _known(data: dict[str, Any]) -> list[Handle]:
    nested = data.get("identifiers")
    # `customer_id` is deprecated, and holds an id of Customer.io's own where `identifiers` has none.
    identifiers = nested if isinstance(nested, dict) and nested else {"id": data.get("customer_id")}
    own = of_kind("user_id", text(identifiers.get("id")))
    email = handle(text(identifiers.get("email")) or text(data.get("email_address")), "email")
    return [found for found in (own, email) if found is not None]


def others_of(data: dict[str, Any], customer: Handle | None) -> list[dict[str, str]]:
    """Return the same person's other handles."""
    mails = [one for one in _known(data) if one.kind == "email"]
    if customer is not None and customer.kind == "email" and mails and customer not in mails:
        return []
    return [{"kind": one.kind, "value": one.value} for one in _known(data) if one != customer]
