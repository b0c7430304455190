"""Reads Brevo's (formerly Sendinblue's) webhooks of mail and SMS and parsed inbound mail, and sends mail.

Webhooks: https://developers.brevo.com/docs/transactional-webhooks. They are not signed:
…/docs/username-and-password-authentication. Brevo retries four times in eleven hours after a time-out, but never after
4xx or 5xx: …/docs/retry-mechanism.
"""

import re
from collections.abc import Iterator
from typing import Any

from adapters.brevo import inbound, marketing, sms
from adapters.brevo.send import IDEMPOTENT_FOR, build_request, read_response
from adapters.brevo.send import SETTINGS as _SENDING
from adapters.contract import Adapter, Normalized, Request, Send, Unprocessable, Values
from adapters.reading.addresses import one_recipient
from adapters.reading.bodies import json_of, parse_json
from adapters.reading.facts import fact_id, text, unknown
from adapters.reading.mime import bare_id
from adapters.reading.own_ids import NAME, own_id
from adapters.reading.remainder import keep_flat
from adapters.reading.shapes import object_of
from adapters.reading.smtp_codes import code_of, reason_of
from adapters.reading.times import from_unix, from_unix_or_millis
from adapters.reading.words import spelled
from adapters.signing.shared_header import SETTINGS as _SHARED_HEADER
from adapters.signing.shared_header import verify_shared
from schemas.events import Error, Event

#: `event`. After a soft bounce Brevo has stopped retrying; after a deferral it retries.
EVENT_TYPES: dict[str, str] = {
    "request": "MessageQueued",
    "delivered": "MessageDelivered",
    "deferred": "MessageDelayed",
    "soft_bounce": "MessageBounced",
    "hard_bounce": "MessageBounced",
    "invalid_email": "MessageRejected",
    "blocked": "MessageRejected",
    "error": "MessageFailed",
    "spam": "MessageComplained",
    "complaint": "MessageComplained",
    "opened": "MessageOpened",
    "unique_opened": "MessageOpened",
    "proxy_open": "MessageOpened",
    "unique_proxy_open": "MessageOpened",
    "click": "MessageClicked",
    "unsubscribed": "RecipientUnsubscribed",
    # The same word of marketing webhooks.
    "unsubscribe": "RecipientUnsubscribed",
}
#: The reason, if the mail server's reply gives none.
REASONS: dict[str, str] = {"hard_bounce": "invalid_address", "invalid_email": "invalid_address", "blocked": "blocked"}
_FAILURES = frozenset({"MessageDelayed", "MessageBounced", "MessageRejected", "MessageFailed"})
#: Keys that add nothing to what their event has.
_READ = frozenset({"event", "email", "message-id", "ts", "ts_event", "ts_epoch", "date"})
_COPIED = (("url", "URL"), ("url", "link"), ("userAgent", "user_agent"), ("ip", "ip"), ("from", "sender_email"))
_PROXIED = frozenset({"proxy_open", "unique_proxy_open"})
_CONTACT = re.compile(rb'"event"\s{0,8}:\s{0,8}"(?:contact_updated|contact_deleted|list_addition)"')
#: Brevo reports a first open by two events, which become one.
_SAME = {"unique_opened": "opened", "unique_proxy_open": "proxy_open"}


