"""Reads one item of `messaging`, by its kind, into events.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events has a page per kind.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.meta.chat.content import content_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from schemas.events import Event, Handle

Item = dict[str, Any]

#: …/webhook-events/messaging_optins, `notification_messages_status`: a person's consent to marketing messages.
OPTINS: dict[str, str] = {
    "stop notifications": "RecipientUnsubscribed",
    "resume notifications": "RecipientSubscribed",
}


#: Keys of an opt-in that are not kept: its type, which is read, and a secret token that permits messages to the person.
_OPTIN = frozenset({"notification_messages_token", "type"})
#: Keys of a message that add nothing to what its event has.
_READ = frozenset({"mid", "seq", "is_echo"})


@dataclass(slots=True)
class About:
    """An item, the customer, our account, the time, and whether our account sent it."""

    request: Request
    item: Item
    customer: Handle | None
    ours: str | None
    at: datetime | None
    outbound: bool

    def event(self, type_: str, event_id: str, message_id: str | None, outbound: bool, details: Item) -> Event:
        """Make an event with these details; `message_id` is None if it is about no message."""
        payload = dict(details)
        if self.customer is not None:
            payload["to" if outbound else "from"] = self.customer.value
        if self.ours is not None:
            payload["from" if outbound else "to"] = self.ours
        direction = "outbound" if outbound else "inbound"
        source, customer = self.request.source, self.customer
        return Event(
            type_,
            source,
            event_id,
            channel="chat",
            direction=direction,
            provider_message_id=message_id,
            handle=customer,
            occurred_at=self.at,
            payload=payload,
        )

    def kept(self, status: str, message_id: str | None = None) -> Event:
        """Make an unmapped event of the whole item."""
        event = unknown(self.request, self.item, status=status)
        event.channel, event.handle, event.occurred_at = "chat", self.customer, self.at
        event.provider_message_id = message_id
        return event


def _message(part: Item, about: About) -> list[Event]:
    mid = identifier(part.get("mid"))
    if mid is None:
        raise Unprocessable("a message without its id")
    outbound = about.outbound
    if part.get("is_deleted") in (True, "true"):
        event_id = fact_id("deleted", mid)
        return [about.event("MessageDeleted", event_id, mid, outbound, {"providerStatus": "deleted"})]
    payload: Item = {"providerStatus": "echo" if outbound else "message"}
    if content := content_of(part):
        payload["content"] = content
    replied = part.get("reply_to")
    if isinstance(replied, dict) and (replied_to := text(replied.get("mid"))):
        payload["inReplyTo"] = replied_to
    if outbound and (reference := text(part.get("metadata"))):
        payload["reference"] = reference
    type_ = "UserMessageSent" if outbound else "MessageReceived"
    event = about.event(type_, fact_id("echo" if outbound else "message", mid), mid, outbound, payload)
    return [keep_rest(event, part, _READ)]


def _postback(part: Item, about: About) -> list[Event]:
    """Read a pressed button of a template or the menu.

    Another app's copy of the same press leaves out the payload (…/webhook-events/standby), and older versions the
    message's id, so that the sender and the time identify the press.
    """
    mid, pressed = identifier(part.get("mid")), text(part.get("payload"))
    reply = {key: value[:1024] for key, value in (("id", pressed), ("title", text(part.get("title")))) if value}
    content: Item = {"buttonReply": reply}
    if title := reply.get("title"):
        content["text"] = title
    if isinstance(referral := part.get("referral"), dict):
        content["referral"] = referral
    whose = about.customer.value if about.customer else None
    press = fact_id("press", whose, str(about.at)) if whose and about.at else mid
    event_id = fact_id("postback", press, mid, pressed)
    event = about.event("MessageReceived", event_id, press, False, {"providerStatus": "postback", "content": content})
    return [keep_rest(event, part)]


def _reaction(part: Item, about: About) -> list[Event]:
    """Read a reaction, which has no id; an empty emoji revokes it."""
    mid, action = identifier(part.get("mid")), text(part.get("action")) or "react"
    if about.outbound:  # no type of ours is a reaction that we sent
        return [about.kept("reaction", mid)]
    named = (text(part.get("emoji")) or text(part.get("reaction")) or "")[:64]
    emoji = "" if action == "unreact" else named
    gone = {"removed": named} if action == "unreact" and named else {}
    content = {"reaction": {"emoji": emoji} | ({"providerMessageId": mid} if mid else {}) | gone}
    event_id = fact_id("reaction", mid, about.customer.value if about.customer else None, emoji, str(about.at))
    payload = {"providerStatus": action[:255], "content": content}
    return [keep_rest(about.event("MessageReceived", event_id, None, False, payload), part, {"mid", "action"})]


def _edit(part: Item, about: About) -> list[Event]:
    mid, words = identifier(part.get("mid")), text(part.get("text"))
    if mid is None:
        raise Unprocessable("an edit has no message id")
    if part.get("num_edit") == 0:  # of a message that is new, which comes by itself as well
        return [about.kept("message_edit", mid)]
    payload: Item = {"providerStatus": "edit"} | ({"content": {"text": words}} if words else {})
    event_id = fact_id("edit", mid, text(part.get("num_edit")), words)
    return [about.event("MessageEdited", event_id, mid, about.outbound, payload)]


def _delivery(part: Item, about: About) -> list[Event]:
    """Read a delivery: one event per message in `mids`; without them it covers all messages up to a time, unnamed."""
    mids = part.get("mids")
    found = [mid for mid in map(identifier, mids if isinstance(mids, list) else []) if mid]
    details = {"providerStatus": "delivery"}
    return [
        about.event("MessageDelivered", fact_id("delivery", mid), mid, True, details) for mid in dict.fromkeys(found)
    ] or [about.kept("delivery")]


def _read(part: Item, about: About) -> list[Event]:
    """Read a read receipt: of the message that Instagram names, or unmapped for Messenger, which gives only a time."""
    if (mid := identifier(part.get("mid"))) is None:
        return [about.kept("read")]
    return [about.event("MessageRead", fact_id("read", mid), mid, True, {"providerStatus": "read"})]


def _optin(part: Item, about: About) -> list[Event]:
    """Read a consent to marketing messages on a topic; a plugin's opt-in stays unmapped."""
    state = text(part.get("notification_messages_status"))
    type_ = OPTINS.get(state.lower().replace("_", " ")) if state else "RecipientSubscribed"
    if part.get("type") != "notification_messages" or type_ is None or about.customer is None:
        return [about.kept("optin")]
    payload: Item = {"providerStatus": (state or "notification_messages")[:255]}
    if topic := text(part.get("title")):
        payload["list"] = topic[:255]
    event_id = fact_id("optin", about.customer.value, topic, state, str(about.at))
    return [keep_rest(about.event(type_, event_id, None, False, payload), part, _OPTIN)]


#: Readers by the key that names an item's kind; not every platform has every kind.
_KINDS: dict[str, Callable[[Item, About], list[Event]]] = {
    "message": _message,
    "postback": _postback,
    "reaction": _reaction,
    "message_edit": _edit,
    "delivery": _delivery,
    "read": _read,
    "optin": _optin,
}


#: Kinds of items that our account's own actions have too, not only people's.
_OF_BOTH = frozenset({"message", "reaction", "message_edit"})


def kind_of(item: Item) -> str | None:
    """Return the key that names an item's kind, or None if no known key is there."""
    return next((kind for kind in _KINDS if isinstance(item.get(kind), dict)), None)


def events_of(kind: str, about: About) -> list[Event]:
    """Return the events of an item of a known kind. What our account did stays unmapped, if only people do it. Raises
    Unprocessable."""
    if about.outbound and kind not in _OF_BOTH:
        return [about.kept(kind)]
    return _KINDS[kind](about.item[kind], about)
