"""Reads Africa's Talking's webhooks: delivery reports, inbound SMS, opt-outs, premium subscriptions and calls.

https://developers.africastalking.com/docs/sms/notifications,
https://developers.africastalking.com/docs/voice/notifications. A request is a form with one notification, unsigned.
A report may have
no more than `id` and `status`. No report has a time with a zone. `callerNumber` is the customer's number in calls of either
direction.
"""

from typing import Any

from adapters.africastalking import calls
from adapters.contract import Adapter, Answer, Normalized, Request, Unprocessable, Values
from adapters.reading.addresses import handle
from adapters.reading.bodies import form_of, is_form
from adapters.reading.facts import fact_id, identifier, unknown
from adapters.reading.parameters import whole_of
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from adapters.signing import unsigned
from schemas.events import Error, Event

Fields = dict[str, str]

#: …/sms/notifications, delivery reports. `Sent` reached the network, `Submitted` the operator's SMS centre, where `Buffered`
#: is queued.
STATUSES: dict[str, str] = {
    "Sent": "UserMessageSent",
    "Submitted": "UserMessageSent",
    "Buffered": "MessageDelayed",
    "Success": "MessageDelivered",
    "Rejected": "MessageRejected",
    "Failed": "MessageFailed",
    "AbsentSubscriber": "MessageFailed",
    "Expired": "MessageFailed",
}
#: …/sms/notifications, failureReason; NotNetworkSubcriber is the provider's spelling.
REASONS: dict[str, str] = {
    "InsufficientCredit": "blocked",
    "InvalidLinkId": "content",
    "UserIsInactive": "invalid_address",
    "UserInBlackList": "opted_out",
    "UserAccountSuspended": "unreachable",
    "NotNetworkSubcriber": "invalid_address",
    # The person never subscribed to the product, and asked for nothing.
    "UserNotSubscribedToProduct": "blocked",
    "UserDoesNotExist": "invalid_address",
    "DoNotDisturbRejection": "opted_out",
    "DeliveryFailure": "unknown",
}
#: Reasons for a status that comes without a failureReason.
_STATUS_REASONS = {"AbsentSubscriber": "unreachable", "Buffered": "unreachable", "Expired": "expired"}
#: …/sms/notifications, subscription notifications.
UPDATES: dict[str, str] = {"addition": "RecipientSubscribed", "deletion": "RecipientUnsubscribed"}
#: Formats of the time of receipt (UTC): opt-outs, or opt-ins, with the same formatted time are one.
_SAME_OPT_OUT, _SAME_OPT_IN = "%Y-%m-%dT%H", "%Y-%m-%d"
_FAILURES = frozenset({"MessageDelayed", "MessageFailed", "MessageRejected"})
#: The fields that identify each kind of notification.
_CALL = ("sessionId", "isActive", "callerNumber")
_REPORT = ("id", "status")
_INBOUND = ("id", "from", "to", "text", "date")
_UPDATE = ("phoneNumber", "shortCode", "keyword", "updateType")
_OPT_OUT = ("phoneNumber", "senderId")
#: The same if the URL does not name the source: with fewer fields another provider's form might match.
_MARKS = (_CALL, (*_REPORT, "phoneNumber", "networkCode"), (*_INBOUND, "linkId"), _UPDATE)
_XML = Answer(200, b'<?xml version="1.0" encoding="UTF-8"?><Response/>', "application/xml")


def recognise(request: Request) -> bool:
    """Recognise a webhook by the names of its form's fields: nothing else identifies it."""
    if not is_form(request):
        return False
    names = {field.partition(b"=")[0] for field in request.body[:8192].split(b"&")[:40]}
    # Twilio's and Plivo's parameters are capitalised. The two names of an opt-out, and of
    # the shortest report, are common, so the form must have no others.
    if names == {b"phoneNumber", b"senderId"} or (names == {b"id", b"status"} and b"id=ATXid_" in request.body[:8192]):
        return True
    return any(all(name.encode() in names for name in kind) for kind in _MARKS)


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify basic authentication or the secret in the URL. Raises InvalidSignature."""
    return unsigned.verify_unsigned(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event, or two for a call that ended with a recording. Raises Unprocessable."""
    fields = dict(form_of(request))
    if not fields:
        raise Unprocessable("a form without fields")
    if _has(fields, _CALL):
        made = calls.events(fields, request)
    elif _has(fields, _REPORT):
        made = [_report(fields, request)]
    elif _has(fields, _INBOUND):
        made = [_inbound(fields, request)]
    elif _has(fields, _UPDATE):
        made = [_consent(fields, UPDATES.get(fields["updateType"].lower()), fields["updateType"], request)]
    elif _has(fields, _OPT_OUT):
        made = [_consent(fields, "RecipientUnsubscribed", "opt-out", request)]
    else:
        return Normalized([unknown(request, whole_of(request))])
    keep_rest(made[0], whole_of(request))
    return Normalized(made)


