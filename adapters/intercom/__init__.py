"""Reads Intercom's webhooks: one notification per request, about a conversation or contact of a workspace.

https://developers.intercom.com/docs/webhooks (signature, the HEAD request that tests the URL),
https://developers.intercom.com/docs/webhooks/webhook-notifications (retries),
https://developers.intercom.com/docs/references/webhooks/webhook-models (topics). A message's id is
`<conversation>:<part>`; a conversation's first message is its `source`, the others are its parts. A contact's handle is
the e-mail address if the conversation came by mail and has one, else `intercom:<contact id>`.
"""

from typing import Any

from adapters.contract import Adapter, InvalidSignature, Normalized, Request, Setting, Unprocessable, Values, secrets_of
from adapters.intercom.content import contact_of, content_of, customer_of
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_unix
from adapters.signing.signatures import header, signs
from schemas.events import Event

#: …/webhook-models: topics about new messages of a conversation, or about a contact's subscription to mail.
TOPICS: dict[str, str] = {
    "conversation.user.created": "MessageReceived",
    "conversation.user.replied": "MessageReceived",
    "conversation.admin.replied": "UserMessageSent",
    "conversation.admin.single.created": "UserMessageSent",
    "conversation_part.redacted": "MessageDeleted",
    "contact.unsubscribed": "RecipientUnsubscribed",
    "contact.subscribed": "RecipientSubscribed",
}
#: Our channel by a conversation's `source.type`; all others are chats.
SOURCES: dict[str, str] = {"email": "email", "sms": "sms", "whatsapp": "whatsapp"}
#: The types of an author who is a contact.
_CONTACTS = frozenset({"user", "lead", "contact"})
#: What an event's id begins with, where a message has several events.
_ABOUT = {"MessageDeleted": ("redacted",)}
_SIGNATURE = "x-hub-signature"

#: Keys of a message that say nothing beside what its event has: its writer has a handle and a name.
_READ = frozenset({"type", "id", "author", "created_at", "updated_at", "notified_at"})

Item = dict[str, Any]


def recognise(request: Request) -> bool:
    """Recognise a webhook by its body's keys, as Meta and GitHub have the same signature header."""
    body = request.body
    return b'"notification_event"' in body and b'"topic"' in body and b'"app_id"' in body


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA1 of the body with the client secret. No time is signed, so `fresh` has no effect. Raises
    InvalidSignature."""
    secrets = secrets_of(values, "client_secret")
    if not secrets:
        return None
    given = header(request, _SIGNATURE).removeprefix("sha1=")
    if any([signs(secret, "sha1", request.body, given) for secret in secrets]):
        return True
    raise InvalidSignature("no configured client_secret makes this signature")


def normalize(request: Request) -> Normalized:
    """Return one event, or one per new part for a reply. Raises Unprocessable."""
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of Intercom: the body is not an object")
    topic, data = text(body.get("topic")) or "", body.get("data")
    item = data.get("item") if isinstance(data, dict) else None
    type_ = TOPICS.get(topic)
    if type_ is None or not isinstance(item, dict):
        return Normalized([_other(topic, item, body, request)])
    if topic.startswith("contact."):
        return Normalized([_consent(type_, item, body, request)])
    parts = _new_parts(topic, item)
    return Normalized(
        [_message(type_, part, item, body, request) for part in parts] or [_other(topic, item, body, request)]
    )


def _new_parts(topic: str, conversation: Item) -> list[Item]:
    """Return a new conversation's first message, or the parts that this notification adds or that are redacted."""
    if topic.endswith("created"):
        source = conversation.get("source")
        return [source] if isinstance(source, dict) else []
    listed = conversation.get("conversation_parts")
    found = listed.get("conversation_parts") if isinstance(listed, dict) else None
    parts = [part for part in (found if isinstance(found, list) else [])[:100] if isinstance(part, dict)]
    if topic.endswith("redacted"):
        source = conversation.get("source")
        return [part for part in [source, *parts] if isinstance(part, dict) and part.get("redacted") is True]
    return parts


