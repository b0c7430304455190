"""Reads Resend's webhooks, one event each, signed by Svix's scheme.

Events: https://resend.com/docs/webhooks/event-types and the page of each below it. Signature:
https://resend.com/docs/webhooks/verify-webhooks-requests. Unless answered with 2xx, a post is retried seven times
within some 28 hours, with the same `svix-id` (https://resend.com/docs/webhooks/retries-and-replays).
"""

import re
from typing import Any

from adapters.contract import Adapter, Normalized, Request, Send, Setting, Unprocessable, Values, secrets_of
from adapters.reading.addresses import recipients as recipients_of
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier, text
from adapters.reading.mime import bare_id, mailbox_of
from adapters.reading.own_ids import NAME, own_id
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from adapters.resend import inbound
from adapters.resend.contacts import CONTACTS, MOST, SUBSCRIPTIONS, events
from adapters.resend.errors import error_of, is_notice, is_suppressed, named_in
from adapters.resend.send import IDEMPOTENT_FOR, build_request, read_response
from adapters.signing.signatures import standard_key, verify_standard
from schemas.events import Event, Handle

#: https://resend.com/docs/webhooks/event-types. `email.sent`: Resend has accepted it, and tries to deliver it.
EVENT_TYPES: dict[str, str] = {
    "email.sent": "UserMessageSent",
    "email.scheduled": "MessageQueued",
    "email.delivered": "MessageDelivered",
    "email.delivery_delayed": "MessageDelayed",
    "email.bounced": "MessageBounced",
    "email.failed": "MessageFailed",
    "email.suppressed": "MessageRejected",
    "email.complained": "MessageComplained",
    "email.opened": "MessageOpened",
    "email.clicked": "MessageClicked",
    "email.received": "MessageReceived",
}
#: Types that concern the whole mail. Any other is of one recipient, and Resend posts one for each without saying whose it is
#: (https://github.com/anymail/django-anymail/blob/main/anymail/webhooks/resend.py).
_OF_ALL = frozenset({"email.sent", "email.scheduled", "email.failed"})
_FAILURES = frozenset({"MessageBounced", "MessageFailed", "MessageRejected", "MessageDelayed"})
_TYPE = re.compile(rb'"type"\s{0,8}:\s{0,8}"(?:email|contact|domain|suppression|inbox|topic)\.')
_CREATED = re.compile(rb'"created_at"\s{0,8}:\s{0,8}"')
_CLICK = (("url", "link"), ("userAgent", "userAgent"), ("ip", "ipAddress"))


