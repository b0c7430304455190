"""Reads Kaleyra's WhatsApp callbacks: Meta's format with Kaleyra's data added, or a message in variables.

https://developers.kaleyra.io/docs/wa-status-update-webhooks-payload-v2-sent,
https://developers.kaleyra.io/docs/create-callback-profile-for-incoming-whatsapp-messages
"""

from typing import Any

from adapters.contract import Normalized, Request, Unprocessable
from adapters.kaleyra.statuses import FAILURES, STATUSES
from adapters.reading.addresses import phone, written
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_unix
from adapters.whatsapp_cloud.content import content_of
from adapters.whatsapp_cloud.errors import REASONS as _META
from adapters.whatsapp_cloud.groups import recipient_of
from adapters.whatsapp_cloud.messages import CHANGES, READ, add_context, customer_of, is_contact_of, original_of, system
from schemas.events import Error, Event

Item = dict[str, Any]
#: Keys whose value the event has in another form.
_READ = frozenset({"field", "messaging_product"})


def normalize(meta: Item, body: Item, request: Request) -> Normalized:
    """Return one event per status and per message, or an unmapped one if there are none, or another field."""
    result, value = Normalized(), meta.get("value")
    if text(meta.get("field")) != "messages":
        value = None
    for name, read in (("statuses", _status), ("messages", _message)):
        items = value.get(name) if isinstance(value, dict) else None
        for item in items if isinstance(items, list) else ():
            try:
                if not isinstance(item, dict) or not isinstance(value, dict):
                    raise Unprocessable(f"an item of {name} is not an object")
                result.events.append(keep_rest(read(item, value, body, request), item))
            except Unprocessable as error:
                result.unprocessable.append((item, str(error)))
    if not result.events and not result.unprocessable:
        event = unknown(request, body, status=text(meta.get("field")))
        event.channel = "whatsapp"
        result.events.append(event)
    elif result.events and isinstance(value, dict):  # what stands around the messages is kept once
        first = result.events[0]
        if first.type == "ProviderEventReceived":
            if len(result.events) == 1:
                first.payload["native"] = unknown(request, body).payload["native"]
            return result
        own = first.payload.pop("native", None)
        around = {key: inner for key, inner in value.items() if key not in ("statuses", "messages")}
        keep_rest(first, {**body, "meta_object": {**meta, "value": {**around, **(own or {})}}}, read=_READ)
    return result


def _ours(value: Item) -> str | None:
    metadata = value.get("metadata")
    found = phone(metadata.get("display_phone_number")) if isinstance(metadata, dict) else None
    return found.value if found else None


def _status(item: Item, value: Item, body: Item, request: Request) -> Event:
    """Return the event of a status. A callback is about one message: `body` has WhatsApp's id of it, `item` Kaleyra's."""
    nested = body.get("extra_info")
    extra: Item = nested if isinstance(nested, dict) else {}
    own_id = identifier(item.get("id"))
    message_id = identifier(body.get("message_id")) or identifier(extra.get("message_id")) or own_id
    word = text(item.get("status")) or text(body.get("status")) or ""
    if message_id is None:
        raise Unprocessable("a status has no message id")
    type_ = STATUSES.get(word.upper().replace("_", "-"), "ProviderEventReceived")
    recipient, user_id, group = recipient_of(item)
    customer, others = customer_of(recipient, user_id)
    errors = item.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    code, words = text(first.get("code")), text(first.get("message")) or text(first.get("title"))
    pricing = item.get("pricing")
    category = text(pricing.get("category")) if isinstance(pricing, dict) else None
    given = (("from", _ours(value)), ("reference", text(extra.get("ref"))), ("pricingCategory", category))
    payload: dict[str, Any] = {"providerStatus": word[:255]} | {key: one[:255] for key, one in given if one}
    if customer is not None:
        payload["to"] = customer.value
    if others:
        payload["handles"] = [{"kind": other.kind, "value": other.value} for other in others]
    if own_id and own_id != message_id:
        payload["kaleyraId"] = own_id
    if group:
        payload["groupId"] = group
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    reason = _META.get(code or "", "unknown")
    error = Error(code[:255] if code else None, words[:8192] if words else None, reason)
    whose = text(recipient) or text(user_id) or group
    event_id = fact_id("status", message_id, word, whose, text(item.get("timestamp")))
    return Event(
        type_,
        request.source,
        event_id,
        channel="whatsapp",
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        per_recipient=group is not None and customer is not None,
        occurred_at=from_unix(item.get("timestamp")),
        error=error if type_ in FAILURES else None,
        payload=payload,
    )