def _message(type_: str, part: Item, conversation: Item, body: Item, request: Request) -> Event:
    first = part is conversation.get("source")
    where, which = identifier(conversation.get("id")), identifier(part.get("id"))
    if where is None or which is None or len(where) + len(which) > 500:
        raise Unprocessable("a message without its conversation's id or its own")
    source, writer = conversation.get("source"), part.get("author")
    author = writer if isinstance(writer, dict) else {}
    inbound = type_ == "MessageReceived" or (type_ == "MessageDeleted" and author.get("type") in _CONTACTS)
    kind = text(source.get("type")) if isinstance(source, dict) else None
    channel = SOURCES.get((kind or "").lower(), "chat")
    person = author if inbound else contact_of(conversation)
    customer, others = customer_of(person, channel)
    payload: dict[str, Any] = {"providerStatus": text(body.get("topic")), "conversationId": where}
    if customer is not None:
        payload["from" if inbound else "to"] = customer.value
    if others:
        payload["handles"] = others
    if name := text(author.get("name")):
        payload["displayName" if inbound else "agent"] = name[:512]
    if type_ != "MessageDeleted" and (content := content_of(part)):
        payload["content"] = content
    if not first and isinstance(source, dict) and (began := identifier(source.get("id"))):
        payload["inReplyTo"] = f"{where}:{began}"
    event = Event(
        type_,
        request.source,
        fact_id(*_ABOUT.get(type_, ()), "source" if first else "part", where, which),
        channel=channel,
        direction="inbound" if inbound else "outbound",
        provider_message_id=f"{where}:{which}",
        handle=customer,
        occurred_at=(type_ != "MessageDeleted" and _written(part, conversation, first)) or _time(body),
        payload=payload,
    )
    return keep_rest(event, part, _READ)


def _written(part: Item, conversation: Item, first: bool) -> Any:
    return from_unix(conversation.get("created_at") if first else part.get("created_at"))


def _consent(type_: str, contact: Item, body: Item, request: Request) -> Event:
    """Return the event of a contact who unsubscribed from all mail, or subscribed again; Intercom names no list."""
    inner = contact.get("contact")
    customer, others = customer_of(inner if isinstance(inner, dict) else contact, "email")
    if customer is None:
        return _other(text(body.get("topic")) or "", contact, body, request)
    payload: dict[str, Any] = {"providerStatus": text(body.get("topic")), "from": customer.value}
    if others:
        payload["handles"] = others
    event_id = identifier(body.get("id")) or fact_id(type_, customer.value, text(body.get("created_at")))
    return Event(
        type_,
        request.source,
        event_id,
        channel="email",
        direction="inbound",
        handle=customer,
        occurred_at=_time(body),
        payload=payload,
    )


def _time(body: Item) -> Any:
    return from_unix(body.get("created_at"))


def _other(topic: str, item: Any, body: Item, request: Request) -> Event:
    """Return the unmapped event, with the contact's handle if the item names one."""
    event = unknown(request, body, status=topic or None, event_id=identifier(body.get("id")))
    event.occurred_at = _time(body)
    if isinstance(item, dict):
        if item.get("type") == "conversation":
            event.channel = "chat"
            event.handle, _ = customer_of(contact_of(item), "chat")
            if known := text(item.get("id")):
                event.payload["conversationId"] = known[:512]
        elif item.get("type") == "contact":
            event.handle, _ = customer_of(item, "chat")
    return event


ADAPTER = Adapter(
    name="intercom",
    title="Intercom",
    docs="https://developers.intercom.com/docs/webhooks",
    channels=frozenset({"chat", "email", "sms", "whatsapp"}),
    events=frozenset({*TOPICS.values(), "ProviderEventReceived"}),
    signature="HMAC-SHA1 of the body",
    signs_body=True,
    settings=(Setting("client_secret", "The app's client secret (Developer Hub, Configure, Basic information)."),),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Intercom waits five seconds for the answer; 410 would end the subscription. It tests a new URL by a HEAD request.
)
