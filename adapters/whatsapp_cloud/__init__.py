"""WhatsApp Cloud API, Meta's own: messages, statuses, consent; several entries, changes and items in one request.

Webhooks: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview (signature,
handshake, retries for up to seven days) and …/webhooks/reference/messages. Users without a phone number:
https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids. Meta gives an item
no id of its own beside the message's, and promises no order.
"""

from collections.abc import Iterator
from hmac import compare_digest
from typing import Any

from adapters.addresses import of_kind, phone
from adapters.base import Answer, InvalidSignature, Normalized, Request, Setting, Unconfigured, Unprocessable, Values
from adapters.bodies import json_of, query_of
from adapters.facts import fact_id, identifier, text, unknown
from adapters.signatures import header, secrets_of, signs
from adapters.times import from_unix
from adapters.whatsapp_cloud.content import content_of
from adapters.whatsapp_cloud.errors import error_of
from schemas.events import Event, Handle

NAME = "whatsapp_cloud"
TITLE = "Meta WhatsApp Cloud API"
DOCS = "https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview"
CHANNELS = frozenset({"whatsapp"})
SENDS: frozenset[str] = frozenset()
SIGNATURE = "HMAC-SHA256 of the body"
SETTINGS = (
    Setting("app_secret", "The app's secret (App Dashboard, App settings, Basic)."),
    Setting("verify_token", "The token you make up and enter beside the webhook's URL; answers Meta's handshake."),
)
SIGNS_BODY = True

Item = dict[str, Any]

#: …/webhooks/reference/messages/status; `deleted`: the user deleted it, which undoes no delivery.
STATUSES: dict[str, str] = {
    "sent": "UserMessageSent",
    "delivered": "MessageDelivered",
    "read": "MessageRead",
    "played": "MessageRead",
    "failed": "MessageFailed",
    "deleted": "ProviderEventReceived",
}
#: …/webhooks/reference/user_preferences: what a user wants of marketing messages.
PREFERENCES: dict[str, str] = {"stop": "RecipientUnsubscribed", "resume": "RecipientSubscribed"}
EVENTS = frozenset({*STATUSES.values(), *PREFERENCES.values(), "MessageReceived"})
_OBJECT = b"whatsapp_business_account"


def recognise(request: Request) -> bool:
    """By what Meta calls the object: Messenger and Instagram are signed in the same header."""
    if request.method == "GET":
        return "hub.mode=" in request.url
    return _OBJECT in (request.body if "x-hub-signature-256" in request.headers else request.body[:200])


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """HMAC-SHA256 of the body with the app secret. No time is signed: `fresh` has no say. Raises InvalidSignature."""
    secrets = secrets_of(values, "app_secret")
    if not secrets:
        return None
    given = header(request, "x-hub-signature-256").removeprefix("sha256=")
    if any([signs(secret, "sha256", request.body, given) for secret in secrets]):
        return True
    raise InvalidSignature("no configured app_secret makes this signature")


def normalize(request: Request) -> Normalized:
    """One event per status, message, echo and preference; one per change of any other field."""
    result = Normalized()
    body = json_of(request)
    if not isinstance(body, dict) or not isinstance(entries := body.get("entry"), list):
        raise Unprocessable("no webhook of WhatsApp: it has no entry")
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(changes := entry.get("changes"), list):
            result.unprocessable.append((entry, "an entry without changes"))
            continue
        for change in changes:
            for item, event in _of_change(change, entry, request):
                if isinstance(event, Event):
                    result.events.append(event)
                else:
                    result.unprocessable.append((item, event))
    return result


def answer(request: Request) -> Answer:
    """200; anything else is tried again."""
    return Answer()


def handshake(request: Request, values: Values) -> Answer | None:
    """`hub.challenge` is said back to who knows the verify token. Raises InvalidSignature where it is another."""
    if request.method != "GET" or "hub.mode=" not in request.url:
        return None
    try:
        query = dict(query_of(request))
    except Unprocessable as error:
        raise InvalidSignature(str(error)) from error
    given = query.get("hub.verify_token", "").encode("utf-8", "replace")
    tokens = secrets_of(values, "verify_token")
    if not tokens:
        raise Unconfigured("no verify_token is configured to answer the handshake with")
    if not any([compare_digest(token.encode(), given) for token in tokens]):
        raise InvalidSignature("hub.verify_token is not the configured verify_token")
    return Answer(200, query.get("hub.challenge", "").encode("utf-8", "replace"))


def _of_change(change: Any, entry: Item, request: Request) -> Iterator[tuple[Any, Event | str]]:
    """Each item of a change with its event, or with why there is none."""
    value = change.get("value") if isinstance(change, dict) else None
    known = False
    if isinstance(value, dict):
        for name, read in _ITEMS:
            if not isinstance(items := value.get(name), list):
                continue
            known = True
            for item in items:
                try:
                    if not isinstance(item, dict):
                        raise Unprocessable(f"an item of {name} that is no object")
                    yield item, read(item, value, request)
                except Unprocessable as error:
                    yield item, str(error)
    if known:
        return
    try:
        field = text(change.get("field")) if isinstance(change, dict) else None
        native = {"id": entry.get("id"), "time": entry.get("time"), "change": change}
        event = unknown(request, native, status=field)
        event.occurred_at = from_unix(entry.get("time"))
        yield change, event
    except Unprocessable as error:
        yield change, str(error)