def recognise(request: Request) -> bool:
    """Recognise a webhook by Svix's header, which others use too, and the prefix of Resend's types."""
    if "svix-id" not in request.headers and "webhook-id" not in request.headers:
        return False
    head = request.body[:4096]
    return _TYPE.search(head) is not None and _CREATED.search(head) is not None


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify Standard Webhooks, under Svix's header names or the standard's, with a window. Raises InvalidSignature."""
    secrets = secrets_of(values, "signing_secret", "secret")
    if not secrets:
        return None
    verify_standard(request, secrets, fresh=fresh)
    return True


def normalize(request: Request) -> Normalized:
    """Return one event per recipient (Resend posts one fact at a time), or per topic of a contact. Raises
    Unprocessable."""
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of Resend: the body is not an object")
    given = text(body.get("type")) or ""
    word = spelled(given, (*EVENT_TYPES, *CONTACTS))
    found = body.get("data")
    data: dict[str, Any] = found if isinstance(found, dict) else {}
    event_id = identifier(request.headers.get("svix-id") or request.headers.get("webhook-id"))
    type_ = EVENT_TYPES.get(word)
    if type_ is None:
        return Normalized(events(word, body, data, request, event_id))
    if (email_id := identifier(data.get("email_id"))) is None:
        raise Unprocessable("an event of an e-mail without email_id")
    if event_id is None:
        event_id = fact_id("resend", email_id, word, text(body.get("created_at")), str(data.get("click")))
    if type_ == "MessageReceived":
        return Normalized([inbound.event(body, data, request, event_id, email_id)])
    if type_ == "MessageBounced" and is_suppressed(data):
        type_ = "MessageRejected"
    if type_ == "MessageBounced" and is_notice(data):
        return Normalized(events(word, body, data, request, event_id))
    recipients = recipients_of(data.get("to"))[:MOST]
    if word not in _OF_ALL and len(recipients) > 1:
        recipients = named_in(data, recipients)
    several = len(recipients) > 1
    nobody: list[tuple[Handle | None, str]] = [(None, "")]
    error = error_of(data) if type_ in _FAILURES else None
    result = Normalized()
    common, message_id, time = _payload(given, data), own_id(_tag(data, NAME)), from_text(body.get("created_at"))
    for customer, address in recipients or nobody:
        payload = dict(common)
        if address:
            payload["to"] = address
        result.events.append(
            Event(
                type_,
                request.source,
                fact_id("resend", event_id, address) if several else event_id,
                channel="email",
                direction="outbound",
                provider_message_id=email_id,
                echoed_message_id=message_id,
                handle=customer,
                occurred_at=_clicked_at(data) or time,
                error=error,
                payload=payload,
            )
        )
    # Once, as it is of the mail: a copy for each recipient would grow with their number.
    keep_rest(result.events[0], data, ("created_at", "message_id") + (("to",) if recipients else ()))
    return result


def _payload(word: str, data: dict[str, Any]) -> dict[str, Any]:
    payload: dict[str, Any] = {"providerStatus": word}
    if sender := mailbox_of(text(data.get("from")) or "")[1]:
        payload["from"] = sender
    if internet_id := bare_id(data.get("message_id")):
        payload["internetMessageId"] = internet_id
    if reference := _tag(data, "reference"):
        payload["reference"] = reference
    if isinstance(click := data.get("click"), dict):
        payload |= {key: value for key, name in _CLICK if (value := text(click.get(name)))}
    if isinstance(bounce := data.get("bounce"), dict) and (kind := text(bounce.get("type"))):
        payload["bounceType"] = kind[:255]
    return payload


def _tag(data: dict[str, Any], name: str) -> str | None:
    """Return a tag's value: tags are an object, and were a list of names and values earlier."""
    tags = data.get("tags")
    if isinstance(tags, list):
        tags = {
            tag.get("name"): tag.get("value") for tag in tags[:MOST] if isinstance(tag, dict) and text(tag.get("name"))
        }
    value = tags.get(name) if isinstance(tags, dict) else None
    return value if isinstance(value, str) and 0 < len(value) <= 256 else None


def _clicked_at(data: dict[str, Any]) -> Any:
    click = data.get("click")
    return from_text(click.get("timestamp")) if isinstance(click, dict) else None


ADAPTER = Adapter(
    name="resend",
    title="Resend",
    docs="https://resend.com/docs/webhooks/event-types",
    channels=frozenset({"email"}),
    events=frozenset({*EVENT_TYPES.values(), *SUBSCRIPTIONS.values(), "ProviderEventReceived"}),
    signature="HMAC-SHA256 over id, timestamp and body (Svix)",
    signs_body=True,
    job_ids=frozenset({"email"}),
    settings=(
        Setting(
            "signing_secret",
            "The webhook's signing secret, whsec_… (Webhooks, the webhook's page).",
            aliases=("secret",),
            reads=standard_key,
        ),
        Setting("api_key", "An API key, re_…, to send with."),
        Setting("sender", "The sender: an address of a verified domain, or Name <address>.", secret=False),
        Setting("api_url", "The URL of the API; https://api.resend.com if not set.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    send=Send(
        channels=frozenset({"email"}),
        build_request=build_request,
        read_response=read_response,
        idempotent_for=IDEMPOTENT_FOR,
    ),
)
