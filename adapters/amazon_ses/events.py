"""Reads SES's records of outbound mail: events of a configuration set (`eventType`) or of an identity
(`notificationType`).

https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html. A record has no id, so an
event's id is made of the mail, the recipient, the type and the time, which are the same in both kinds of record.
"""

from collections.abc import Iterator
from typing import Any

from adapters.contract import Normalized, Request, Unprocessable
from adapters.reading.addresses import handle
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.own_ids import NAME, own_id
from adapters.reading.shapes import list_of, object_of
from adapters.reading.smtp_codes import code_of, reason_of
from adapters.reading.times import from_text
from schemas.events import Error, Event

EVENT_TYPES: dict[str, str] = {
    "Send": "MessageQueued",
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
#: `bounceSubType`. SES reports a soft bounce when it stops retrying. Mail to a suppressed address is not attempted.
BOUNCES: dict[str, str] = {
    "General": "unknown",
    "NoEmail": "invalid_address",
    "Suppressed": "invalid_address",
    "OnAccountSuppressionList": "blocked",
    "MailboxFull": "unreachable",
    "MessageTooLarge": "content",
    "ContentRejected": "content",
    "AttachmentRejected": "content",
    "Undetermined": "unknown",
}
_SUPPRESSED = frozenset({"Suppressed", "OnAccountSuppressionList"})
#: `delayType`.
DELAYS: dict[str, str] = {
    "InternalFailure": "unknown",
    "General": "unknown",
    "MailboxFull": "unreachable",
    "SpamDetected": "spam",
    "RecipientServerError": "unreachable",
    "IPFailure": "blocked",
    "TransientCommunicationFailure": "unreachable",
    "BYOIPHostNameLookupUnavailable": "unknown",
    "Undetermined": "unknown",
    "SendingDeferral": "rate",
}
_COPIED = (("url", "link"), ("userAgent", "userAgent"), ("ip", "ipAddress"))
#: The most recipients read from one record; SES takes 50 for one mail.
_MOST = 1000


def of_record(record: dict[str, Any], request: Request, notification: str | None) -> Normalized:
    """Return one event per recipient. `notification` is the id of the SNS message."""
    word = text(record.get("eventType")) or text(record.get("notificationType")) or ""
    mail = object_of(record["mail"])
    message_id, sent = identifier(mail.get("messageId")), _time(mail.get("timestamp"))
    if word not in _PARTS or message_id is None:
        event = unknown(request, record, status=word or None, event_id=notification)
        event.channel, event.direction, event.provider_message_id = "email", "outbound", message_id
        event.occurred_at = sent
        return Normalized([event])
    name, where = _PARTS[word]
    part = object_of(record.get(name))
    addresses = list_of(part.get(where)) if where else list_of(mail.get("destination"))
    if word in ("Open", "Click") and len(addresses) > 1:
        addresses = [None]  # SES does not report which recipient it was
    elif word == "Subscription":
        addresses = addresses[:1]  # a contact is one address
    result = Normalized()
    for recipient in addresses[:_MOST] or [None]:
        try:
            address = recipient.get("emailAddress") if isinstance(recipient, dict) else recipient
            for event in _events(word, part, object_of(recipient), record, request):
                event.channel, event.direction, event.provider_message_id = "email", "outbound", message_id
                event.handle = handle(address, "email")
                if to := text(address):
                    event.payload["to"] = to
                event.occurred_at = _time(part.get("timestamp")) or (sent if word == "Send" else None)
                list_ = text(event.payload.get("list"))
                known_by = text(part.get("feedbackId")) or text(part.get("timestamp")), text(part.get("link"))
                event.source_event_id = fact_id("ses", message_id, word, to, *known_by, list_)
                _echo(event, mail)
                result.events.append(event)
        except Unprocessable as error:
            result.unprocessable.append((recipient, str(error)))
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
        type_ = "MessageRejected" if word == "Bounce" and kind in _SUPPRESSED else type_
        words = text(recipient.get("diagnosticCode"))
        code = code_of(text(recipient.get("status")), words)
        reason = (BOUNCES if word == "Bounce" else DELAYS).get(kind, "unknown")
        error = Error(code or kind or None, words, reason if reason != "unknown" else reason_of(code))
    elif word == "Complaint":
        feedback = text(part.get("complaintFeedbackType"))
        if feedback:
            payload["feedbackType"] = feedback[:255]
        if part.get("complaintSubType") == "OnAccountSuppressionList":
            type_ = "MessageRejected"
            error = Error("OnAccountSuppressionList", "the recipient complained before", "opted_out")
        elif feedback == "not-spam":
            # With several recipients, each event keeps its own part: copies of the whole record would multiply its size.
            alone = len(list_of(part.get("complainedRecipients"))) < 2
            item = record if alone else {"eventType": word, "complaintFeedbackType": feedback} | recipient
            yield unknown(request, item, status=word)
            return
    elif word in ("Reject", "Rendering Failure"):
        error = Error(None, text(part.get("reason")) or text(part.get("errorMessage")), "content")
    else:
        payload |= {key: value for key, name in _COPIED if (value := text(part.get(name)))}
    yield Event(type_, request.source, "", error=error, payload=payload)


def _subscriptions(
    part: dict[str, Any], payload: dict[str, Any], record: dict[str, Any], request: Request
) -> Iterator[Event]:
    """Yield one event for the whole contact list, or one per topic whose state changed."""
    contacts, new = text(part.get("contactList")), object_of(part.get("newTopicPreferences"))
    if new.get("unsubscribeAll") is True:
        payload |= {"list": contacts} if contacts else {}
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
        name, state = object_of(each).get("topicName"), object_of(each).get("subscriptionStatus")
        if isinstance(name, str) and name and state in ("OptIn", "OptOut"):
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
