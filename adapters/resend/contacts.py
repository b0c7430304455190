"""Reads Resend's events about contacts and their consent, suppressions, domains and inboxes.

https://resend.com/docs/webhooks/contacts/updated and its neighbours.
"""

from typing import Any, Literal

from adapters.contract import Request
from adapters.reading.addresses import handle
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.mime import mailbox_of
from adapters.reading.shapes import object_of
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from adapters.resend.errors import named_in
from schemas.events import Event

#: https://resend.com/docs/webhooks/contacts/topics-updated
SUBSCRIPTIONS: dict[str, str] = {"opt_in": "RecipientSubscribed", "opt_out": "RecipientUnsubscribed"}
#: `direction` of an inbox's mail.
DIRECTIONS: dict[str, Literal["inbound", "outbound"]] = {"inbound": "inbound", "outbound": "outbound"}
#: `type` of the events that may have a wish of the contact.
CONTACTS = ("contact.topics.updated", "contact.created", "contact.updated", "suppression.added")
#: Maximum items of a list that are read.
MOST = 100


def events(
    word: str, body: dict[str, Any], data: dict[str, Any], request: Request, event_id: str | None
) -> list[Event]:
    """Return one event per topic, or one event. Raises Unprocessable."""
    customer, time = handle(data.get("email"), "email"), from_text(body.get("created_at"))
    topics = data.get("topics")
    found: list[Event] = []
    for topic in topics[:MOST] if word == "contact.topics.updated" and isinstance(topics, list) else []:
        type_ = (
            SUBSCRIPTIONS.get(spelled(text(topic.get("subscription")), SUBSCRIPTIONS))
            if isinstance(topic, dict)
            else None
        )
        if type_ is not None and customer is not None and (name := text(topic.get("id"))):
            payload = {"providerStatus": word, "from": customer.value, "list": name[:255]}
            id_ = fact_id("resend", event_id or text(body.get("created_at")), customer.value, name, type_)
            found.append(
                Event(
                    type_,
                    request.source,
                    id_,
                    channel="email",
                    direction="inbound",
                    handle=customer,
                    occurred_at=time,
                    payload=payload,
                )
            )
    if found and len(found) == len(topics or ()):
        return found
    if customer is not None and (category := _opted_out_of(word, data)) is not None:
        id_ = event_id or fact_id("resend", text(data.get("id")), word, text(body.get("created_at")))
        payload = {"providerStatus": word, "from": customer.value} | ({"category": category} if category else {})
        return [
            Event(
                "RecipientUnsubscribed",
                request.source,
                id_,
                channel="email",
                direction="inbound",
                handle=customer,
                occurred_at=time,
                payload=payload,
            )
        ]
    event = unknown(request, body, status=word or None, event_id=event_id)
    event.occurred_at, event.handle = time, customer
    if (email_id := identifier(data.get("email_id"))) is not None:
        event.channel, event.direction, event.provider_message_id = "email", "outbound", email_id
        if word.startswith("inbox."):
            _of_inbox(event, data)
            return [*found, event]
        # Elsewhere `to` need not be an address.
        recipients = recipients_of(data.get("to")) if word.startswith("email.") else []
        if len(recipients) > 1:
            recipients = named_in(data, recipients[:MOST])
        if event.handle is None and recipients:
            event.handle = recipients[0][0]
    return [*found, event]


def _of_inbox(event: Event, data: dict[str, Any]) -> None:
    """Give an inbox's event the direction and the other side of its mail, if it has the mail: `to` of a thread that was
    moved is a folder."""
    mail = object_of(data.get("email"))
    event.direction = DIRECTIONS.get(text(mail.get("direction")) or "")
    if event.direction == "inbound":
        event.handle = handle(mailbox_of(text(mail.get("from")) or "")[1], "email")
    elif event.direction == "outbound" and len(recipients := recipients_of(mail.get("to"))) == 1:
        event.handle = recipients[0][0]


def _opted_out_of(word: str, data: dict[str, Any]) -> str | None:
    """Return the kind of messages that an event says the contact does not want, empty for all; None if it says no such
    thing. A suppression for a bounce or by hand is no wish of the recipient's."""
    if word in ("contact.created", "contact.updated") and data.get("unsubscribed") is True:
        return "broadcasts and automations"
    return "" if word == "suppression.added" and data.get("origin") == "complaint" else None
