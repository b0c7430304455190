"""One item of `messaging` by its kind, as its events.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/webhooks/webhook-events, a page a kind.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.meta.chat.content import content_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from schemas.events import Event, Handle

Item = dict[str, Any]

#: …/webhook-events/messaging_optins, `notification_messages_status`: what a person wants of marketing messages.
OPTINS: dict[str, str] = {
    "stop notifications": "RecipientUnsubscribed",
    "resume notifications": "RecipientSubscribed",
}


@dataclass(slots=True)
class About:
    """One item, whose it is, and when it happened."""

    request: Request
    item: Item
    customer: Handle | None
    ours: str | None
    at: datetime | None

    def event(self, type_: str, event_id: str, message_id: str | None, outbound: bool, said: Item) -> Event:
        """The event, of a message or of none."""
        payload = dict(said)
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
        """What is no event of ours, whole."""
        event = unknown(self.request, self.item, status=status)
        event.channel, event.handle, event.occurred_at = "chat", self.customer, self.at
        event.provider_message_id = message_id
        return event


def _message(part: Item, about: About) -> list[Event]:
    mid = identifier(part.get("mid"))
    if mid is None:
        raise Unprocessable("a message without its id")
    if part.get("is_deleted") in (True, "true"):
        return [about.kept("deleted", mid)]
    outbound = part.get("is_echo") in (True, "true")
    payload: Item = {"providerStatus": "echo" if outbound else "message"}
    if content := content_of(part):
        payload["content"] = content
    replied = part.get("reply_to")
    if isinstance(replied, dict) and (replied_to := text(replied.get("mid"))):
        payload["inReplyTo"] = replied_to
    if outbound and (reference := text(part.get("metadata"))):
        payload["reference"] = reference
    type_ = "UserMessageSent" if outbound else "MessageReceived"
    return [about.event(type_, fact_id("echo" if outbound else "message", mid), mid, outbound, payload)]


def _postback(part: Item, about: About) -> list[Event]:
    """A button of a template or of the menu was pressed; its message's id is there since version 11."""
    mid, pressed = identifier(part.get("mid")), text(part.get("payload"))
    reply = {key: value[:1024] for key, value in (("id", pressed), ("title", text(part.get("title")))) if value}
    content: Item = {"buttonReply": reply}
    if title := reply.get("title"):
        content["text"] = title
    if isinstance(referral := part.get("referral"), dict):
        content["referral"] = referral
    whose = about.customer.value if about.customer else None
    event_id = fact_id("postback", mid) if mid else fact_id("postback", whose, pressed, str(about.at))
    return [about.event("MessageReceived", event_id, mid, False, {"providerStatus": "postback", "content": content})]


def _reaction(part: Item, about: About) -> list[Event]:
    """It has no id of its own; an empty emoji takes it back."""
    mid, action = identifier(part.get("mid")), text(part.get("action")) or "react"
    emoji = "" if action == "unreact" else (text(part.get("emoji")) or text(part.get("reaction")) or "")[:64]
    content = {"reaction": {"emoji": emoji} | ({"providerMessageId": mid} if mid else {})}
    event_id = fact_id("reaction", mid, about.customer.value if about.customer else None, emoji, str(about.at))
    return [about.event("MessageReceived", event_id, None, False, {"providerStatus": action[:255], "content": content})]


def _edit(part: Item, about: About) -> list[Event]:
    mid, said = identifier(part.get("mid")), text(part.get("text"))
    if mid is None:
        raise Unprocessable("an edit of no message")
    payload: Item = {"providerStatus": "edit", "edits": mid} | ({"content": {"text": said}} if said else {})
    return [
        about.event("MessageReceived", fact_id("edit", mid, text(part.get("num_edit")), said), None, False, payload)
    ]


def _delivery(part: Item, about: About) -> list[Event]:
    """By message where `mids` is there; else up to a time, of which messages is not said."""
    mids = part.get("mids")
    found = [mid for mid in map(identifier, mids if isinstance(mids, list) else []) if mid]
    said = {"providerStatus": "delivery"}
    return [
        about.event("MessageDelivered", fact_id("delivery", mid), mid, True, said) for mid in dict.fromkeys(found)
    ] or [about.kept("delivery")]


def _read(part: Item, about: About) -> list[Event]:
    """Instagram names the message; Messenger a time up to which all were read, which is no one message's event."""
    if (mid := identifier(part.get("mid"))) is None:
        return [about.kept("read")]
    return [about.event("MessageRead", fact_id("read", mid), mid, True, {"providerStatus": "read"})]


def _optin(part: Item, about: About) -> list[Event]:
    """Consent to marketing messages on a topic; of a plugin's opt-in only that it was."""
    said = text(part.get("notification_messages_status"))
    type_ = OPTINS.get(said.lower().replace("_", " ")) if said else "RecipientSubscribed"
    if part.get("type") != "notification_messages" or type_ is None or about.customer is None:
        return [about.kept("optin")]
    payload: Item = {"providerStatus": (said or "notification_messages")[:255]}
    if topic := text(part.get("title")):
        payload["list"] = topic[:255]
    event_id = fact_id("optin", about.customer.value, topic, said, str(about.at))
    return [about.event(type_, event_id, None, False, payload)]


#: By the key of an item that says what it is; not each platform tells each.
_KINDS: dict[str, Callable[[Item, About], list[Event]]] = {
    "message": _message,
    "postback": _postback,
    "reaction": _reaction,
    "message_edit": _edit,
    "delivery": _delivery,
    "read": _read,
    "optin": _optin,
}


def kind_of(item: Item) -> str | None:
    """The key of an item that says what it is; None where it is none that is known."""
    return next((kind for kind in _KINDS if isinstance(item.get(kind), dict)), None)


def events_of(kind: str, about: About) -> list[Event]:
    """The events of an item of a known kind. Raises Unprocessable."""
    return _KINDS[kind](about.item[kind], about)
