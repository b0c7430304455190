"""Reads MailerSend's activities, in both versions of its webhooks, and who is on hold.

https://developers.mailersend.com/api/v1/webhooks.html
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.mailersend.errors import error_of
from adapters.mailersend.send import REFERENCE
from adapters.reading.addresses import handle
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.shapes import object_of
from adapters.reading.times import from_text
from schemas.events import Event

#: https://developers.mailersend.com/api/v1/webhooks.html#available-events; `suppressed` is posted, but not listed
#: there.
EVENT_TYPES: dict[str, str] = {
    "activity.sent": "UserMessageSent",
    "activity.delivered": "MessageDelivered",
    "activity.soft_bounced": "MessageBounced",
    "activity.hard_bounced": "MessageBounced",
    "activity.deferred": "MessageDelayed",
    "activity.suppressed": "MessageRejected",
    "activity.opened": "MessageOpened",
    "activity.opened_unique": "MessageOpened",
    "activity.clicked": "MessageClicked",
    "activity.clicked_unique": "MessageClicked",
    "activity.unsubscribed": "RecipientUnsubscribed",
    "activity.spam_complaint": "MessageComplained",
    "activity.survey_opened": "MessageOpened",
    "activity.survey_submitted": "ProviderEventReceived",
}
_FAILURES = frozenset({"MessageBounced", "MessageDelayed", "MessageRejected"})
_BOUNCE_TYPES = {"activity.soft_bounced": "soft", "activity.hard_bounced": "hard"}
_COPIED = (("url", "url"), ("userAgent", "user_agent"), ("ip", "ip"))


def activity(word: str, body: dict[str, Any], data: dict[str, Any], request: Request) -> Event:
    """Return the event of an activity. Raises Unprocessable if it has neither a message id nor an address."""
    mail = data["email"] if isinstance(data.get("email"), dict) else {}
    message, recipient = (object_of(mail.get(name)) for name in ("message", "recipient"))
    message_id = identifier(data.get("message_id")) or identifier(message.get("id"))
    # Version 2 documents `email`, but posts `recipient`.
    address = text(data.get("recipient")) or text(data.get("email")) or text(recipient.get("email"))
    customer = handle(address, "email")
    time = from_text(data.get("created_at")) or from_text(body.get("created_at"))
    event_id = identifier(data.get("id"))
    if event_id is None:
        if message_id is None and address is None:
            raise Unprocessable("an activity has neither a message id nor an address")
        event_id = fact_id("mailersend", word, message_id, address, text(body.get("created_at")))
    type_ = EVENT_TYPES.get(word, "ProviderEventReceived")
    payload: dict[str, Any] = {"providerStatus": text(body.get("type")) or text(body.get("object")) or word}
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, body).payload["native"]
    if sender := text(mail.get("from")):
        payload["from"] = sender[:2048]
    if to := customer.value if customer else address:
        payload["to"] = to[:2048]
    if email_id := identifier(data.get("email_id")):
        # The Message-ID of the mail, by which a reply joins it.
        payload["internetMessageId"] = f"{email_id}@mailersend.net"
    tags = data.get("tags") or mail.get("tags")
    for tag in tags[:20] if isinstance(tags, list) else []:
        if isinstance(tag, str) and tag.startswith(REFERENCE):
            payload["reference"] = tag.removeprefix(REFERENCE)[:1024]
    about = object_of(data.get("meta")) or object_of(data.get("morph"))
    if type_ in ("MessageOpened", "MessageClicked"):
        payload |= {key: value for key, name in _COPIED if (value := text(about.get(name)))}
    if kind := _BOUNCE_TYPES.get(word):
        payload["bounceType"] = kind
    error = error_of(about) if type_ in _FAILURES else None
    event = Event(
        type_,
        request.source,
        event_id,
        channel="email",
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=time,
        error=error,
        payload=payload,
    )
    return keep_rest(event, data, ("type", "object", "domain_id", "created_at", "email_id"))


def about_hold(event: Event, data: dict[str, Any]) -> None:
    """Give the event of a recipient who is put on hold, or no longer, their address."""
    address = text(data.get("email")) or text(object_of(data.get("recipient")).get("email"))
    event.channel, event.handle = "email", handle(address, "email")