def answer(request: Request) -> Answer:
    """Return 200; to a call in progress, an empty list of instructions."""
    return _XML if b"isActive=1" in request.body else Answer()


def _has(fields: Fields, names: tuple[str, ...]) -> bool:
    return all(name in fields for name in names)


def _report(fields: Fields, request: Request) -> Event:
    given, number = fields["status"], fields.get("phoneNumber", "")
    status = spelled(given, STATUSES)
    type = STATUSES.get(status)
    if type is None:
        event = unknown(request, whole_of(request), status=status or None)
    else:
        retries = fields.get("retryCount")
        event = Event(type, request.source, fact_id("report", fields["id"], status, number, retries))
        event.payload = {"providerStatus": given}
    event.channel, event.direction = "sms", "outbound"
    event.provider_message_id, event.handle = identifier(fields["id"]), handle(number, "sms")
    for key, value in (("to", event.handle.value if event.handle else number), ("carrier", fields.get("networkCode"))):
        if value:
            event.payload[key] = value[:255]
    if type in _FAILURES:
        code = fields.get("failureReason") or None
        event.error = Error(code, status, REASONS.get(code or "") or _STATUS_REASONS.get(status, "unknown"))
    return event


def _inbound(fields: Fields, request: Request) -> Event:
    customer, date = handle(fields["from"], "sms"), fields["date"]
    message_id = identifier(fields["id"])
    if message_id is None:
        raise Unprocessable("an inbound message without its id")
    payload: dict[str, Any] = {"from": customer.value if customer else fields["from"], "to": fields["to"]}
    payload["content"] = {"text": fields["text"]}
    if fields.get("networkCode"):
        payload["carrier"] = fields["networkCode"][:255]
    if fields.get("linkId"):
        payload["reference"] = fields["linkId"][:1024]
    # Without a zone, the date is ambiguous.
    time = from_text(date) if date.endswith("Z") or date[-6:-5] in ("+", "-") else None
    return Event(
        "MessageReceived",
        request.source,
        fact_id("inbound", message_id),
        channel="sms",
        direction="inbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=time,
        payload=payload,
    )


def _consent(fields: Fields, type: str | None, word: str, request: Request) -> Event:
    """Return the event of an opt-out or opt-in. Neither has an id or a time, so the time of receipt decides whether one
    is new or posted again: repeats within the hour are one opt-out, within the day one opt-in. An opt-out that is
    posted again later than that only repeats what was asked; an opt-in would undo what was asked since, hence its
    longer time."""
    customer = handle(fields["phoneNumber"], "sms")
    if type is None or customer is None:
        return unknown(request, whole_of(request), status=word or None)
    about = fields.get("shortCode") or fields.get("senderId") or ""
    payload: dict[str, Any] = {"providerStatus": word, "from": customer.value, "to": about}
    if fields.get("keyword"):
        payload["list"] = fields["keyword"][:255]
    period = f"{request.received_at:{_SAME_OPT_OUT if type == 'RecipientUnsubscribed' else _SAME_OPT_IN}}"
    event_id = fact_id("consent", customer.value, about, fields.get("keyword"), word, period)
    return Event(type, request.source, event_id, channel="sms", direction="inbound", handle=customer, payload=payload)


ADAPTER = Adapter(
    name="africastalking",
    title="Africa's Talking",
    docs="https://developers.africastalking.com/docs/sms/notifications",
    channels=frozenset({"sms", "voice"}),
    events=frozenset(
        {
            *STATUSES.values(),
            *UPDATES.values(),
            *("MessageReceived", "CallStarted", "CallCompleted", "CallFailed", "CallRecorded", "ProviderEventReceived"),
        }
    ),
    signature="signs nothing: basic auth or a secret in the URL",
    signs_body=False,
    settings=unsigned.SETTINGS,
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    answer=answer,
)
