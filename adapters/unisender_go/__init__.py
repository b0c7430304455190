"""Reads the webhooks of Unisender Go (elsewhere UniOne): several statuses of transactional mails in each, or one.

https://godocs.unisender.ru/web-api-ref#callback-format (form, `auth`), https://godocs.unisender.ru/email-statuses
(the meaning of the statuses). A job may have many recipients, so a message's id is `<job id>:<address>`.
"""

import re
from hashlib import md5
from typing import Any

from adapters.contract import (
    MAX_ID,
    Adapter,
    Answer,
    InvalidSignature,
    Normalized,
    Request,
    Setting,
    Unprocessable,
    Values,
    secrets_of,
)
from adapters.reading.addresses import handle
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from adapters.signing.signatures import same
from adapters.unisender_go.errors import error_of
from schemas.events import Event

#: …/email-statuses. `sent`: it was taken and is on its way; whether it arrived is not known yet.
_STATUS = "transactional_email_status"
STATUSES: dict[str, str] = {
    "accepted": "MessageQueued",
    "sent": "UserMessageSent",
    "delivered": "MessageDelivered",
    "opened": "MessageOpened",
    "clicked": "MessageClicked",
    "unsubscribed": "RecipientUnsubscribed",
    "subscribed": "RecipientSubscribed",
    "spam": "MessageComplained",
    "soft_bounced": "MessageDelayed",
    "hard_bounced": "MessageBounced",
}
#: What a repeated post of a single event may have different from the first, so that it must not enter the event's id.
_OF_A_POST = ("auth", "retry_count")
#: Keys whose value the event has in another form, or that describe the account.
_ROUTINE = ("status", "event_name", "event_time", "email", "user_id", "project_id", "project_name")
_FAILURES = frozenset({"MessageDelayed", "MessageBounced"})
_AUTH = re.compile(rb'"auth"\s*:\s*"([0-9A-Fa-f]{32})"')
_COPIED = (("url", "url", 8192), ("userAgent", "user_agent", 4096), ("ip", "ip", 64))


def recognise(request: Request) -> bool:
    """Recognise a webhook by the list that only its body has, or by the names of a single event's fields."""
    body = request.body
    return b'"events_by_user"' in body or (b'"transactional_' in body and b'"event_name"' in body and b'"auth"' in body)


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify `auth`, the MD5 of the body with the API key in the place of `auth`. No time is signed, so `fresh` has
    no effect. Raises InvalidSignature."""
    keys = secrets_of(values, "api_key")
    if not keys:
        return None
    found = _AUTH.search(request.body)
    if found is None:
        raise InvalidSignature("the body has no auth")
    before, after = request.body[: found.start(1)], request.body[found.end(1) :]
    given = found[1].lower()
    made = [md5(before + key.encode() + after, usedforsecurity=False).hexdigest().encode() for key in keys]
    if any([same(one, given) for one in made]):
        return True
    raise InvalidSignature("no configured api_key makes the body's auth")


def normalize(request: Request) -> Normalized:
    """Return one event per status; an event without a mail (a blocked server) becomes an unknown event. Raises
    Unprocessable."""
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of Unisender Go: the body is not an object")
    users = body.get("events_by_user")
    if users is None and text(body.get("event_name")):
        # …/web-api-ref#webhook-set, `single_event`: one event, its fields beside `auth`.
        return Normalized([_event({key: value for key, value in body.items() if key not in _OF_A_POST}, request)])
    if not isinstance(users, list):
        raise Unprocessable("not a webhook of Unisender Go: the body has neither events_by_user nor event_name")
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


def handshake(request: Request, values: Values) -> Answer | None:
    """Answer the empty GET by which Unisender Go checks a new webhook's URL, and which must get 200."""
    return Answer() if request.method == "GET" and not request.body else None


def _event(item: Any, request: Request) -> Event:
    data = item.get("event_data", item) if isinstance(item, dict) else None
    if not isinstance(data, dict) or not isinstance(item, dict):
        raise Unprocessable("an event without its event_data")
    given = text(data.get("status")) or ""
    word, kind = spelled(given, STATUSES), spelled(text(item.get("event_name")), (_STATUS,))
    email, job = text(data.get("email")), identifier(data.get("job_id"))
    time, info = text(data.get("event_time")), data.get("delivery_info")
    if kind != _STATUS or word not in STATUSES:
        event = unknown(request, item, status=word or kind or None)
        if job is not None and email is not None and len(job) + len(email) < MAX_ID:
            event.channel, event.direction, event.handle = "email", "outbound", handle(email, "email")
            event.provider_message_id = job
        event.occurred_at = from_text(time or data.get("block_time"))
        return event
    if job is None or email is None or len(job) + len(email) >= MAX_ID:
        raise Unprocessable("a status has no job_id, or no email")
    info = info if isinstance(info, dict) else {}
    customer = handle(email, "email")
    type = STATUSES[word]
    payload: dict[str, Any] = {"providerStatus": given, "to": customer.value if customer else email}
    for key, name, most in _COPIED if type not in _FAILURES else ():
        if (value := text(data.get(name) or info.get(name))) and len(value) <= most:
            payload[key] = value
    metadata = data.get("metadata")
    if isinstance(metadata, dict):
        if reference := text(metadata.get("reference")):
            payload["reference"] = reference[:1024]
    url = text(data.get("url")) if word == "clicked" else None
    event = Event(
        type,
        request.source,
        fact_id("unisender", f"{job}:{customer.value if customer else email}", word, time, url),
        channel="email",
        direction="outbound",
        provider_message_id=job,
        handle=customer,
        occurred_at=from_text(time),
        error=error_of(info) if type in _FAILURES else None,
        payload=payload,
    )
    return keep_rest(event, data, _ROUTINE)


ADAPTER = Adapter(
    name="unisender_go",
    title="Unisender Go",
    docs="https://godocs.unisender.ru/web-api-ref#callback-format",
    channels=frozenset({"email"}),
    events=frozenset({*STATUSES.values(), "ProviderEventReceived"}),
    signature="MD5 of the body with the API key in it, in the body",
    signs_body=True,
    job_ids=frozenset({"email"}),
    settings=(Setting("api_key", "The API key of the account, or of the project, that the webhook belongs to."),),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Unisender Go retries unless the answer is 200, which is the default.
    handshake=handshake,
)
