"""What an event says of whose its handles are: providers and services state several handles of one person. Pure.

The one place where `payload.handles` becomes `HandleLinked` events, for all adapters.
"""

from collections.abc import Iterable
from typing import Any

from adapters.reading.facts import fact_id
from schemas.events import Event, Handle
from schemas.handles import handle_as
from schemas.numbering import canonical

LINKED = "HandleLinked"
#: The evidence of a link: one event stated both handles. The event's webhook is that of the link.
EVIDENCE = "provider_states_both"
#: Handles of one event that are linked, at most: a person has not more in one webhook.
MOST = 16
#: Kinds that many people have in common by their nature.
_COMMON = frozenset({"short_code", "alphanumeric", "other"})
#: What programs send in place of the id of a user whom they do not know; compared in lower case. Linked, they would make
#: one customer of all of them.
_NOBODY = frozenset(
    {
        "", "0", "-1", "anonymous", "anon", "default", "distinct_id", "email", "false", "guest", "id", "nan", "nil", "nobody",
        "none", "not_authenticated", "null", "test", "true", "undefined", "unknown", "user", "user_id", "[object object]",
        "00000000-0000-0000-0000-000000000000",
    }
)  # fmt: skip


def linked(event: Event) -> list[Event]:
    """Return the links that an event states: of its handle, or else of the first other one, with each of the others in
    `payload.handles`.

    A link's id is made of the two handles, so that a second statement of it by the same source is a repetition, whichever
    event makes it. Nothing follows for handles that several people may have.
    """
    stated = event.payload.get("handles")
    if not isinstance(stated, list) or not stated or event.type == LINKED:
        return []
    found: list[Handle] = []
    for handle in ([event.handle] if event.handle is not None else []) + list(_handles(stated[:MOST])):
        one = canonical(handle)
        if _of_one_person(one) and one not in found:
            found.append(one)
    return [_link(event, found[0], other) for other in found[1:]]


def links_of(events: Iterable[Event]) -> list[Event]:
    """Return the links that the events of one record state, each once."""
    return list({link.source_event_id: link for event in events for link in linked(event)}.values())


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


def _of_one_person(handle: Handle) -> bool:
    if handle.kind == "user_id":
        return handle.value.strip().lower() not in _NOBODY
    return handle.kind not in _COMMON


def _link(event: Event, one: Handle, other: Handle) -> Event:
    """Return the event of a link. It has no time of its own: only that way a repetition is the same."""
    first, second = sorted((one, other), key=lambda handle: (handle.kind, handle.value))
    return Event(
        LINKED,
        event.source,
        fact_id("linked", first.kind, first.value, second.kind, second.value),
        handle=first,
        payload={
            "handles": [{"kind": handle.kind, "value": handle.value} for handle in (first, second)],
            "evidence": EVIDENCE,
        },
    )