def recognise(request: Request) -> bool:
    """Recognise a webhook by keys that only its bodies have together."""
    body = request.body
    if b'"message-id"' in body:
        return b'"event"' in body and (b'"ts_event"' in body or b'"ts_epoch"' in body)
    if b'"msg_status"' in body:
        return b'"credits_used"' in body
    if b'"campaign name"' in body:
        return b'"camp_id"' in body and b'"event"' in body
    if _CONTACT.search(body[:4096]):
        return True
    return b'"ExtractedMarkdownMessage"' in body and b'"items"' in body[:4096]


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the caller's credentials, as Brevo signs nothing. Raises InvalidSignature."""
    return verify_shared(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event per item of a batch (a list), or one per inbound mail."""
    body = json_of(request)
    result = Normalized()
    mails = body.get("items") if isinstance(body, dict) else None
    for item in mails if isinstance(mails, list) else body if isinstance(body, list) else [body]:
        try:
            if not isinstance(item, dict):
                raise Unprocessable("an item is not an object")
            if isinstance(mails, list):
                result.events.append(inbound.event(item, request))
            elif "msg_status" in item:
                result.events.append(sms.event(item, request))
            else:
                result.events.extend(_events(item, request))
        except Unprocessable as error:
            result.unprocessable.append((item, str(error)))
    return result


def _events(item: dict[str, Any], request: Request) -> Iterator[Event]:
    word = spelled(text(item.get("event")), (*EVENT_TYPES, *marketing.CONTACT_WORDS))
    if word in marketing.CONTACT_WORDS:
        yield from marketing.of_contact(item, word, request)
    elif word == "unsubscribe":
        yield from marketing.of_lists(_event(item, request), item.get("list_id"))
    else:
        yield _event(item, request)


def _event(item: dict[str, Any], request: Request) -> Event:
    get = item.get
    given = text(get("event")) or ""
    word = spelled(given, EVENT_TYPES)
    customer, email = one_recipient(get("email"))
    type_ = EVENT_TYPES.get(word, "ProviderEventReceived")
    message_id = bare_id(get("message-id"))
    time = from_unix(get("ts_event")) or _of_epoch(get("ts_epoch"))
    if type_ == "ProviderEventReceived":
        event = unknown(request, item, status=given or None)
        event.occurred_at, event.handle = time, customer
        if message_id is not None:
            event.channel, event.direction, event.provider_message_id = "email", "outbound", message_id
        return event
    if message_id is None and email is None:
        raise Unprocessable("an event has neither a message id nor an address")
    payload: dict[str, Any] = {"providerStatus": given}
    if email:
        payload["to"] = email
    ours = _ours(get("X-Mailin-custom"))
    if reference := text(ours.get("reference")):
        payload["reference"] = reference[:1024]
    payload |= {key: value for key, name in _COPIED if (value := text(get(name)))}
    if word in _PROXIED:
        payload["machineOpen"] = True
    error = None
    if type_ in _FAILURES:
        words = text(get("reason"))
        code = code_of(None, words)
        reason = reason_of(code)
        error = Error(code, words, reason if reason != "unknown" else REASONS.get(word, "unknown"))
    stamp = text(get("ts_event")) or text(get("ts_epoch")) or text(get("date"))
    event = Event(
        type_,
        request.source,
        fact_id("brevo", _SAME.get(word, word), message_id or text(get("camp_id")), email, stamp, payload.get("url")),
        channel="email",
        direction="outbound",
        provider_message_id=message_id,
        echoed_message_id=own_id(ours.get(NAME)),
        handle=customer,
        occurred_at=time,
        error=error,
        payload=payload,
    )
    return keep_flat(event, item, _READ)  # tags, the subject, the mirror link, the device


def _ours(header: Any) -> dict[str, Any]:
    """Read both our ids from the header X-Mailin-custom; a value that we did not write becomes the reference."""
    if not isinstance(header, str) or not header:
        return {}
    if header.startswith("{") and len(header) <= 4096:
        try:
            return object_of(parse_json(header.encode("utf-8", "replace")))
        except Unprocessable:
            return {"reference": header}
    return {"reference": header}


def _of_epoch(value: Any) -> Any:
    """Parse `ts_epoch`, in milliseconds as documented or in seconds as in the documentation's examples."""
    return from_unix_or_millis(value)


ADAPTER = Adapter(
    name="brevo",
    title="Brevo",
    docs="https://developers.brevo.com/docs/transactional-webhooks",
    channels=frozenset({"email", "sms"}),
    events=frozenset({*EVENT_TYPES.values(), *sms.STATUSES.values(), "MessageReceived", "ProviderEventReceived"}),
    signature="signs nothing: basic auth, a secret in the URL, or a header (as a bearer token)",
    signs_body=False,
    job_ids=frozenset({"email"}),
    settings=(*_SHARED_HEADER, *_SENDING),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # No `answer`: an error status would end Brevo's retries.
    send=Send(
        channels=frozenset({"email"}),
        build_request=build_request,
        read_response=read_response,
        idempotent_for=IDEMPOTENT_FOR,
    ),
)
