"""Reads Postmark's webhooks, one event each (delivery, bounce, complaint, open, click, subscription), and inbound mail.

https://postmarkapp.com/developer/webhooks/webhooks-overview and the pages beside it. Nothing is signed. A webhook is
retried unless answered with 200, an inbound mail for 10.5 hours:
https://postmarkapp.com/support/article/understanding-inbound-webhook-retries-in-postmark.
"""

from typing import Any

from adapters.contract import Adapter, Batch, LookUp, Normalized, Request, Send, Unprocessable, Values
from adapters.postmark import inbound
from adapters.postmark.bounces import TYPES
from adapters.postmark.send import (
    BATCH,
    LOOKUP_AFTER,
    OWN,
    build_batch,
    build_lookup,
    build_request,
    read_batch,
    read_lookup,
    read_response,
)
from adapters.postmark.send import SETTINGS as _SENDING
from adapters.postmark.subscriptions import is_of_all_mail, type_of_change
from adapters.reading.addresses import one_recipient
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.own_ids import own_id
from adapters.reading.remainder import keep_flat
from adapters.reading.shapes import object_of
from adapters.reading.smtp_codes import code_of, reason_of
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from adapters.signing.shared_header import SETTINGS as _SHARED
from adapters.signing.shared_header import verify_shared
from schemas.events import Error, Event

#: `RecordType`, of …/developer/webhooks/. A bounce's event depends on its `Type`, a subscription change's on
#: `SuppressSending`.
RECORDS: dict[str, str] = {
    "Delivery": "MessageDelivered",
    "Bounce": "MessageBounced",
    "SpamComplaint": "MessageComplained",
    "Open": "MessageOpened",
    "Click": "MessageClicked",
    "SubscriptionChange": "RecipientUnsubscribed",
}
_FAILURES = frozenset({"MessageBounced", "MessageDelayed", "MessageRejected"})
_TIMES = ("DeliveredAt", "BouncedAt", "ReceivedAt", "ChangedAt")
#: The record of a webhook without `RecordType`, by a key that only it has: so are the older ones, and the test requests of
#: Postmark's pages. An inbound mail, which has none either, has `FromFull`.
_UNNAMED = {
    "BouncedAt": "Bounce",
    "DeliveredAt": "Delivery",
    "FirstOpen": "Open",
    "OriginalLink": "Click",
    "SuppressSending": "SubscriptionChange",
}
#: Keys that add nothing to what their event has.
_READ = frozenset({"RecordType", "ServerID", "ID", "MessageID", "Recipient", "Email", "Type", *_TIMES})
_COPIED = (("url", "OriginalLink"), ("userAgent", "UserAgent"))


def recognise(request: Request) -> bool:
    """Recognise a webhook by a combination of keys that only its bodies have."""
    body = request.body
    if any([key in body for key in (b'"RecordType"', b'"BouncedAt"', b'"DeliveredAt"')]):
        return b'"MessageStream"' in body or b'"ServerID"' in body
    return b'"MailboxHash"' in body and b'"FromFull"' in body


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the caller's credentials: Postmark signs nothing. Raises InvalidSignature."""
    return verify_shared(request, values)


def normalize(request: Request) -> Normalized:
    """Return the one event of a webhook. Raises Unprocessable."""
    item = json_of(request)
    if not isinstance(item, dict):
        raise Unprocessable("not a webhook of Postmark: the body is not an object")
    if item.get("RecordType") == "Inbound" and "FromFull" in item:
        return Normalized([inbound.event(item, request)])
    if "RecordType" not in item:
        record = next((record for key, record in _UNNAMED.items() if key in item and "FromFull" not in item), None)
        if record is None and ("FromFull" in item or "From" in item):
            return Normalized([inbound.event(item, request)])
        if record == "Bounce" and item.get("Type") == "SpamComplaint":
            record = "SpamComplaint"
        item = item | {"RecordType": record} if record else item
    return Normalized([_event(item, request)])


