"""Reads Mandrill's sync events about its rejection denylist:
https://mailchimp.com/developer/transactional/docs/webhooks/#sync-events."""

from typing import Any

from adapters.contract import Request
from adapters.reading.addresses import handle
from adapters.reading.facts import fact_id, text
from adapters.reading.times import from_unix
from schemas.events import Event

#: `reject.reason` of an entry of the rejection denylist that is the recipient's own wish.
#: That an entry is removed, or an address allowed, is the operator's act, and no consent.
WISHES: dict[str, str] = {"unsub": "RecipientUnsubscribed", "spam": "RecipientUnsubscribed"}


def wish_of(entry: dict[str, Any], item: dict[str, Any], request: Request) -> Event | None:
    """Return the event of a recipient who was put on the denylist for an unsubscription or a complaint; else None."""
    reason = text(entry.get("reason")) or ""
    customer = handle(entry.get("email"), "email")
    if reason not in WISHES or customer is None:
        return None
    at = text(entry.get("last_event_at")) or text(entry.get("created_at")) or text(item.get("ts"))
    return Event(
        WISHES[reason],
        request.source,
        fact_id("mandrill", "blacklist", customer.value, reason, at),
        channel="email",
        direction="inbound",
        handle=customer,
        occurred_at=from_unix(item.get("ts")),
        payload={"providerStatus": f"blacklist.{item['action']}", "from": customer.value, "category": reason},
    )
