"""Reads what Customer.io says of a person: who it is, and what the person wants. https://docs.customer.io/api/webhooks"""

from datetime import datetime
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import handle, of_kind
from adapters.reading.bodies import parse_json
from adapters.reading.facts import fact_id, text
from schemas.events import Event, Handle

#: `metric` of a person (`object_type` customer), for all channels.
PEOPLE: dict[str, str] = {"subscribed": "RecipientSubscribed", "unsubscribed": "RecipientUnsubscribed"}
#: `metric` of a person who chose topics; `content` has the choice as JSON.
PREFERENCES = "cio_subscription_preferences_changed"
_MOST_TOPICS, _MOST_CONTENT = 100, 64 << 10


def topics_of(data: dict[str, Any], event_id: str, at: datetime | None, request: Request) -> list[Event]:
    """Return an event for each topic that a person wants or does not want; none if the content is in another form."""
    person, content = person_of(data), data.get("content")
    if person is None or not isinstance(content, str) or len(content) > _MOST_CONTENT:
        return []
    try:
        document = parse_json(content.encode("utf-8", "replace"))
    except Unprocessable:
        return []
    topics = document.get("topics") if isinstance(document, dict) else None
    chosen = (
        [(name, wanted) for name, wanted in topics.items() if isinstance(wanted, bool) and name]
        if isinstance(topics, dict)
        else []
    )
    others = {"handles": handles} if (handles := others_of(data, person)) else {}
    return [
        Event(
            PEOPLE["subscribed" if wanted else "unsubscribed"],
            request.source,
            fact_id(event_id, name),
            channel="email" if person.kind == "email" else None,
            direction="inbound",
            handle=person,
            occurred_at=at,
            payload={"providerStatus": f"customer.{PREFERENCES}", "from": person.value, "list": name[:255]} | others,
        )
        for name, wanted in chosen[:_MOST_TOPICS]
    ]


def person_of(data: dict[str, Any]) -> Handle | None:
    """Return the person's handle: the id in the operator's own system, or else the e-mail address."""
    return next(iter(_known(data)), None)


def recipient_of(data: dict[str, Any], channel: str) -> Handle | None:
    """Return the customer's handle of a message: its address, or the person's own if it names none. An address that cannot
    be read, or several, may be other people's."""
    if channel in ("email", "sms", "whatsapp") and text(data.get("recipient")):
        return handle(data.get("recipient"), channel)
    return person_of(data)


def _known(data: dict[str, Any]) -> list[Handle]:
    nested = data.get("identifiers")
    identifiers = nested if isinstance(nested, dict) else {}
    own = of_kind("user_id", text(identifiers.get("id")) or text(data.get("customer_id")))
    email = handle(text(identifiers.get("email")) or text(data.get("email_address")), "email")
    return [found for found in (own, email) if found is not None]


def others_of(data: dict[str, Any], customer: Handle | None) -> list[dict[str, str]]:
    """Return the same person's other handles."""
    mails = [one for one in _known(data) if one.kind == "email"]
    if customer is not None and customer.kind == "email" and mails and customer not in mails:
        return []
    return [{"kind": one.kind, "value": one.value} for one in _known(data) if one != customer]
