"""What an event says of whose its handles are: providers and services state several handles of one person. Pure.

The one place where `payload.handles` becomes `HandleLinked` events, for all adapters.
"""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, Literal

from adapters.reading.facts import fact_id
from app.placeholders import is_one_persons
from schemas.event_data import OURS
from schemas.events import Event, Handle
from schemas.handles import handle_as
from schemas.numbering import canonical

LINKED = "HandleLinked"
#: Who stated both handles of a link in one event: a provider, or a service (`client_api`). Its webhook, if any, is that of the link.
Stated = Literal["provider_states_both", "client_api"]
#: The evidence where a provider calls the address that we sent to by another spelling of it.
SAME = "same_handle"
#: Handles of one event that are linked, at most: a person has not more in one webhook.
MOST = 16


def linked(event: Event, by: Stated = "provider_states_both") -> list[Event]:
    """Return the links that an event states: of its handle, or else of the first other one, with each of the others in
    `payload.handles`. `by`: their evidence.

    A link's id is made of the two handles, so that a second statement of it by the same source is a repetition, whichever
    event makes it. Nothing follows for handles that several people may have, nor for our own address (`to` of an inbound
    message, `from` of an outbound one). WhatsApp user ids of one event are linked with each other, too: these tell a user whose
    id changed from another user who got the number.
    """
    stated = event.payload.get("handles")
    if not isinstance(stated, list) or not stated or event.type == LINKED:
        return []
    found: list[Handle] = []
    ours = event.payload.get({"inbound": "to", "outbound": "from"}.get(event.direction or "", ""))
    for handle in ([event.handle] if event.handle is not None else []) + list(_handles(stated[:MOST])):
        one = canonical(handle)
        if is_one_persons(one) and ours not in (one.value, handle.value) and one not in found:
            found.append(one)
    users = [one for one in found[1:] if one.kind == "whatsapp_user_id"]
    among = pairwise(users) if found and found[0].kind != "whatsapp_user_id" else ()
    return [_link(event, found[0], other, by) for other in found[1:]] + [_link(event, *pair, by) for pair in among]


def links_of(events: Iterable[Event], by: Stated = "provider_states_both") -> list[Event]:
    """Return the links that the events of one record state, each once. `by`: their evidence."""
    stating = [event for event in events if "handles" in event.payload]  # few do
    return (
        list({link.source_event_id: link for event in stating for link in linked(event, by)}.values())
        if stating
        else []
    )


def _handles(stated: Iterable[Any]) -> Iterable[Handle]:
    for one in stated:
        if (
            isinstance(one, dict)
            and isinstance(kind := one.get("kind"), str)
            and isinstance(value := one.get("value"), str)
        ):
            try:
                yield handle_as(kind, value)
            except ValueError:
                continue


def _link(event: Event, one: Handle, other: Handle, by: Stated) -> Event:
    """Return the event of a link. It has no time of its own: only that way a repetition is the same."""
    # Our own event has handles from a provider's answer to a send.
    evidence = SAME if event.source == OURS and one.kind == other.kind else by
    first, second = sorted((one, other), key=lambda handle: (handle.kind, handle.value))
    return Event(
        LINKED,
        event.source,
        fact_id("linked", first.kind, first.value, second.kind, second.value),
        handle=first,
        payload={
            "handles": [{"kind": handle.kind, "value": handle.value} for handle in (first, second)],
            "evidence": {"kind": evidence},
        },
    )
