<<<<<<< HEAD
"""Unisender Go, and UniOne, which is the same service elsewhere: e-mail statuses, several in one post.

https://godocs.unisender.ru/web-api-ref#callback-format, statuses: https://godocs.unisender.ru/email-statuses. The body
has its own signature in it: the MD5 of itself with the API key in that place.
"""

import hmac
import re
from hashlib import md5
=======
"""Unisender Go (and UniOne, the same service elsewhere): statuses of transactional mails, several in one webhook.

https://godocs.unisender.ru/web-api-ref#callback-format (form, `auth`), https://godocs.unisender.ru/email-statuses (what the
statuses mean). A job may have many recipients, so that a message is `<job id>:<address>`.
"""

import re
from hashlib import md5
from hmac import compare_digest
>>>>>>> build/mail2
from typing import Any

from adapters.addresses import handle
from adapters.base import Answer, InvalidSignature, Normalized, Request, Setting, Unprocessable, Values
from adapters.bodies import json_of
<<<<<<< HEAD
from adapters.facts import fact_id, identifier, text, unknown
=======
from adapters.facts import MAX_ID, fact_id, identifier, text, unknown
>>>>>>> build/mail2
from adapters.signatures import secrets_of
from adapters.smtp_codes import code_of, reason_of
from adapters.times import from_text
from schemas.events import Error, Event

NAME = "unisender_go"
TITLE = "Unisender Go"
DOCS = "https://godocs.unisender.ru/web-api-ref#callback-format"
CHANNELS = frozenset({"email"})
SENDS: frozenset[str] = frozenset()
<<<<<<< HEAD
SIGNATURE = "MD5 of the body with the API key in it"
SETTINGS = (
    Setting(
        "api_key",
        "The API key of the user, or of the project that the webhook was set with; several where there are several.",
        aliases=("secret",),
    ),
)
SIGNS_BODY = True

#: https://godocs.unisender.ru/email-statuses. `sent` means checked and queued; a soft bounce is tried again.
=======
SIGNATURE = "MD5 of the body with the API key in it, in the body"
SETTINGS = (Setting("api_key", "The API key of the account, or of the project, that the webhook belongs to."),)
SIGNS_BODY = True

#: …/email-statuses. `sent` only says that the mail passed the checks and waits to be sent.
>>>>>>> build/mail2
STATUSES: dict[str, str] = {
    "sent": "MessageQueued",
    "delivered": "MessageDelivered",
    "opened": "MessageOpened",
    "clicked": "MessageClicked",
    "unsubscribed": "RecipientUnsubscribed",
    "subscribed": "RecipientSubscribed",
<<<<<<< HEAD
    "soft_bounced": "MessageDelayed",
    "hard_bounced": "MessageBounced",
    "spam": "MessageComplained",
}
#: `delivery_info.delivery_status`, where the server's answer does not tell more.
DELIVERY_STATUSES: dict[str, str] = {
    "err_user_unknown": "invalid_address",
    "err_user_inactive": "invalid_address",
    "err_will_retry": "unreachable",
    "err_mailbox_discarded": "invalid_address",
    "err_mailbox_full": "unreachable",
    "err_spam_rejected": "spam",
    "err_blacklisted": "blocked",
    "err_too_large": "content",
    "err_unsubscribed": "opted_out",
    "err_unreachable": "unreachable",
    "err_skip_letter": "blocked",
    "err_domain_inactive": "invalid_address",
    "err_destination_misconfigured": "unreachable",
    "err_delivery_failed": "unknown",
    "err_spam_skipped": "spam",
    "err_lost": "unknown",
}
EVENTS = frozenset({*STATUSES.values(), "MessageRejected", "ProviderEventReceived"})
#: With these Unisender Go did not even try.
_NOT_TRIED = frozenset({"err_unsubscribed", "err_skip_letter", "err_spam_skipped"})
_FAILURES = frozenset({"MessageDelayed", "MessageBounced", "MessageRejected"})
_AUTH = re.compile(rb'"auth"\s{0,8}:\s{0,8}"([0-9a-fA-F]{32})"')


def recognise(request: Request) -> bool:
    """By what only its body has."""
    return b'"events_by_user"' in request.body[:2048] and b'"auth"' in request.body


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """The MD5, in hex, of the bytes with the key in place of `auth`. No time is signed. Raises InvalidSignature."""
    keys = secrets_of(values, "api_key", "secret")
