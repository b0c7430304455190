"""Reads Mailgun's event webhooks: what happened to a message.

…/user-manual/webhooks/webhook-payloads, …/user-manual/events/event-structure.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.reading.addresses import handle, one_recipient
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.inbound_mail import InboundMail, received
from adapters.reading.mime import bare_id
from adapters.reading.own_ids import NAME, own_id
from adapters.reading.remainder import keep_flat
from adapters.reading.shapes import object_of
from adapters.reading.smtp_codes import code_of, reason_of
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from schemas.events import Error, Event, Handle

#: The values of `event`. `failed` is temporary or permanent by its `severity`; `stored` is an inbound mail.
EVENT_TYPES: dict[str, str] = {
    "accepted": "MessageQueued",
    "rejected": "MessageRejected",
    "delivered": "MessageDelivered",
    "failed": "MessageBounced",
    "opened": "MessageOpened",
    "clicked": "MessageClicked",
    "unsubscribed": "RecipientUnsubscribed",
    "complained": "MessageComplained",
    "stored": "MessageReceived",
    "list_member_uploaded": "ProviderEventReceived",
    "list_member_upload_error": "ProviderEventReceived",
    "list_uploaded": "ProviderEventReceived",
}
#: The values of `reason` of a permanent failure that Mailgun did not attempt because of an earlier bounce or
#: complaint.
SUPPRESSED: dict[str, str] = {
    "suppress-bounce": "invalid_address",
    "suppress-unsubscribe": "opted_out",
    "suppress-complaint": "opted_out",
    "hardfail": "unknown",
}
#: Mailgun's own codes, used when no server responded (https://help.mailgun.com/hc/en-us/articles/360012287493).
CODES: dict[str, str] = {
    "498": "unreachable",
    "605": "invalid_address",
    "606": "opted_out",
    "607": "opted_out",
}
#: `reason` of other failures: `old` was retried for hours; `espblock` is a refusal for the sender's reputation.
FAILURES: dict[str, str] = {"old": "expired", "espblock": "blocked"}
#: Keys that add nothing to what their event has.
_READ = frozenset("account envelope event id log-level recipient recipient-domain timestamp".split())
_ROUTED = frozenset({"accepted", "delivered", "failed"})
#: Actions of a recipient; these events have the user agent and the IP address.
ENGAGED = frozenset({"opened", "clicked", "unsubscribed"})
_BY_ONE = ENGAGED | {"complained"}


def of_json(data: dict[str, Any], request: Request) -> list[Event]:
    """Return the events of `event-data`: one, or one per recipient of a mail that was rejected. Raises Unprocessable."""
    get = data.get
    given = text(get("event")) or ""
    word = spelled(given, EVENT_TYPES)
    # An inbound mail on its way by a route is `accepted`, `delivered` and `failed` too; the route's own post has its
    # content. …/user-manual/events/event-structure, `is-routed`.
    routed = bool(get("routes")) or (word in _ROUTED and object_of(get("flags")).get("is-routed") is True)
    type_ = "ProviderEventReceived" if routed else EVENT_TYPES.get(word, "ProviderEventReceived")
    event_id, time = identifier(get("id")), from_unix(get("timestamp"))
    headers = object_of(object_of(get("message")).get("headers"))
    message_id = bare_id(headers.get("message-id"))
    recipients: list[tuple[Handle | None, str | None]] = [*recipients_of(get("recipient"))]
    if not recipients and word == "rejected":
        # It was refused before it was split by recipients, and has the header alone.
        recipients = [*recipients_of(headers.get("to"))]
    if type_ == "ProviderEventReceived":
        event = unknown(request, data, status=given or None, event_id=event_id)
        if message_id is not None and routed:
            event.channel, event.direction = "email", "inbound"
            event.handle = handle(object_of(get("envelope")).get("sender"), "email")
        elif message_id is not None:
            event.channel, event.direction, event.provider_message_id = "email", "outbound", message_id
            event.handle = recipients[0][0] if len(recipients) == 1 else None
        event.occurred_at = time
        return [event]
    if event_id is None:
        if message_id is None and not recipients:
            raise Unprocessable("an event has neither a message id nor an address")
        addresses = ", ".join([to for _, to in recipients if to])
        event_id = fact_id("mailgun", word, message_id, addresses, text(get("timestamp")), text(get("url")))
    if type_ == "MessageReceived":
        return [_stored(data, headers, request, event_id)]
    error = None
    if word == "failed":
        type_, error = failure_of(data)
    elif word == "rejected":
        reject = object_of(get("reject"))
        words = [one for one in (text(reject.get("reason")), text(reject.get("description"))) if one]
        error = Error(None, ": ".join(words)[:8192] or None, "unknown")
    variables = object_of(get("user-variables"))
    made: list[Event] = []
    nobody: list[tuple[Handle | None, str | None]] = [(None, "")]
    if word in _BY_ONE and len(recipients) > 1:
        recipients = [one_recipient(get("recipient"))]  # which of them it was is unknown
    for customer, to in recipients or nobody:
        payload = payload_of(given, to, variables.get("reference"))
        if sender := text(object_of(get("envelope")).get("sender")):
            payload["from"] = sender
        if word in ENGAGED:
            client = object_of(get("client-info"))
            payload |= engaged_of(get("url"), client.get("user-agent"), get("ip"))
            # …/user-manual/tracking-messages/open-click-bot-detect: `apple`, `gmail` or `generic`; else empty.
            if word == "opened" and text(client.get("bot")):
                payload["machineOpen"] = True
        made.append(
            Event(
                type_,
                request.source,
                event_id if len(recipients) < 2 else fact_id(event_id, to),
                channel="email",
                direction="outbound",
                provider_message_id=message_id,
                echoed_message_id=own_id(variables.get(NAME)),
                handle=customer,
                occurred_at=time,
                error=error,
                payload=payload,
            )
        )
    # An unsubscription is from all mail, whatever list or tag it came by: both are kept here, and narrow nothing.
    if len(made) == 1:  # copies for each recipient would multiply its size
        keep_flat(made[0], data, _READ)
    return made


def failure_of(data: dict[str, Any]) -> tuple[str, Error]:
    """Return the type and error of a failure: delayed, bounced, or rejected without an attempt."""
    status, why = object_of(data.get("delivery-status")), text(data.get("reason")) or ""
    words = text(status.get("message")) or text(status.get("description"))
    code = code_of(text(status.get("enhanced-code")) or text(status.get("code")), words)
    own = text(status.get("code")) or ""
    reason = SUPPRESSED.get(why) or CODES.get(own) or FAILURES.get(why) or reason_of(code)
    if why in SUPPRESSED or own in ("605", "606", "607"):
        type_, reason, code = "MessageRejected", CODES.get(own, reason), own or code
    else:
        type_ = "MessageDelayed" if data.get("severity") == "temporary" else "MessageBounced"
    return type_, Error(code if code and code != "0" else None, words or why or None, reason)


def _stored(data: dict[str, Any], headers: dict[str, Any], request: Request, event_id: str) -> Event:
    """Return the event of a mail that a route's store() keeps: it can be fetched for three days, with the API key."""
    content: dict[str, Any] = {"subject": subject} if (subject := text(headers.get("subject"))) else {}
    storage = object_of(data.get("storage"))
    given = storage.get("url")
    if url := text(given[0] if isinstance(given, list) and given else given):  # one region's, or a list of them
        content["media"] = [{"type": "message/rfc822", "url": url[:8192]}]
    to = data.get("recipient") or object_of(data.get("message")).get("recipients") or headers.get("to")
    recipients = [address for _, address in recipients_of(to)]
    sender = text(object_of(data.get("envelope")).get("sender"))
    one = InboundMail(
        sender=text(headers.get("from")) or sender,
        envelope_sender=sender,
        recipients=recipients,
        content=content,
        provider_id=kept_id(text(storage.get("key")), ", ".join(recipients)),
        message_id=headers.get("message-id"),
        status="stored",
        occurred_at=from_unix(data.get("timestamp")),
    )
    return received(one, request, event_id)


def kept_id(key: str | None, recipient: str) -> str | None:
    """Return the id of a mail that Mailgun stores: its key in the storage, which recipients of one mail may share."""
    return fact_id("mailgun", key, ", ".join([to for _, to in recipients_of(recipient)])) if key else None


def payload_of(word: str, recipient: str | None, reference: Any) -> dict[str, Any]:
    """Return the payload that every event has: the status, the recipient, our reference."""
    payload: dict[str, Any] = {"providerStatus": word}
    if recipient:
        payload["to"] = recipient
    if isinstance(reference, str) and reference:
        payload["reference"] = reference[:1024]
    return payload


def engaged_of(url: Any, agent: Any, ip: Any) -> dict[str, str]:
    """Return the link, user agent and IP address of an open or a click."""
    given = (("url", url), ("userAgent", agent), ("ip", ip))
    return {key: value for key, value in given if isinstance(value, str) and value}
