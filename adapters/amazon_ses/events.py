"""Reads SES's records of outbound mail: events of a configuration set (`eventType`) or of an identity
(`notificationType`).

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html. A record has no id, so an
event's id is made of the mail, the recipient, the type and the time, which are the same in both kinds of record.
"""

from collections.abc import Iterator
from typing import Any

from adapters.amazon_ses.bounces import BOUNCES, DELAYS, LISTS, type_of
from adapters.contract import Normalized, Request, Unprocessable
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.own_ids import NAME, own_id
from adapters.reading.remainder import keep_flat
from adapters.reading.shapes import list_of, object_of
from adapters.reading.smtp_codes import code_of, reason_of
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from schemas.events import Error, Event

EVENT_TYPES: dict[str, str] = {
    # SES took it, and tries to deliver it.
    "Send": "UserMessageSent",
    "Delivery": "MessageDelivered",
    "DeliveryDelay": "MessageDelayed",
    "Bounce": "MessageBounced",
    "Complaint": "MessageComplained",
    "Reject": "MessageRejected",
    "Rendering Failure": "MessageRejected",
    "Open": "MessageOpened",
    "Click": "MessageClicked",
    "Subscription": "RecipientUnsubscribed",
    "AmazonSnsSubscriptionSucceeded": "ProviderEventReceived",
}
#: A record's key with the details, and the key in there with the recipients; if empty, all of the mail's recipients.
_PARTS: dict[str, tuple[str, str]] = {
    "Send": ("send", ""),
    "Delivery": ("delivery", "recipients"),
    "DeliveryDelay": ("deliveryDelay", "delayedRecipients"),
    "Bounce": ("bounce", "bouncedRecipients"),
    "Complaint": ("complaint", "complainedRecipients"),
    "Reject": ("reject", ""),
    "Rendering Failure": ("failure", ""),
    "Open": ("open", ""),
    "Click": ("click", ""),
    "Subscription": ("subscription", ""),
}
_STATES = frozenset({"OptIn", "OptOut"})
_COPIED = (("url", "link"), ("userAgent", "userAgent"), ("ip", "ipAddress"))
#: Keys that add nothing to what their event has.
_READ = frozenset({"messageId", "timestamp", "destination", "recipients", "feedbackId"})
#: The most recipients read from one record; SES takes 50 for one mail.
_MOST = 1000


def of_record(record: dict[str, Any], request: Request, notification: str | None) -> Normalized:
    """Return one event per recipient. `notification` is the id of the SNS message."""
    given = text(record.get("eventType")) or text(record.get("notificationType")) or ""
    word = spelled(given, EVENT_TYPES)
    mail = object_of(record["mail"])
    message_id, sent = identifier(mail.get("messageId")), _time(mail.get("timestamp"))
    if word not in _PARTS or message_id is None:
        event = unknown(request, record, status=word or None, event_id=notification)
        event.channel, event.direction, event.provider_message_id = "email", "outbound", message_id
        event.occurred_at = sent
        return Normalized([event])
    name, where = _PARTS[word]
    part = object_of(record.get(name))
    destinations = list_of(mail.get("destination"))
    addresses = list_of(part.get(where)) if where else destinations
    if not addresses and len(destinations) == 1:
        addresses = destinations  # an automatic answer's report names nobody
    if word in ("Open", "Click") and len(addresses) > 1:
        addresses = [None]  # SES does not report which recipient it was
    elif word == "Subscription":
        addresses = addresses[:1]  # a contact is one address
    result = Normalized()
    for recipient in addresses[:_MOST] or [None]:
        try:
            customer, to = next(iter(recipients_of([recipient])), (None, None))
            for event in _events(word, part, object_of(recipient), record, request):
                event.channel, event.direction, event.provider_message_id = "email", "outbound", message_id
                event.handle, event.payload["providerStatus"] = customer, given
                if to:
                    event.payload["to"] = to
                event.occurred_at = _time(part.get("timestamp")) or (sent if word == "Send" else None)
                list_ = text(event.payload.get("list"))
                known_by = text(part.get("feedbackId")) or text(part.get("timestamp")), text(part.get("link"))
                event.source_event_id = fact_id("ses", message_id, word, to, *known_by, list_)
                _echo(event, mail)
                result.events.append(event)
        except Unprocessable as error:
            result.unprocessable.append((recipient, str(error)))
    if len(result.events) == 1:  # copies for each recipient would multiply its size
        keep_flat(keep_flat(result.events[0], mail, _READ), part, _READ)
    return result