=======
    "spam": "MessageComplained",
    "soft_bounced": "MessageDelayed",
    "hard_bounced": "MessageBounced",
}
#: …/email-statuses: `delivery_status`, the finer one.
REASONS: dict[str, str] = {
    "err_user_unknown": "invalid_address",
    "err_user_inactive": "invalid_address",
    "err_mailbox_discarded": "invalid_address",
    "err_mailbox_full": "unreachable",
    "err_domain_inactive": "unreachable",
    "err_destination_misconfigured": "unreachable",
    "err_unreachable": "unreachable",
    "err_will_retry": "unreachable",
    "err_spam_rejected": "spam",
    "err_spam_skipped": "spam",
    "err_blacklisted": "blocked",
    "err_too_large": "content",
    "err_unsubscribed": "opted_out",
    "err_delivery_failed": "unknown",
    "err_skip_letter": "unknown",
    "err_lost": "unknown",
}
EVENTS = frozenset({*STATUSES.values(), "ProviderEventReceived"})
_FAILURES = frozenset({"MessageDelayed", "MessageBounced"})
_AUTH = re.compile(rb'"auth"\s*:\s*"([0-9A-Fa-f]{32})"')
_COPIED = (("url", "url", 8192), ("userAgent", "user_agent", 4096), ("ip", "ip", 64))


def recognise(request: Request) -> bool:
    """By the list that only its body has."""
    return b'"events_by_user"' in request.body


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """`auth` is the MD5 of the body in which the API key stands in its place. No time is signed: `fresh` has no say.

    Raises InvalidSignature.
    """
    keys = secrets_of(values, "api_key")
>>>>>>> build/mail2
    if not keys:
        return None
    found = _AUTH.search(request.body)
    if found is None:
        raise InvalidSignature("the body has no auth")
<<<<<<< HEAD
    given, before, after = found[1], request.body[: found.start(1)], request.body[found.end(1) :]
    # MD5 is what Unisender Go signs with; a body made longer than the one signed is no JSON.
    made = [md5(before + key.encode() + after, usedforsecurity=False).hexdigest().encode() for key in keys]
    if any([hmac.compare_digest(one, given) for one in made]):
        return True
    raise InvalidSignature("no configured api_key makes this auth")


def normalize(request: Request) -> Normalized:
    """One event of each item."""
    body = json_of(request)
    users = body.get("events_by_user") if isinstance(body, dict) else None
    if not isinstance(users, list):
        raise Unprocessable("no events of Unisender Go")
    result = Normalized()
    for user in users:
        items = user.get("events") if isinstance(user, dict) else None
        if not isinstance(items, list):
            result.unprocessable.append((user, "a user without events"))
            continue
        for item in items:
            try:
                result.events.append(_event(item, request))
            except Unprocessable as error:
                result.unprocessable.append((item, str(error)))
    return result
=======
    before, after = request.body[: found.start(1)], request.body[found.end(1) :]
    given = found[1].lower()
    made = [md5(before + key.encode() + after, usedforsecurity=False).hexdigest().encode() for key in keys]
    if any([compare_digest(one, given) for one in made]):
        return True
    raise InvalidSignature("no configured api_key makes the body's auth")


def normalize(request: Request) -> Normalized:
    """One event of each status; what is of no mail (a block of a server) is kept as it is."""
    body = json_of(request)
    users = body.get("events_by_user") if isinstance(body, dict) else None
    if not isinstance(users, list):
        raise Unprocessable("no webhook of Unisender Go: it has no events_by_user")
    found = Normalized()
    for user in users:
        events = user.get("events") if isinstance(user, dict) else None
        if not isinstance(events, list):
            found.unprocessable.append((user, "a user without events"))
            continue
        for item in events:
            try:
                found.events.append(_event(item, request))
            except Unprocessable as error:
                found.unprocessable.append((item, str(error)))
    return found
>>>>>>> build/mail2


def answer(request: Request) -> Answer:
    """200; anything else is tried again."""
    return Answer()


def handshake(request: Request, values: Values) -> Answer | None:
<<<<<<< HEAD
    """Unisender Go has none."""
    return None


