"""Reads the event webhooks of older Mailgun accounts, which are forms.

The section "Tracking Messages" of https://github.com/mailgun/documentation/blob/master/source/user_manual.rst.
"""

from typing import Any

from adapters.contract import Request, Unprocessable
from adapters.mailgun.events import ENGAGED, engaged_of, failure_of, payload_of
from adapters.reading.addresses import one_recipient
from adapters.reading.bodies import parse_json
from adapters.reading.facts import fact_id, unknown
from adapters.reading.mime import bare_id
from adapters.reading.own_ids import NAME, own_id
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from schemas.events import Event

#: The values of the field `event`.
FORM_TYPES: dict[str, str] = {
    "delivered": "MessageDelivered",
    "opened": "MessageOpened",
    "clicked": "MessageClicked",
    "unsubscribed": "RecipientUnsubscribed",
    "complained": "MessageComplained",
    "bounced": "MessageBounced",
    "dropped": "MessageBounced",
}


def of_form(fields: dict[str, str], request: Request) -> Event:
    """Return the event of a form. A form has no event id: the id is made of the message, recipient and word, and for
    opens and clicks the time. Raises Unprocessable."""
    get = fields.get
    word = spelled(fields["event"], FORM_TYPES)
    customer, recipient = one_recipient(get("recipient"))
    type_ = FORM_TYPES.get(word, "ProviderEventReceived")
    message_id = bare_id(get("Message-Id") or get("message-id") or _header(get("message-headers"), "message-id"))
    many = word in ("opened", "clicked") or type_ == "ProviderEventReceived"
    when = get("timestamp") if many or message_id is None else None
    event_id = fact_id("mailgun", word, message_id, recipient, when, get("url"))
    time = from_unix(get("timestamp"))
    if type_ == "ProviderEventReceived":
        native = {name: value for name, value in fields.items() if name not in ("token", "signature")}
        event = unknown(request, native, status=word or None, event_id=event_id)
        event.provider_message_id, event.occurred_at, event.handle = message_id, time, customer
        return event
    if message_id is None and not recipient:
        raise Unprocessable("an event has neither a message id nor an address")
    error = None
    if type_ == "MessageBounced":
        status = {"code": get("code"), "message": get("error") or get("description")}
        type_, error = failure_of({"reason": get("reason"), "severity": "permanent", "delivery-status": status})
    payload = payload_of(fields["event"], recipient, get("reference"))
    if word in ENGAGED:
        payload |= engaged_of(get("url"), get("user-agent"), get("ip"))
    if word == "unsubscribed" and (by := {name: value for name in ("mailing-list", "tag") if (value := get(name))}):
        payload["native"] = by  # as in `events.of_json`: they narrow nothing
    return Event(
        type_,
        request.source,
        event_id,
        channel="email",
        direction="outbound",
        provider_message_id=message_id,
        echoed_message_id=own_id(get(NAME)),
        handle=customer,
        occurred_at=time,
        error=error,
        payload=payload,
    )


def _header(headers: str | None, name: str) -> Any:
    """Return the value of a header in the form's JSON list of names and values."""
    try:
        pairs = parse_json(headers.encode("utf-8", "replace")) if headers else []
    except Unprocessable:
        return None
    for pair in pairs if isinstance(pairs, list) else []:
        if isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) and pair[0].lower() == name:
            return pair[1]
    return None
