"""Reads OneSignal's Event Streams (one event per request, in a body that the account defines) and web push webhooks.

https://documentation.onesignal.com/docs/en/event-streams, …/event-streams-data (fields and kinds), …/docs/webhooks
(what a browser posts). The body is read in the forms of the documentation's own templates: keys such as
`event.kind`, flat or nested one level, or the objects `event` and `message` themselves. Nothing is signed. A
stream's event is retried a few times with increasing delays.
"""

from typing import Any

from adapters.contract import Adapter, Normalized, Request, Send, Setting, Unprocessable, Values
from adapters.onesignal import web
from adapters.onesignal.send import API, IDEMPOTENT_FOR, MARK, build_request, read_response
from adapters.reading.addresses import handle, of_kind
from adapters.reading.bodies import json_of
from adapters.reading.facts import identifier, text, unknown
from adapters.reading.own_ids import own_id
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text, from_unix
from adapters.reading.words import spelled
from adapters.signing.shared_header import SETTINGS as SHARED_HEADER
from adapters.signing.shared_header import verify_shared
from schemas.events import Error, Event, Handle

CHANNELS = frozenset({"push", "email", "sms"})
#: Our channel by the second word of a kind: an in-app message goes to the same app as a push.
_CHANNELS = {"push": "push", "iam": "push", "email": "email", "sms": "sms"}

Item = dict[str, Any]

#: …/event-streams-data#event-kind-reference, with the spellings of earlier editions of that page.
KINDS: dict[str, str] = {
    "message.push.sent": "UserMessageSent",
    "message.push.received": "MessageDelivered",
    "message.push.clicked": "MessageClicked",
    "message.push.failed": "MessageFailed",
    "message.push.unsubscribed": "RecipientUnsubscribed",
    "message.email.sent": "UserMessageSent",
    "message.email.received": "MessageDelivered",
    "message.email.opened": "MessageOpened",
    "message.email.clicked": "MessageClicked",
    "message.email.unsubscribed": "RecipientUnsubscribed",
    "message.email.reported_as_spam": "MessageComplained",
    "message.email.resporedasspam": "MessageComplained",
    "message.email.bounced": "MessageBounced",
    "message.email.hardbounced": "MessageBounced",
    "message.email.failed": "MessageFailed",
    "message.email.suppressed": "MessageRejected",
    "message.email.supressed": "MessageRejected",
    "message.sms.sent": "UserMessageSent",
    "message.sms.failed": "MessageFailed",
    "message.sms.delivered": "MessageDelivered",
    "message.sms.undelivered": "MessageFailed",
    "message.sms.unsubscribed": "RecipientUnsubscribed",
    # …/iam-event-streams: an impression is the message on the person's screen.
    "message.iam.impression": "MessageRead",
    "message.iam.displayed": "MessageRead",
    "message.iam.clicked": "MessageClicked",
    # Further cards of an in-app message, and lock-screen activities, which are no messages.
    **dict.fromkeys(
        "message.iam.page_displayed message.iam.pagedisplayed message.live_activity.sent message.live_activity.delivered"
        " message.live_activity.unsubscribed message.live_activity.failed message.live_activity.clicked".split(),
        "ProviderEventReceived",
    ),
}
#: Of one device, whose app is gone or not allowed to notify: the person's other devices still get pushes.
_OF_DEVICE = "message.push.unsubscribed"
_FAILURES = frozenset({"MessageFailed", "MessageBounced", "MessageRejected"})
_KIND_MARKS = (b'"message.push.', b'"message.email.', b'"message.sms.', b'"message.iam.', b'"message.live_activity.')


