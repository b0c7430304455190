"""Reads the webhooks of Meta's WhatsApp Cloud API: messages, statuses, calls, consent.

A webhook has several entries, an entry several changes, a change several items; a change's `field` says what they are.
Webhooks: https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview (signature,
handshake, retries for up to seven days) and …/webhooks/reference/messages. Meta gives an item no id besides the
message's, and promises no order.
"""

from collections.abc import Callable, Iterator
from typing import Any

from adapters.contract import Adapter, Normalized, Request, Send, Setting, Unprocessable, Values
from adapters.meta import platform
from adapters.meta.platform import SIGNATURE, handshake
from adapters.reading.bodies import json_of
from adapters.reading.facts import brief, text, unknown
from adapters.reading.times import from_unix
from adapters.whatsapp_cloud.calls import CALL_EVENTS, CALL_STATUSES, call, call_status
from adapters.whatsapp_cloud.history import past
from adapters.whatsapp_cloud.messages import AGENT, CHANGES, Item, echo, message
from adapters.whatsapp_cloud.preferences import PREFERENCES, preference
from adapters.whatsapp_cloud.send import build_request, read_response
from adapters.whatsapp_cloud.statuses import STATUSES, status
from schemas.events import Event

#: Readers of the items of a change, by the name of the list that has them.
Readers = dict[str, Callable[[Item, Item, Request], Event]]

_NAMED = platform.names("whatsapp_business_account")


def recognise(request: Request) -> bool:
    """Recognise a webhook by Meta's name of the object: Messenger and Instagram are signed in the same header. A
    handshake does not name it."""
    return platform.is_of(request, _NAMED)


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA256 of the body with the app secret. No time is signed, so `fresh` has no effect. Raises
    InvalidSignature."""
    return platform.verify(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event per status, message, echo, call and preference, and one per change of any other field. Raises
    Unprocessable."""
    result = Normalized()
    body = json_of(request)
    if not isinstance(body, dict) or not isinstance(entries := body.get("entry"), list):
        raise Unprocessable("not a webhook of WhatsApp: the body has no entry")
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


def _of_change(change: Any, entry: Item, request: Request) -> Iterator[tuple[Any, Event | str]]:
    """Yield each item of a change with its event, or with the reason why there is none."""
    value = change.get("value") if isinstance(change, dict) else None
    field = text(change.get("field")) if isinstance(change, dict) else None
    known = False
    for name, read in ITEMS.get(field or "messages", {}).items():
        if not isinstance(value, dict) or not isinstance(items := value.get(name), list):
            continue
        known = True
        for item in items:
            try:
                if not isinstance(item, dict):
                    raise Unprocessable(f"an item of {name} is not an object")
                event = read(item, value, request)
                if field == "standby":
                    event.payload["handledBy"] = AGENT
                yield item, event
            except Unprocessable as error:
                yield item, str(error)
    if known:
        return
    try:
        native = {"id": brief(entry.get("id")), "time": brief(entry.get("time")), "change": change}
        event = unknown(request, native, status=field)
        event.occurred_at = from_unix(entry.get("time"))
        yield change, event
    except Unprocessable as error:
        yield change, str(error)


def _fault(item: Item, value: Item, request: Request) -> Event:
    """Return the event of an error of the account or the app, which concerns no message
    (…/webhooks/reference/messages/errors)."""
    return unknown(request, item, status="error")


#: What is read of a change, by its field (…/webhooks/overview#fields); another field is kept as it came.
_CHAT: Readers = {"statuses": status, "messages": message, "message_echoes": echo, "errors": _fault}
ITEMS: dict[str, Readers] = {
    "messages": _CHAT,
    "smb_message_echoes": {"message_echoes": echo},
    "user_preferences": {"user_preferences": preference},
    "calls": {"calls": call, "statuses": call_status, "errors": _fault},
    "history": {"messages": past},
    # Chats that Meta's Business Agent handles: …/webhooks/reference/standby.
    "standby": _CHAT,
}

#: Words that become no event of ours: a status, the notices about users, and the fields about the account, its templates,
#: its numbers and groups (…/webhooks/overview#fields).
UNMAPPED = frozenset(
    "deleted user_changed_number user_changed_user_id error history account_alerts account_review_update account_update"
    " automatic_events business_capability_update business_username_update group_lifecycle_update"
    " group_participants_update group_settings_update group_status_update message_template_components_update"
    " message_template_quality_update message_template_status_update partner_solutions payment_configuration_update"
    " payment.captured payment.failed payment.pending phone_number_name_update phone_number_quality_update security smb_app_state_sync"
    " template_category_update".split()
)

ADAPTER = Adapter(
    name="whatsapp_cloud",
    title="Meta WhatsApp Cloud API",
    docs="https://developers.facebook.com/documentation/business-messaging/whatsapp/webhooks/overview",
    channels=frozenset({"whatsapp", "voice"}),
    events=frozenset(
        {
            *STATUSES.values(),
            *PREFERENCES.values(),
            *CHANGES.values(),
            *CALL_EVENTS.values(),
            *CALL_STATUSES.values(),
            "MessageReceived",
        }
    ),
    unmapped=UNMAPPED,
    signature=SIGNATURE,
    signs_body=True,
    settings=(
        *platform.SECRETS,
        Setting("access_token", "A token of a system user with whatsapp_business_messaging, to send with."),
        Setting("phone_number_id", "The id (not the number) to send from.", secret=False, aliases=("sender",)),
        *platform.API,
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Meta retries unless the answer is 200, which is the default.
    handshake=handshake,
    send=Send(
        channels=frozenset({"whatsapp"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
