"""Reads what Brevo's marketing webhooks say of a person's consent: https://developers.brevo.com/docs/marketing-webhooks.

Its `ts` and `date` are of the account's or Brevo's own time zone, so that only `ts_event` is read.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from adapters.contract import Request
from adapters.reading.addresses import phone
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.facts import fact_id, text, unknown
from adapters.reading.shapes import list_of
from schemas.events import Event, Handle

#: `event` about contacts. A list's addition is the operator's act, and no consent of the contact's.
CONTACT_WORDS = ("contact_updated", "contact_deleted", "list_addition")
#: Lists that one event names, at most.
_MOST = 100


def of_lists(event: Event, lists: Any) -> Iterator[Event]:
    """Yield an unsubscription from campaigns, by which Brevo blocklists the contact, and one for each list that it names."""
    yield event
    for name in [name for one in list_of(lists)[:_MOST] if (name := text(one))]:
        payload = event.payload | {"list": name[:255]}
        yield replace(event, source_event_id=fact_id(event.source_event_id, name), payload=payload)


def of_contact(item: dict[str, Any], word: str, request: Request) -> Iterator[Event]:
    """Yield one event per contact that was blocklisted, by e-mail or by SMS; else an unknown event. That a contact is not
    blocklisted is no consent: the item of any other change may say so."""
    found: list[Event] = []
    for content in list_of(item.get("content")) if word == "contact_updated" else ():
        if not isinstance(content, dict):
            continue
        for handle, address in recipients_of(content.get("email") or item.get("email"))[:1]:
            if content.get("emailBlacklist") is True:
                found.append(_blocklisted("email", handle, address, item, request))
        number = phone(text(content.get("SMS")))
        if content.get("smsBlacklist") is True and number is not None:
            found.append(_blocklisted("sms", number, number.value, item, request))
    yield from found
    if not found:
        event = unknown(request, item, status=word)
        recipients = recipients_of(item.get("email"))
        event.handle = recipients[0][0] if len(recipients) == 1 else None
        yield event


def _blocklisted(channel: str, handle: Handle | None, address: str, item: dict[str, Any], request: Request) -> Event:
    stamp = text(item.get("ts_event")) or text(item.get("ts")) or text(item.get("date"))
    return Event(
        "RecipientUnsubscribed",
        request.source,
        fact_id("brevo", "contact_updated", channel, address, stamp),
        channel=channel,
        direction="inbound",
        handle=handle,
        payload={"providerStatus": "contact_updated", "from": address},
    )
