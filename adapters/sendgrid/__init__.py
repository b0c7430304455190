"""SendGrid: the event webhook (JSON, up to thousands of events in one post) and inbound parse (`parse`).

Events: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event. Signature:
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features, and
for inbound parse https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks.
A post that is not answered with 2xx is tried again for 24 hours, for inbound parse for 72.
"""

from typing import Any

from adapters.addresses import handle
from adapters.base import Answer, InvalidSignature, Normalized, Request, Setting, Unprocessable, Values
from adapters.bodies import json_of
from adapters.facts import fact_id, identifier, text, unknown
from adapters.sendgrid import parse
from adapters.signatures import WINDOW, check_age, from_base64, header, secrets_of, signs_ecdsa
from adapters.smtp_codes import code_of, reason_of
from adapters.times import from_unix
from adapters.unsigned import verify_unsigned
from schemas.events import Error, Event

NAME = "sendgrid"
TITLE = "Twilio SendGrid"
DOCS = "https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event"
CHANNELS = frozenset({"email"})
SENDS: frozenset[str] = frozenset()
SIGNATURE = "ECDSA P-256 over timestamp and body; inbound parse also basic auth or a secret in the URL"
SETTINGS = (
    Setting(
        "public_key",
        "The verification key of the signed webhook (Settings, Mail Settings, Event Webhooks), base64 or PEM.",
        secret=False,
        aliases=("verification_key",),
    ),
    Setting("basic_auth", "user:password in the URL told to inbound parse, where it has no security policy."),
    Setting("url_secret", "A value that the URL told to inbound parse has in its query, as ?key=…"),
    # SendGrid documents no age. As it gathers events anew for each try, each is signed anew.
    Setting("max_age", f"Seconds that a signature may be old; {WINDOW} if not set.", secret=False),
)
SIGNS_BODY = True

#: …/tracking-events/event, delivery, engagement and account events.
EVENT_TYPES: dict[str, str] = {
    "processed": "MessageQueued",
    "deferred": "MessageDelayed",
    "delivered": "MessageDelivered",
    "bounce": "MessageBounced",
    "dropped": "MessageRejected",
    "open": "MessageOpened",
    "click": "MessageClicked",
    "spamreport": "MessageComplained",
    "unsubscribe": "RecipientUnsubscribed",
    "group_unsubscribe": "RecipientUnsubscribed",
    "group_resubscribe": "RecipientSubscribed",
    "account_status_change": "ProviderEventReceived",
}
#: https://www.twilio.com/docs/sendgrid/ui/analytics-and-reporting/bounce-and-block-classifications
CLASSIFICATIONS: dict[str, str] = {
    "invalid address": "invalid_address",
    "mailbox unavailable": "unreachable",
    "technical": "unreachable",
    "technical failure": "unreachable",
    "reputation": "blocked",
    "content": "content",
    "frequency or volume too high": "rate",
}
#: …/tracking-events/event#dropped: why SendGrid did not even try.
DROPS: dict[str, str] = {
    "invalid": "invalid_address",
    "bounced address": "invalid_address",
    "unsubscribed address": "opted_out",
    "spam reporting address": "opted_out",
    "spam content": "spam",
    "invalid smtpapi header": "content",
    "recipient list over package quota": "rate",
}
EVENTS = frozenset({*EVENT_TYPES.values(), "MessageReceived"})
_FAILURES = frozenset({"MessageDelayed", "MessageBounced", "MessageRejected"})
#: What tells of the recipient: of a delivery, `ip` is SendGrid's own.
_ENGAGED = frozenset({"open", "click", "unsubscribe", "group_unsubscribe", "group_resubscribe"})
_COPIED = (("url", "url"), ("userAgent", "useragent"), ("ip", "ip"))
_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"