def recognise(request: Request) -> bool:
    """Recognise a webhook by the header that a browser adds, or by a kind of event under the key that the templates
    use."""
    if web.is_web(request):
        return True
    start = request.body[:4096]
    return any(mark in start for mark in _KIND_MARKS) and (b'"event.kind"' in start or b'"kind"' in start)


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the caller by a header of the stream (`webhook_header`, `basic_auth`) or `url_secret`. Raises
    InvalidSignature."""
    return verify_shared(request, values)


def normalize(request: Request) -> Normalized:
    """Return the one event of a request. Raises Unprocessable."""
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of OneSignal: the body is not an object")
    if web.is_web(request):
        return Normalized([keep_rest(web.event(body, request), body)])
    fields = _flat(body)
    kind = spelled(text(fields.get("event.kind")), KINDS) or None
    if kind is None:
        raise Unprocessable(
            "not an event of OneSignal: the body has no event.kind, which the source's page has a template for"
        )
    return Normalized([keep_rest(_event(fields, kind, body, request), body)])


def _flat(body: Item) -> Item:
    """Return the values by their Liquid name (`event.kind`), whichever template made the body."""
    fields: Item = {}
    for key, value in body.items():
        if not isinstance(value, dict):
            fields[key] = value
            continue
        for name, inner in value.items():
            if not isinstance(inner, dict):
                fields[name if "." in name else f"{key}.{name}"] = inner
                continue
            for last, innermost in inner.items():
                fields[f"{key}.{name}.{last}"] = innermost
    return fields


def _event(fields: Item, kind: str, body: Item, request: Request) -> Event:
    get = fields.get
    type_ = KINDS.get(kind, "ProviderEventReceived")
    event_id, message_id = identifier(get("event.id")), identifier(get("message.id"))
    if event_id is None:
        raise Unprocessable("an event without an event.id: the body of the stream must have it")
    channel = _CHANNELS.get(kind.split(".")[1]) if kind.count(".") > 1 else None
    customer, others = _whose(get, channel or "push", kind)
    name = text(get("message.name")) or ""
    if kind == _OF_DEVICE and customer is None:
        type_, message_id = "ProviderEventReceived", message_id if name.startswith(MARK) else None
    payload: Item = {"providerStatus": (text(get("event.kind")) or kind)[:255]}
    if customer is not None:
        payload["to"] = customer.value
    if others:
        payload["handles"] = [{"kind": other.kind, "value": other.value} for other in others]
    per_recipient = False
    if name.startswith(MARK) and (echo := own_id(name.removeprefix(MARK))):
        payload["reference"] = echo
    elif message_id is not None and (subscription := text(get("event.subscription_id"))):
        # A message of the dashboard or of a journey goes to many people; each becomes a message of its own.
        message_id = f"{message_id}:{subscription}"
    elif message_id is not None and (name or channel != "push"):  # Threadline sends push alone, with a name
        per_recipient = customer is not None
    if type_ == "MessageClicked" and channel == "push" and (url := text(get("message.url"))):
        payload["url"] = url
    error = Error(None, text(get("event.data.failure_reason")), "unknown") if type_ in _FAILURES else None
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, body).payload["native"]
    return Event(
        type_,
        request.source,
        event_id,
        channel=channel,
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        per_recipient=per_recipient,
        occurred_at=from_text(get("event.datetime")) or from_unix(get("event.timestamp")),
        error=error,
        payload=payload,
    )


def _whose(get: Any, channel: str, kind: str) -> tuple[Handle | None, list[Handle]]:
    """Return the recipient's first handle and the others: the e-mail address or phone number, our user id, the
    subscription."""
    found = [
        handle(get("user.subscription.subscription_token"), channel) if channel != "push" else None,
        of_kind("user_id", get("event.external_id")) if kind != _OF_DEVICE else None,
        of_kind("device_token", get("event.subscription_id")) if channel == "push" else None,
    ]
    handles = [each for each in found if each is not None]
    return (handles[0], handles[1:]) if handles else (None, [])


ADAPTER = Adapter(
    name="onesignal",
    title="OneSignal",
    docs="https://documentation.onesignal.com/docs/en/event-streams",
    channels=CHANNELS,
    events=frozenset(KINDS.values()),
    signature="signs nothing: a header, basic auth or a secret in the URL",
    signs_body=False,
    settings=(
        *SHARED_HEADER,
        Setting("api_key", "The app's API key (Settings, Keys & IDs), for sending."),
        Setting("app_id", "The app's id, for sending.", secret=False),
        Setting("api_url", f"The URL of the API; {API} if not set.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # OneSignal retries after 429 and 5xx; the default answer is 200.
    send=Send(
        channels=frozenset({"push"}),
        build_request=build_request,
        read_response=read_response,
        idempotent_for=IDEMPOTENT_FOR,
    ),
)