def _event(item: Any, request: Request) -> Event:
    if not isinstance(item, dict):
        raise Unprocessable("an item that is no object")
    data, word = _object(item.get("event_data")), text(item.get("event_name"))
    status = text(data.get("status")) or ""
    type_ = STATUSES.get(status) if word == "transactional_email_status" else None
    job_id, email = identifier(data.get("job_id")), text(data.get("email"))
    customer = handle(email, "email")
    time = from_text(data.get("event_time")) or from_text(data.get("block_time"))
    if type_ is None:
        event = unknown(request, item, status=status or word)
        event.occurred_at = time
        if job_id is not None:
            event.channel, event.provider_message_id, event.handle = "email", job_id, customer
        return event
    if job_id is None:
        raise Unprocessable("a status of no message")
    info, metadata = _object(data.get("delivery_info")), _object(data.get("metadata"))
    detail, url = text(info.get("delivery_status")), text(data.get("url"))
    if type_ == "MessageBounced" and detail in _NOT_TRIED:
        type_ = "MessageRejected"
    payload: dict[str, Any] = {"providerStatus": status}
    if to := customer.value if customer else email:
        payload["to"] = to[:2048]
    if reference := text(metadata.get("reference")):
        payload["reference"] = reference[:1024]
    if type_ not in _FAILURES:
        told = (("url", url), ("userAgent", text(info.get("user_agent"))), ("ip", text(info.get("ip"))))
        payload |= {key: value for key, value in told if value}
    return Event(
        type_,
        request.source,
        fact_id("unisender_go", job_id, email, status, text(data.get("event_time")), url, detail),
        "email",
        "outbound",
        job_id,
        identifier(metadata.get("messageId") or metadata.get("message_id")),
        customer,
        time,
        _error(detail, info) if type_ in _FAILURES else None,
=======
    """As the webhook is set, its URL is looked at by a GET, which has nothing in it, and wants a 200."""
    return Answer() if request.method == "GET" and not request.body else None


def _event(item: Any, request: Request) -> Event:
    data = item.get("event_data") if isinstance(item, dict) else None
    if not isinstance(data, dict):
        raise Unprocessable("an event without its event_data")
    word, kind = text(data.get("status")) or "", text(item.get("event_name"))
    email, job = text(data.get("email")), identifier(data.get("job_id"))
    time, info = text(data.get("event_time")), data.get("delivery_info")
    if kind != "transactional_email_status" or word not in STATUSES:
        told = unknown(request, item, status=word or kind)
        told.occurred_at = from_text(time or data.get("block_time"))
        return told
    if job is None or email is None or len(job) + len(email) >= MAX_ID:
        raise Unprocessable("a status of no mail: it has no job_id, or no email")
    info = info if isinstance(info, dict) else {}
    customer = handle(email, "email")
    type = STATUSES[word]
    payload: dict[str, Any] = {"providerStatus": word, "to": customer.value if customer else email}
    for key, name, most in _COPIED if type not in _FAILURES else ():
        if (told_ := text(data.get(name) or info.get(name))) and len(told_) <= most:
            payload[key] = told_
    metadata = data.get("metadata")
    own_id = None
    if isinstance(metadata, dict):
        own_id = identifier(metadata.get("messageId"))
        if reference := text(metadata.get("reference")):
            payload["reference"] = reference[:1024]
    message_id = f"{job}:{customer.value if customer else email}"
    url = text(data.get("url")) if word == "clicked" else None
    return Event(
        type,
        request.source,
        fact_id("unisender", message_id, word, time, url),
        "email",
        "outbound",
        message_id,
        own_id,
        customer,
        from_text(time),
        _error(info) if type in _FAILURES else None,
>>>>>>> build/mail2
        payload,
    )


<<<<<<< HEAD
def _error(detail: str | None, info: dict[str, Any]) -> Error:
    words = text(info.get("destination_response"))
    reason = DELIVERY_STATUSES.get(detail or "", "unknown")
    if reason == "unknown":
        reason = reason_of(code_of(None, words))
    return Error(detail or code_of(None, words), words, reason)


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}
=======
def _error(info: dict[str, Any]) -> Error:
    status, words = text(info.get("delivery_status")), text(info.get("destination_response"))
    reason = REASONS.get(status or "", "unknown")
    if reason == "unknown":
        reason = reason_of(code_of(None, words))
    return Error(status, words, reason)
>>>>>>> build/mail2