def recognise(request: Request) -> bool:
    """By its signature's header, else by its agent, else by what only its body has."""
    headers = request.headers
    if _SIGNATURE in headers or headers.get("user-agent", "").startswith(("SendGrid Event API", "Sendlib/")):
        return True
    if headers.get("content-type", "").startswith("multipart/form-data"):
        return b'name="envelope"' in request.body and b'name="SPF"' in request.body
    return b'"sg_event_id"' in request.body[:4096]


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """ECDSA (P-256, SHA-256) over timestamp and body, with a window; or, for an unsigned inbound parse, what the URL
    told to SendGrid has in it. Raises InvalidSignature."""
    keys = secrets_of(values, "public_key", "verification_key")
    if keys and (_SIGNATURE in request.headers or not parse.is_parse(request)):
        _check_signature(request, keys, values, fresh)
        return True
    known = verify_unsigned(request, values)
    if known is None and keys:
        raise InvalidSignature(f"the header {_SIGNATURE} is missing")
    return known


def normalize(request: Request) -> Normalized:
    """One event of each item; one of a mail."""
    if parse.is_parse(request):
        return Normalized([parse.event(request)])
    body = json_of(request)
    result = Normalized()
    for item in body if isinstance(body, list) else [body]:
        try:
            result.events.append(_event(item, request))
        except Unprocessable as error:
            result.unprocessable.append((item, str(error)))
    return result


def answer(request: Request) -> Answer:
    """200; what is not 2xx is tried again."""
    return Answer()


def handshake(request: Request, values: Values) -> Answer | None:
    """SendGrid has none."""
    return None


def _check_signature(request: Request, keys: list[str], values: Values, fresh: bool) -> None:
    given = from_base64(header(request, _SIGNATURE))
    timestamp = header(request, _TIMESTAMP)
    message = timestamp.encode("utf-8", "replace") + request.body
    if not any([signs_ecdsa(key, message, given) for key in keys]):
        raise InvalidSignature("no configured public_key verifies this signature")
    if fresh:
        told = secrets_of(values, "max_age")
        try:
            window = float(told[0]) if told else WINDOW
        except ValueError as error:
            raise InvalidSignature("the setting max_age is no number of seconds") from error
        check_age(timestamp, request.received_at, window)


def _event(item: Any, request: Request) -> Event:
    if not isinstance(item, dict):
        raise Unprocessable("an item that is no object")
    get = item.get
    word = get("event")
    type_ = EVENT_TYPES.get(word, "ProviderEventReceived") if isinstance(word, str) else "ProviderEventReceived"
    event_id, message_id = identifier(get("sg_event_id")), identifier(get("sg_message_id"))
    email, time = get("email"), from_unix(get("timestamp"))
    customer = handle(email, "email")
    if type_ == "ProviderEventReceived" or not isinstance(word, str):
        event = unknown(request, item, status=text(word), event_id=event_id)
        event.occurred_at = time
        if message_id is not None:
            event.channel, event.direction = "email", "outbound"
            event.provider_message_id, event.handle = message_id, customer
        return event
    if event_id is None:
        if message_id is None and not email:
            raise Unprocessable("an event of no message and no address")
        event_id = fact_id("sendgrid", message_id, text(email), word, text(get("timestamp")), text(get("url")))
    payload: dict[str, Any] = {"providerStatus": word}
    if customer is not None:
        payload["to"] = customer.value
    elif isinstance(email, str) and email:
        payload["to"] = email[:2048]
    if reference := get("reference"):
        if isinstance(reference, str):
            payload["reference"] = reference
    if word in _ENGAGED:
        for key, name in _COPIED:
            if (value := get(name)) and isinstance(value, str):
                payload[key] = value
        if get("sg_machine_open") is True:
            payload["machineOpen"] = True
        if (group := text(get("asm_group_id"))) is not None:
            payload["unsubscribeGroup"] = group
    elif word == "bounce" and (kind := text(get("type"))):
        payload["bounceType"] = kind
    return Event(
        type_,
        request.source,
        event_id,
        "email",
        "outbound",
        message_id,
        identifier(get("messageId") or get("message_id")),
        customer,
        time,
        _error(word, item) if type_ in _FAILURES else None,
        payload,
    )


def _error(word: str, item: dict[str, Any]) -> Error:
    status, words = text(item.get("status")), text(item.get("reason")) or text(item.get("response"))
    code = code_of(status, words)
    if word == "dropped":
        return Error(code, words, DROPS.get((words or "").lower(), "unknown"))
    reason = CLASSIFICATIONS.get((text(item.get("bounce_classification")) or "").lower()) or reason_of(code)
    if reason == "unknown" and item.get("type") == "blocked":
        reason = "blocked"
    return Error(code, words, reason)