def _status(item: Item, value: Item, request: Request) -> Event:
    status = text(item.get("status")) or ""
    type_ = STATUSES.get(status, "ProviderEventReceived")
    message_id = _required_id(item)
    # In a group each participant has a status.
    recipient = item.get("recipient_participant_id") or item.get("recipient_id")
    customer, others = _customer(recipient, item.get("recipient_user_id"))
    payload = _payload(status, value, customer, others, outbound=True)
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, item).payload["native"]
    if reference := text(item.get("biz_opaque_callback_data")):
        payload["reference"] = reference
    if isinstance(pricing := item.get("pricing"), dict) and (category := text(pricing.get("category"))):
        payload["pricingCategory"] = category
    whose = text(recipient) or text(item.get("recipient_user_id"))
    return Event(
        type_,
        request.source,
        fact_id("status", message_id, status, whose, text(item.get("timestamp"))),
        "whatsapp",
        "outbound",
        message_id,
        None,
        customer,
        from_unix(item.get("timestamp")),
        error_of(item.get("errors")) if type_ == "MessageFailed" else None,
        payload,
    )


def _message(item: Item, value: Item, request: Request, outbound: bool = False) -> Event:
    message_id, kind = _required_id(item), text(item.get("type")) or ""
    who = "to" if outbound else "from"
    customer, others = _customer(item.get(who), item.get(f"{who}_user_id"))
    payload = _payload(kind, value, customer, others, outbound)
    content = content_of(item)
    if content is None:
        type_ = "ProviderEventReceived"
        payload["native"] = unknown(request, item).payload["native"]
    else:
        type_ = "UserMessageSent" if outbound else "MessageReceived"
        if content:
            payload["content"] = content
    if not outbound:
        _add_names(payload, item, value)
    if isinstance(context := item.get("context"), dict) and (replied_to := text(context.get("id"))):
        payload["inReplyTo"] = replied_to
    if isinstance(edit := item.get("edit"), dict) and (original := text(edit.get("original_message_id"))):
        payload["edits"] = original
    return Event(
        type_,
        request.source,
        fact_id("echo" if outbound else "message", message_id, kind),
        "whatsapp",
        "outbound" if outbound else "inbound",
        _about(item, kind, message_id),
        None,
        customer,
        from_unix(item.get("timestamp")),
        None,
        payload,
    )


def _about(item: Item, kind: str, message_id: str) -> str | None:
    """The message that an item is: none of a notice, and of one that is taken back that one."""
    if kind == "system":
        return None
    revoked = item.get("revoke") if kind == "revoke" else None
    return (identifier(revoked.get("original_message_id")) if isinstance(revoked, dict) else None) or message_id


def _echo(item: Item, value: Item, request: Request) -> Event:
    """…/webhooks/reference/smb_message_echoes: sent by a person with the WhatsApp Business app."""
    return _message(item, value, request, outbound=True)


def _preference(item: Item, value: Item, request: Request) -> Event:
    wanted, category = text(item.get("value")) or "", text(item.get("category"))
    customer, others = _customer(item.get("wa_id"), item.get("user_id"))
    type_ = PREFERENCES.get(wanted)
    if type_ is None or customer is None:
        return unknown(request, item, status=wanted or None)
    payload = _payload(wanted, value, customer, others, outbound=False)
    if category:
        payload["category"] = category
    when = text(item.get("timestamp"))
    event_id = fact_id("preference", customer.value, category, wanted, when)
    time = from_unix(item.get("timestamp"))
    return Event(type_, request.source, event_id, "whatsapp", "inbound", None, None, customer, time, None, payload)


def _fault(item: Item, value: Item, request: Request) -> Event:
    """An error of the account or the app, of no message (…/webhooks/reference/messages/errors)."""
    return unknown(request, item, status="error")


_ITEMS = (
    ("statuses", _status),
    ("messages", _message),
    ("message_echoes", _echo),
    ("user_preferences", _preference),
    ("errors", _fault),
)


def _required_id(item: Item) -> str:
    if (found := identifier(item.get("id"))) is None:
        raise Unprocessable("an item without the message's id")
    return found


def _customer(number: Any, user_id: Any) -> tuple[Handle | None, list[Handle]]:
    """Whose it is: the phone number where Meta gives one, else the business-scoped id; and what else was told."""
    first = phone(number) if number else None
    second = of_kind("whatsapp_user_id", user_id)
    if first is None or second is None or first == second:
        return first or second, []
    return first, [second]


def _payload(status: str, value: Item, customer: Handle | None, others: list[Handle], outbound: bool) -> dict[str, Any]:
    payload: dict[str, Any] = {"providerStatus": status[:255]} if status else {}
    metadata = value.get("metadata")
    ours = phone(metadata.get("display_phone_number")) if isinstance(metadata, dict) else None
    if customer is not None:
        payload["to" if outbound else "from"] = customer.value
    if ours is not None:
        payload["from" if outbound else "to"] = ours.value
    if others:
        payload["handles"] = [{"kind": other.kind, "value": other.value} for other in others]
    return payload


def _add_names(payload: dict[str, Any], item: Item, value: Item) -> None:
    """The sender's names, from the contact that is the sender's."""
    contacts = value.get("contacts")
    if not isinstance(contacts, list):
        return
    sender, user_id = item.get("from"), item.get("from_user_id")
    for contact in contacts:
        if not isinstance(contact, dict) or not isinstance(profile := contact.get("profile"), dict):
            continue
        if len(contacts) == 1 or (
            (sender and contact.get("wa_id") == sender) or (user_id and contact.get("user_id") == user_id)
        ):
            if name := text(profile.get("name")):
                payload["displayName"] = name
            if username := text(profile.get("username")):
                payload["username"] = username
            return
