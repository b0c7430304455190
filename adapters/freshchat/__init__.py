"""Reads Freshchat's (Freshworks') webhooks: a conversation's messages, its assignment, resolution and reopening.

https://support.freshchat.com/en/support/solutions/articles/239404-freshchat-webhooks-payload-structure-and-authentication.
Signed with RSA (SHA-256, PKCS #1 v1.5); the account shows the public key. A customer's handle is `freshchat:<user id>`.
"""

from typing import Any

from cryptography.hazmat.primitives.hashes import SHA256

from adapters.contract import Adapter, InvalidSignature, Normalized, Request, Setting, Unprocessable, Values, secrets_of
from adapters.reading.addresses import of_kind
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from adapters.signing.keys import rsa_key, signs_rsa
from adapters.signing.signatures import from_base64, header, readable
from schemas.events import Event, Handle

#: Actions about a conversation, and the key of its details in `data`.
ACTIONS: dict[str, str] = {
    "conversation_assignment": "assignment",
    "conversation_resolution": "resolve",
    "conversation_reopen": "reopen",
}
_SIGNATURE = "x-freshchat-signature"
_MOST_PARTS = 100

#: Keys of a message that add nothing to what its event has.
_READ = frozenset(
    "id actor_type actor_id user_id org_actor_id app_id conversation_id channel_id created_time message_type".split()
)

Item = dict[str, Any]


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature's header; if that is missing, by keys that only its body has."""
    if _SIGNATURE in request.headers or "x-freshchat-payload-version" in request.headers:
        return True
    head = request.body[:4096]
    return b'"actor_type"' in head and b'"action_time"' in head and b'"action"' in head


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify RSA over the body. No time is signed, so `fresh` has no effect. Raises InvalidSignature."""
    keys = secrets_of(values, "public_key")
    if not keys:
        return None
    given = from_base64(header(request, _SIGNATURE))
    if any([signs_rsa(key, request.body, given, SHA256()) for key in readable(keys, rsa_key)]):
        return True
    raise InvalidSignature("no configured public_key verifies this signature")


def normalize(request: Request) -> Normalized:
    """Return one event. Raises Unprocessable."""
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of Freshchat: the body is not an object")
    action, data = text(body.get("action")), body.get("data")
    part = data.get("message") if isinstance(data, dict) else None
    if action == "message_create" and isinstance(part, dict) and not _is_note(part):
        return Normalized([_message(part, body, request)])
    return Normalized([_other(action, data if isinstance(data, dict) else {}, body, request)])


def _is_note(part: Item) -> bool:
    """Return whether a message is a note among agents, or a bot's, that the user never sees."""
    return part.get("message_type") == "private" or part.get("botsPrivateNote") is True


def _message(item: Item, body: Item, request: Request) -> Event:
    """Return the event of a message: inbound from a user, outbound from an agent, a bot or the system."""
    message_id = identifier(item.get("id"))
    if message_id is None:
        raise Unprocessable("a message without its id")
    actor = body.get("actor")
    who = text(item.get("actor_type")) or (text(actor.get("actor_type")) if isinstance(actor, dict) else None)
    inbound = who == "user"
    author = text(item.get("actor_id")) or (text(actor.get("actor_id")) if isinstance(actor, dict) else None)
    customer = _user(item.get("user_id") or (author if inbound else None))
    payload: dict[str, Any] = {"providerStatus": "message_create"}
    if author:
        payload["from"] = author[:2048]
    if customer is not None and not inbound:
        payload["to"] = customer.value
    if not inbound and author:
        payload["agent"] = author[:512]
    for key, name in (("conversationId", "conversation_id"), ("channelId", "channel_id")):
        if value := text(item.get(name)):
            payload[key] = value[:1024]
    if content := _content(item.get("message_parts") or item.get("msg_parts")):
        payload["content"] = content
    event = Event(
        "MessageReceived" if inbound else "UserMessageSent",
        request.source,
        fact_id("message", message_id, who),
        channel="chat",
        direction="inbound" if inbound else "outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_text(item.get("created_time")) or from_text(body.get("action_time")),
        payload=payload,
    )
    return keep_rest(event, item, _READ)


def _content(parts: Any) -> dict[str, Any]:
    """Join a message's parts: texts as lines, files as media, and all others unchanged as `parts`."""
    content: dict[str, Any] = {}
    texts: list[str] = []
    media: list[dict[str, Any]] = []
    rest: list[Any] = []
    for part in [one for one in (parts if isinstance(parts, list) else ())[:_MOST_PARTS] if isinstance(one, dict)]:
        words, old = part.get("text"), part.get("properties")
        file = next((one for kind in ("image", "video", "file") if isinstance(one := part.get(kind), dict)), None)
        if isinstance(words, dict) and (line := text(words.get("content"))):
            texts.append(line)
        elif isinstance(old, dict) and part.get("part_type") == "text" and (line := text(old.get("text"))):
            texts.append(line)
        elif file is not None:
            names = (("url", "url", 8192), ("type", "content_type", 255), ("name", "name", 1024))
            found: Item = {key: value[:most] for key, name, most in names if (value := text(file.get(name)))}
            size = file.get("file_size_in_bytes")
            if found:
                media.append(found | ({"size": size} if type(size) is int and size >= 0 else {}))
        else:
            rest.append(part)
    if texts:
        content["text"] = "\n".join(texts)
    return content | {key: value for key, value in (("media", media), ("parts", rest)) if value}


def _other(action: str | None, data: Item, body: Item, request: Request) -> Event:
    """Return the unmapped event of a conversation, of a note among agents or of an unknown action."""
    event = unknown(request, body, status=action)
    event.occurred_at = from_text(body.get("action_time"))
    part, actor = data.get(ACTIONS.get(action or "", "message")), body.get("actor")
    if isinstance(part, dict):
        event.channel = "chat"
        conversation = part.get("conversation")
        holder = conversation if isinstance(conversation, dict) else part
        if conversation_id := text(holder.get("conversation_id")):
            event.payload["conversationId"] = conversation_id[:1024]
    if isinstance(actor, dict) and actor.get("actor_type") == "user":
        event.handle = _user(actor.get("actor_id"))
    return event


def _user(id_: Any) -> Handle | None:
    user = text(id_)
    return of_kind("chat_id", f"freshchat:{user}") if user else None


ADAPTER = Adapter(
    name="freshchat",
    title="Freshchat",
    docs="https://support.freshchat.com/en/support/solutions/articles/"
    "239404-freshchat-webhooks-payload-structure-and-authentication",
    channels=frozenset({"chat"}),
    events=frozenset({"MessageReceived", "UserMessageSent", "ProviderEventReceived"}),
    signature="RSA-SHA256 (PKCS #1 v1.5) of the body",
    signs_body=True,
    settings=(
        Setting(
            "public_key",
            "The webhook's public key (Admin, Webhooks, Authentication), PEM or base64.",
            secret=False,
            reads=rsa_key,
        ),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
)