def _message(item: Item, value: Item, body: Item, request: Request) -> Event:
    message_id, content = identifier(item.get("id")), content_of(item)
    if message_id is None:
        raise Unprocessable("a message without its id")
    kind, context = text(item.get("type")) or "", item.get("context")
    if kind == "system":
        return system(item, value, request)
    type_ = CHANGES.get(kind, "MessageReceived")
    about = message_id if kind not in CHANGES else original_of(item, kind)
    if content is None or about is None:
        type_, about = "ProviderEventReceived", about or message_id
    customer, others = customer_of(item.get("from"), item.get("from_user_id"))
    payload: dict[str, Any] = {"providerStatus": kind[:255]}
    for key, one in (("from", customer.value if customer else None), ("to", _ours(value)), ("content", content)):
        if one:
            payload[key] = one
    if others:
        payload["handles"] = [{"kind": other.kind, "value": other.value} for other in others]
    add_context(payload, item)
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    contacts = value.get("contacts")
    contact = contacts[0] if isinstance(contacts, list) and len(contacts) == 1 else None
    sender = (item.get("from"), item.get("from_user_id"))
    profile = contact.get("profile") if isinstance(contact, dict) and is_contact_of(contact, *sender) else None
    if isinstance(profile, dict) and (name := text(profile.get("name"))):
        payload["displayName"] = name[:1024]
    if isinstance(context, dict) and (answered := identifier(context.get("id"))):
        payload["inReplyTo"] = answered
    event_id, time = fact_id("message", message_id, kind), from_unix(item.get("timestamp"))
    event = Event(
        type_,
        request.source,
        event_id,
        channel="whatsapp",
        direction="inbound",
        provider_message_id=about,
        handle=customer,
        occurred_at=time,
        payload=payload,
    )
    return keep_rest(event, item, READ)


def of_variables(item: Item, request: Request) -> Event:
    """Return the event of an inbound WhatsApp message in variables, which include no id."""
    get = item.get
    sender, body = text(get("from")) or text(get("mobile")), text(get("body"))
    customer = phone(sender)
    media = {key: one for key, name in (("url", "media_url"), ("type", "mime_type")) if (one := text(get(name)))}
    content: dict[str, Any] = {"text": body} if body else {}
    content |= {"media": [media]} if "url" in media else {}
    content |= {key: one for key in ("contacts", "location") if isinstance(one := get(key), list) and one}
    given = (
        ("from", customer.value if customer else sender),
        ("to", written(text(get("wanumber")), "whatsapp")),
        ("displayName", text(get("name"))),
        ("inReplyTo", text(get("reply_to"))),
    )
    payload: dict[str, Any] = {"providerStatus": (text(get("type")) or "")[:255]}
    payload |= {key: one[:1024] for key, one in given if one} | ({"content": content} if content else {})
    stamp = text(get("created_at"))
    event_id = fact_id("whatsapp", sender, text(get("wanumber")), stamp, text(get("type")), body, media.get("url"))
    return Event(
        "MessageReceived",
        request.source,
        event_id,
        channel="whatsapp",
        direction="inbound",
        handle=customer,
        occurred_at=from_unix(stamp),
        payload=payload,
    )
