"""Reads Gupshup's webhooks of version 3: Meta's format with Gupshup's ids added (`gs_app_id`, `gs_id`).

https://partner-docs.gupshup.io/docs/passthrough-v3-incoming-events, https://partner-docs.gupshup.io/docs/events. A
message's content is in Meta's format: `adapters.whatsapp_cloud.content`.
"""

from typing import Any

from adapters.contract import Normalized, Request, Unprocessable
from adapters.gupshup.errors import error_of
from adapters.reading.addresses import of_kind, phone
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_unix_or_millis
from adapters.reading.words import spelled
from adapters.whatsapp_cloud.content import content_of
from adapters.whatsapp_cloud.details import keep_details
from adapters.whatsapp_cloud.groups import recipient_of, word_of
from adapters.whatsapp_cloud.history import past
from adapters.whatsapp_cloud.messages import AGENT, CHANGES, READ, add_context, is_contact_of, original_of, system
from adapters.whatsapp_cloud.preferences import preference
from schemas.events import Event, Handle

Item = dict[str, Any]

STATUSES: dict[str, str] = {
    "enqueued": "MessageQueued",
    "sent": "UserMessageSent",
    "delivered": "MessageDelivered",
    "read": "MessageRead",
    "failed": "MessageFailed",
    "deleted": "ProviderEventReceived",
}


def is_one(request: Request) -> bool:
    """Return whether the request is of version 3, by Gupshup's id of the app; all other keys are Meta's."""
    return b'"gs_app_id"' in request.body and b'"entry"' in request.body


def normalize(body: Item, request: Request) -> Normalized:
    """Return one event per status, per message and per change of another field. Raises Unprocessable."""
    result = Normalized()
    entries = body.get("entry")
    if not isinstance(entries, list):
        raise Unprocessable("no entry")
    for entry in entries:
        changes = entry.get("changes") if isinstance(entry, dict) else None
        for change in changes if isinstance(changes, list) else [entry]:
            value = change.get("value") if isinstance(change, dict) else None
            field = text(change.get("field")) if isinstance(change, dict) else None
            known = False
            for name, read in ITEMS.get(field or "messages", {}).items():
                items = value.get(name) if isinstance(value, dict) else None
                known = known or isinstance(items, list)
                for item in items if isinstance(items, list) else ():
                    _add(result, item, lambda item=item, value=value, read=read: read(item, value, request), field)
            if not known:
                _add(result, change, lambda change=change, field=field: unknown(request, change, status=field))
    return result


def customer_of(number: Any, user_id: Any) -> tuple[Handle | None, list[dict[str, str]]]:
    """Return the customer's handle (the number, or else the business-scoped id), and the other one for `handles`."""
    first, second = phone(number) if number else None, of_kind("whatsapp_user_id", user_id)
    others = [{"kind": second.kind, "value": second.value}] if first and second and first != second else []
    return first or second, others


def replied_to(context: Any, name: str) -> str | None:
    """Return the id of the message that this one replies to: Gupshup's if there is one, else WhatsApp's."""
    if not isinstance(context, dict):
        return None
    return identifier(context.get(name)) or identifier(context.get("id"))


def _add(result: Normalized, item: Any, read: Any, field: str | None = None) -> None:
    try:
        if not isinstance(item, dict):
            raise Unprocessable("not an object")
        event = read()
        if field == "standby":
            event.payload["handledBy"] = AGENT
        result.events.append(event)
    except Unprocessable as error:
        result.unprocessable.append((item, str(error)))


def _ours(value: Item) -> str | None:
    metadata = value.get("metadata")
    handle = phone(metadata.get("display_phone_number")) if isinstance(metadata, dict) else None
    return handle.value if handle else None


def _status(item: Item, value: Item, request: Request) -> Event:
    message_id = identifier(item.get("gs_id")) or identifier(item.get("id"))
    given = word_of(item)
    status = spelled(given, STATUSES)
    if message_id is None:
        if kind := text(item.get("type")):  # set-callback: the webhook URL was configured
            return unknown(request, item, status=kind)
        raise Unprocessable("a status has no message id")
    type_ = STATUSES.get(status, "ProviderEventReceived")
    recipient, user_id, group = recipient_of(item)
    customer, others = customer_of(recipient, user_id)
    payload: dict[str, Any] = {"providerStatus": given[:255]}
    for key, part in (("to", customer.value if customer else None), ("from", _ours(value)), ("handles", others)):
        if part:
            payload[key] = part
    if group:
        payload["groupId"] = group
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    if isinstance(pricing := item.get("pricing"), dict) and (category := text(pricing.get("category"))):
        payload["pricingCategory"] = category[:255]
    errors = item.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code, words = (
        item.get("code") or first.get("code"),
        item.get("reason") or first.get("message") or first.get("title"),
    )
    error = error_of(code, words) if type_ == "MessageFailed" else None
    event_id = fact_id(
        "status", message_id, status, text(recipient) or text(user_id) or group, text(item.get("timestamp"))
    )
    event = Event(
        type_,
        request.source,
        event_id,
        channel="whatsapp",
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        per_recipient=group is not None and customer is not None,
        occurred_at=from_unix_or_millis(item.get("timestamp")),
        error=error,
        payload=payload,
    )
    return keep_details(event, item)


def _echo(item: Item, value: Item, request: Request) -> Event:
    """Return the event of a message that a person sent with the WhatsApp Business app."""
    return _message(item, value, request, outbound=True)


def _message(item: Item, value: Item, request: Request, outbound: bool = False) -> Event:
    if (message_id := identifier(item.get("id"))) is None:
        raise Unprocessable("a message without its id")
    kind, content = text(item.get("type")) or "", content_of(item)
    if kind == "system":
        return system(item, value, request)
    type_ = CHANGES.get(kind, "UserMessageSent" if outbound else "MessageReceived")
    about = message_id if kind not in CHANGES else original_of(item, kind)
    if content is None or about is None:
        type_, about = "ProviderEventReceived", about or message_id
    who, we = ("to", "from") if outbound else ("from", "to")
    customer, others = customer_of(item.get(who), item.get(f"{who}_user_id"))
    payload: dict[str, Any] = {"providerStatus": kind[:255]}
    for key, part in ((who, customer.value if customer else None), (we, _ours(value)), ("handles", others)):
        if part:
            payload[key] = part
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    elif content:
        payload["content"] = content
    contacts = value.get("contacts")
    sender = (item.get("from"), item.get("from_user_id"))
    if not outbound and isinstance(contacts, list) and len(contacts) == 1 and is_contact_of(contacts[0], *sender):
        profile = contacts[0].get("profile")
        if isinstance(profile, dict) and (name := text(profile.get("name"))):
            payload["displayName"] = name[:1024]
    add_context(payload, item)
    if answered := replied_to(item.get("context"), "gs_id"):
        payload["inReplyTo"] = answered
    event_id = fact_id("echo" if outbound else "message", message_id, kind)
    event = Event(
        type_,
        request.source,
        event_id,
        channel="whatsapp",
        direction="outbound" if outbound else "inbound",
        provider_message_id=about,
        handle=customer,
        occurred_at=from_unix_or_millis(item.get("timestamp")),
        payload=payload,
    )
    return keep_rest(event, item, READ)


#: What is read of a change, by its field; a chat's history in another form, and any other field, is kept as it came.
_CHAT = {"statuses": _status, "messages": _message}
ITEMS: dict[str, dict[str, Any]] = {
    "messages": _CHAT,
    "standby": _CHAT,
    "smb_message_echoes": {"message_echoes": _echo},
    "history": {"messages": past},
    "user_preferences": {"user_preferences": preference},
}