def _events(
    word: str, part: dict[str, Any], recipient: dict[str, Any], record: dict[str, Any], request: Request
) -> Iterator[Event]:
    """Yield one recipient's event, or one per changed topic; `of_record` adds the recipient and the time."""
    payload: dict[str, Any] = {"providerStatus": word}
    type_, error = EVENT_TYPES[word], None
    if word == "Subscription":
        yield from _subscriptions(part, payload, record, request)
        return
    if word in ("Bounce", "DeliveryDelay"):
        kind = text(part.get("bounceSubType")) or text(part.get("delayType")) or ""
        payload["bounceType"] = "/".join(filter(None, (text(part.get("bounceType")), kind)))[:255]
        type_ = type_of(part, recipient, kind) if word == "Bounce" else type_
        if type_ == "ProviderEventReceived":
            notice = _notice(word, part, recipient, record, request)
            notice.payload["bounceType"] = payload["bounceType"]
            yield notice
            return
        words = text(recipient.get("diagnosticCode"))
        code = code_of(text(recipient.get("status")), words)
        reason = (BOUNCES if word == "Bounce" else DELAYS).get(kind, "unknown")
        error = Error(code or kind or None, words, reason if reason != "unknown" else reason_of(code))
    elif word == "Complaint":
        feedback = text(part.get("complaintFeedbackType"))
        if feedback:
            payload["feedbackType"] = feedback[:255]
        if (listed := text(part.get("complaintSubType"))) in LISTS:
            type_ = "MessageRejected"
            error = Error(listed, "the recipient complained before", "opted_out")
        elif feedback in ("not-spam", "auth-failure"):  # neither is a complaint
            yield _notice(word, part, recipient, record, request)
            return
    elif word in ("Reject", "Rendering Failure"):
        error = Error(None, text(part.get("reason")) or text(part.get("errorMessage")), "content")
    else:
        payload |= {key: value for key, name in _COPIED if (value := text(part.get(name)))}
    yield Event(type_, request.source, "", error=error, payload=payload)


def _notice(
    word: str, part: dict[str, Any], recipient: dict[str, Any], record: dict[str, Any], request: Request
) -> Event:
    """Return an event that changes nothing of the mail. With several recipients, each keeps its own part: copies of the
    whole record would multiply its size."""
    if len(list_of(part.get(_PARTS[word][1]))) < 2:
        return unknown(request, record, status=word)
    own = ("bounceType", "bounceSubType", "complaintFeedbackType")
    item = {"eventType": word} | {key: part[key] for key in own if isinstance(part.get(key), str)} | recipient
    return unknown(request, item, status=word)


def _subscriptions(
    part: dict[str, Any], payload: dict[str, Any], record: dict[str, Any], request: Request
) -> Iterator[Event]:
    """Yield one event for all mail, since an account has one contact list
    (https://docs.aws.amazon.com/ses/latest/dg/sending-email-list-management.html), or one per topic whose state
    changed."""
    contacts, new = text(part.get("contactList")), object_of(part.get("newTopicPreferences"))
    if new.get("unsubscribeAll") is True:
        yield Event("RecipientUnsubscribed", request.source, "", payload=payload)
        return
    before = dict(_topics(object_of(part.get("oldTopicPreferences"))))
    changed = [(topic, state) for topic, state in _topics(new) if before.get(topic) != state]
    if not changed:
        yield unknown(request, record, status="Subscription")
    for topic, state in changed[:_MOST]:
        type_ = "RecipientSubscribed" if state == "OptIn" else "RecipientUnsubscribed"
        yield Event(
            type_, request.source, "", payload=payload | {"list": f"{contacts}/{topic}"[:255] if contacts else topic}
        )


def _topics(preferences: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for each in list_of(preferences.get("topicSubscriptionStatus")):
        name, state = (
            object_of(each).get("topicName"),
            spelled(text(object_of(each).get("subscriptionStatus")), _STATES),
        )
        if isinstance(name, str) and name and state in _STATES:
            yield name, state


def _echo(event: Event, mail: dict[str, Any]) -> None:
    """Set our ids, which the mail's tags (lists) return, and the sender."""
    tags = object_of(mail.get("tags"))
    event.echoed_message_id = own_id(next(iter(list_of(tags.get(NAME))), None))
    if reference := text(next(iter(list_of(tags.get("reference"))), None)):
        event.payload["reference"] = reference
    if sender := text(mail.get("source")):
        event.payload["from"] = sender


def _time(value: Any) -> Any:
    """Parse an ISO 8601 time; SES has also written ` +0000` for Z."""
    return from_text(value.replace(" +0000", "Z")) if isinstance(value, str) else None
