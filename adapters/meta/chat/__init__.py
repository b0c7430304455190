"""Reads the webhooks that Messenger and Instagram share: items of `entry[].messaging`, and changes of other fields.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events,
https://developers.facebook.com/documentation/business-messaging/instagram-messaging/webhooks. An item has no id but
that of its message.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from adapters.contract import Normalized, Request, Unprocessable
from adapters.meta.chat.items import OPTINS, About, Item, events_of, kind_of
from adapters.reading.addresses import of_kind
from adapters.reading.bodies import json_of
from adapters.reading.facts import brief, identifier, text, unknown
from adapters.reading.remainder import add_native
from adapters.reading.times import from_unix_or_millis
from schemas.events import Event

__all__ = ["OPTINS", "normalize"]

#: Who handles a chat that is reported in `standby`: …/webhook-events/standby.
ANOTHER = "another_app"
_FRAME = frozenset({"sender", "recipient", "timestamp"})
#: Keys of an entry that are no list of items: its own, and those of a change that stands in the entry itself.
_ENTRY = frozenset({"id", "time", "uid", "messaging", "standby", "changes", "field", "value", "changed_fields"})


def normalize(request: Request, platform: str) -> Normalized:
    """Return the events; `platform` is the prefix of customers' handles. Raises Unprocessable if there is no entry."""
    body = json_of(request)
    result = Normalized()
    for document in body if isinstance(body, list) else [body]:
        entries = document.get("entry") if isinstance(document, dict) else None
        if not isinstance(entries, list):
            raise Unprocessable("not a webhook of Meta: the body has no entry")
        for entry in entries:
            for item, change, standby in _items(entry):
                try:
                    if not isinstance(item, dict):
                        raise Unprocessable("an item is not an object")
                    if change:
                        result.events.append(_change(item, entry, request, platform))
                    else:
                        result.events += _message_events(item, entry, request, platform, standby)
                except Unprocessable as error:
                    result.unprocessable.append((item, str(error)))
    return result


def _items(entry: Any) -> Iterator[tuple[Any, bool, bool]]:
    """Yield each item of an entry, whether it is a change of a field, and whether another app handles the chat.

    A message may be reported as a change too, and Instagram puts a change's `field` and `value` into the entry itself.
    """
    if not isinstance(entry, dict):
        yield entry, False, False
        return
    for name in ("messaging", "standby"):
        if isinstance(items := entry.get(name), list):
            yield from ((item, False, name == "standby") for item in items)
    if not entry.keys() & {"messaging", "standby", "changes", "field"}:
        # Another list (`messaging_handovers`), or only the names of what changed (`changed_fields`).
        yield {"field": min(entry.keys() - {"id", "time"}, default=None), "value": entry}, True, False
        return
    for name in sorted(entry.keys() - _ENTRY):
        yield {"field": name, "value": entry[name]}, True, False
    changes = entry.get("changes", [entry] if "field" in entry else [])
    for change in changes if isinstance(changes, list) else [changes]:
        value = change.get("value") if isinstance(change, dict) else None
        if isinstance(value, dict) and "sender" in value and kind_of(value):
            yield value, False, change.get("field") == "standby"
        else:
            yield change, True, False


def _message_events(item: Item, entry: Item, request: Request, platform: str, standby: bool) -> list[Event]:
    """Return the events of an item. One that our account sent says so by `is_echo`, or by its sender alone (Instagram's
    deletions and reactions)."""
    kind = kind_of(item)
    part: Item = item[kind] if kind else {}
    sender, recipient = _id(item.get("sender")), _id(item.get("recipient"))
    ours = part.get("is_echo") in (True, "true") or (sender == _id(entry) and sender not in (None, recipient))
    if ours:
        sender, recipient = recipient, sender
    customer = of_kind("chat_id", f"{platform}:{sender}") if sender else None
    about = About(request, item, customer, recipient, _time(item.get("timestamp")), ours)
    if kind is None:
        if not item.keys() - _FRAME:
            raise Unprocessable("an item without content")
        return [about.kept(min(item.keys() - _FRAME))]
    found = events_of(kind, about)
    _keep_beside(found[0], item, kind)
    if standby:
        for event in found:
            event.payload["handledBy"] = ANOTHER
    return found


def _keep_beside(event: Event, item: Item, kind: str) -> None:
    """Keep what stands beside the part that names the kind (`prior_message`), and a sender's `user_ref`, which is no id."""
    if event.type == "ProviderEventReceived":  # has the whole item
        return
    beside = {key: value for key, value in item.items() if key not in _FRAME and key != kind}
    party = item.get("sender")
    if isinstance(party, dict) and (more := {key: value for key, value in party.items() if key != "id"}):
        beside["sender"] = more
    if beside:
        add_native(event.payload, beside)


def _change(item: Item, entry: Item, request: Request, platform: str) -> Event:
    """Return the unmapped event of a field's change that is no message, e.g. a comment. The entry's time is when it was
    posted, and no part of the change, so it is left out of the event's content."""
    field, value = text(item.get("field")), item.get("value")
    event = unknown(request, {"id": brief(entry.get("id")), "field": field, "value": value}, status=field)
    event.occurred_at = _time(entry.get("time"))
    # It is undocumented whether a person's id in a Page's feed is Messenger's id.
    if platform == "instagram" and isinstance(value, dict) and (sender := _id(value.get("from"))):
        event.channel, event.direction = "chat", "inbound"
        event.handle = of_kind("chat_id", f"{platform}:{sender}")
    return event


def _id(party: Any) -> str | None:
    return identifier(party.get("id")) if isinstance(party, dict) else None


def _time(value: Any) -> datetime | None:
    """Parse milliseconds or seconds, as a number or as digits."""
    return from_unix_or_millis(value)