def _event(item: dict[str, Any], request: Request) -> Event:
    get = item.get
    given, record = text(get("RecordType")) or "", spelled(text(get("RecordType")), RECORDS)
    kind = spelled(text(get("Type")), TYPES)
    type_, reason = _type(record, kind, item)
    customer, to = one_recipient(get("Recipient") or get("Email"))
    message_id = identifier(get("MessageID"))
    time = next((value for name in _TIMES if isinstance(value := get(name), str)), None)
    number = identifier(get("ID")) if record in ("Bounce", "SpamComplaint") else None
    event_id = f"{number[:400]}-{kind[:100]}" if number else None
    if event_id is None:
        link = text(get("OriginalLink"))
        event_id = fact_id("postmark", record, message_id, to, time, link, text(get("MessageStream")))
    if type_ == "ProviderEventReceived":
        # The type subdivides bounces only: of an unknown record the word is the record's.
        word = kind or record if record == "Bounce" or record in RECORDS else record or kind
        event = unknown(request, item, status=word or None, event_id=event_id)
        event.channel, event.direction, event.provider_message_id = "email", "outbound", message_id
        event.handle, event.occurred_at = customer, from_text(time)
        return event
    if message_id is None and to is None:
        raise Unprocessable("an event has neither a message id nor an address")
    metadata = object_of(get("Metadata"))
    payload: dict[str, Any] = {"providerStatus": given}
    if to is not None:
        payload["to"] = to
    if reference := text(metadata.get("reference")):
        payload["reference"] = reference
    if sender := text(get("From")):
        payload["from"] = sender
    if record in ("Open", "Click"):
        payload |= {key: value for key, name in _COPIED if (value := text(get(name)))}
        if ip := text(object_of(get("Geo")).get("IP")):
            payload["ip"] = ip
    elif record == "SubscriptionChange":
        if (stream := text(get("MessageStream"))) and not is_of_all_mail(item, stream):
            payload["list"] = stream
    elif kind:
        payload["bounceType"] = kind
    error = _error(item, reason) if type_ in _FAILURES else None
    event = Event(
        type_,
        request.source,
        event_id,
        channel="email",
        direction="outbound",
        provider_message_id=message_id,
        echoed_message_id=own_id(metadata.get(OWN)),
        handle=customer,
        occurred_at=from_text(time),
        error=error,
        payload=payload,
    )
    return keep_flat(event, item, _READ)


def _type(record: str, kind: str, item: dict[str, Any]) -> tuple[str, str]:
    """Return the event's type, and the reason if it is a bounce."""
    if record == "Bounce":
        return TYPES.get(kind, ("MessageBounced", "unknown"))
    if record == "SubscriptionChange":
        return type_of_change(item), "unknown"
    return RECORDS.get(record, "ProviderEventReceived"), "unknown"


def _error(item: dict[str, Any], reason: str) -> Error:
    """Return the error: Postmark's code of the bounce's type, the server's text, and the reason."""
    words = text(item.get("Details")) or text(item.get("Description"))
    if reason == "unknown":
        reason = reason_of(code_of(None, words))
    return Error(text(item.get("TypeCode")), words, reason)


ADAPTER = Adapter(
    name="postmark",
    title="Postmark",
    docs="https://postmarkapp.com/developer/webhooks/webhooks-overview",
    channels=frozenset({"email"}),
    events=frozenset(
        {
            *RECORDS.values(),
            *(type_ for type_, _ in TYPES.values()),
            "RecipientSubscribed",
            "MessageReceived",
            "ProviderEventReceived",
        }
    ),
    signature="signs nothing: basic auth, a secret in the URL, or a header that you set at Postmark",
    signs_body=False,
    job_ids=frozenset({"email"}),
    settings=(*_SHARED, *_SENDING),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Postmark must not get 403, which would end its retries of an inbound mail.
    send=Send(
        channels=frozenset({"email"}),
        build_request=build_request,
        read_response=read_response,
        batch=Batch(size=BATCH, build=build_batch, read=read_batch),
        look_up=LookUp(after=LOOKUP_AFTER, build=build_lookup, read=read_lookup),
    ),
)
