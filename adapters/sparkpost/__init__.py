"""Reads SparkPost's (Bird's) event webhooks, which come in batches, and its relay webhooks of inbound mail.

Events: https://developers.sparkpost.com/api/webhooks/; mail: …/api/relay-webhooks/. Nothing is signed:
https://support.sparkpost.com/docs/tech-resources/webhook-authentication. A batch is retried for 8 hours unless
answered with 200.
"""

from typing import Any

from adapters.contract import Adapter, Answer, Normalized, Request, Send, Setting, Unprocessable, Values, secrets_of
from adapters.reading.addresses import one_recipient
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.own_ids import NAME, own_id
from adapters.reading.remainder import keep_flat
from adapters.reading.shapes import object_of
from adapters.reading.smtp_codes import code_of, reason_of
from adapters.reading.times import from_text, from_unix
from adapters.reading.words import spelled
from adapters.signing.shared_header import SETTINGS as _SHARED
from adapters.signing.shared_header import verify_shared
from adapters.sparkpost import relay
from adapters.sparkpost.bounces import CLASSES, OTHERWISE
from adapters.sparkpost.send import SETTINGS as _SENDING
from adapters.sparkpost.send import build_request, read_response
from schemas.events import Error, Event

#: The values of `type`; a bounce also depends on its class. A first open has an event of its own besides that of the
#: open.
EVENT_TYPES: dict[str, str] = {
    "injection": "MessageQueued",
    "delivery": "MessageDelivered",
    "delay": "MessageDelayed",
    "bounce": "MessageBounced",
    "out_of_band": "MessageBounced",
    "policy_rejection": "MessageRejected",
    "generation_failure": "MessageFailed",
    "generation_rejection": "MessageRejected",
    "spam_complaint": "MessageComplained",
    "open": "MessageOpened",
    "initial_open": "MessageOpened",
    "amp_open": "MessageOpened",
    "amp_initial_open": "MessageOpened",
    "click": "MessageClicked",
    "amp_click": "MessageClicked",
    "list_unsubscribe": "RecipientUnsubscribed",
    "link_unsubscribe": "RecipientUnsubscribed",
}
#: The reason if neither a class nor the server's code gives one.
REASONS: dict[str, str] = {
    "policy_rejection": "blocked",
    "generation_failure": "content",
    "generation_rejection": "blocked",
}
_FAILURES = frozenset({"delay", "bounce", "out_of_band", *REASONS})
_ENGAGED = frozenset({"track_event", "unsubscribe_event"})
#: Keys that add nothing to what their event has.
_READ = frozenset({"type", "event_id", "timestamp", "transmission_id", "rcpt_to", "raw_rcpt_to"})
_COPIED = (("url", "target_link_url"), ("userAgent", "user_agent"), ("ip", "ip_address"))
#: `fbtype`, the Feedback-Type of the report, whose words the IANA lists (RFC 5965, RFC 6591): neither is a complaint.
_NO_COMPLAINTS = frozenset({"not-spam", "auth-failure"})
_BATCH, _TOKEN = "x-messagesystems-batch-id", "x-messagesystems-webhook-token"


def recognise(request: Request) -> bool:
    """Recognise a webhook by its headers, or by the key that wraps each item."""
    headers = request.headers
    return _BATCH in headers or _TOKEN in headers or b'"msys"' in request.body[:256]


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the caller's credentials: SparkPost signs nothing. Raises InvalidSignature."""
    if tokens := secrets_of(values, "webhook_token"):
        headers = [*values.get("webhook_header", ()), *(f"{_TOKEN}: {token}" for token in tokens)]
        values = {**values, "webhook_header": headers}
    return verify_shared(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event per item; an empty item, which is a test, has none."""
    body = json_of(request)
    result = Normalized()
    for item in body if isinstance(body, list) else [body]:
        try:
            wrapped = item.get("msys") if isinstance(item, dict) else None
            if not isinstance(wrapped, dict):
                raise Unprocessable("an item without msys")
            for kind, inner in wrapped.items():
                if not isinstance(inner, dict):
                    raise Unprocessable(f"the {kind[:50]} of an item is not an object")
                read = relay.event(inner, request) if kind == "relay_message" else _event(kind, inner, request)
                result.events.append(read)
        except Unprocessable as error:
            result.unprocessable.append((item, str(error)))
    return result


def handshake(request: Request, values: Values) -> Answer | None:
    """Answer the empty batch that tests a new webhook; it is not stored. Raises InvalidSignature without the
    configured credentials, so that SparkPost shows the mistake at once."""
    if request.method != "POST" or len(request.body) > 64 or b'"msys"' not in request.body:
        return None
    try:
        if json_of(request) != [{"msys": {}}]:
            return None
    except Unprocessable:
        return None
    verify(request, values)
    return Answer()


def _event(kind: str, item: dict[str, Any], request: Request) -> Event:
    get = item.get
    word = spelled(text(get("type")), EVENT_TYPES)
    customer, to = one_recipient(get("raw_rcpt_to") or get("rcpt_to"))
    class_ = text(get("bounce_class")) or ""
    type_ = EVENT_TYPES.get(word, "ProviderEventReceived")
    if word in ("bounce", "out_of_band"):
        type_ = OTHERWISE.get(class_, type_)
    feedback = text(get("fbtype")) if word == "spam_complaint" else None
    if feedback and feedback.lower() in _NO_COMPLAINTS:
        type_ = "ProviderEventReceived"
    meta = object_of(get("rcpt_meta"))
    message_id = identifier(get("transmission_id")) or identifier(get("message_id"))
    event_id, time = identifier(get("event_id")), _time(get("timestamp"))
    if type_ == "ProviderEventReceived":
        event = unknown(request, item, status=word or kind, event_id=event_id)
        event.occurred_at = time
        if message_id is not None and kind != "relay_event" and word != "sms_status":
            event.channel, event.direction = "email", "outbound"
            event.provider_message_id, event.handle = message_id, customer
        return event
    if event_id is None:
        if message_id is None and to is None:
            raise Unprocessable("an event has neither a message id nor an address")
        at, link = text(get("timestamp")), text(get("target_link_url"))
        event_id = fact_id("sparkpost", word, message_id, to, at, link)
    payload: dict[str, Any] = {"providerStatus": text(get("type")) or word}
    reference = text(meta.get("reference"))
    given = (("to", to), ("reference", reference), ("from", text(get("friendly_from")) or text(get("msg_from"))))
    payload |= {key: value for key, value in given if value}
    if kind in _ENGAGED:
        payload |= {key: value for key, name in _COPIED if (value := text(get(name)))}
        # A proxy may fetch because a person opened the mail; a prefetch happens without a person.
        if object_of(get("user_agent_parsed")).get("is_prefetched") is True:
            payload["machineOpen"] = True
    if feedback:
        payload["feedbackType"] = feedback[:255]
    error = None
    if word in _FAILURES:
        if class_:
            payload["bounceType"] = class_[:255]
        error = _error(item, word, class_) if not type_.startswith("Recipient") else None
    event = Event(
        type_,
        request.source,
        event_id,
        channel="email",
        direction="outbound",
        provider_message_id=message_id,
        echoed_message_id=own_id(meta.get(NAME)),
        handle=customer,
        occurred_at=time,
        error=error,
        payload=payload,
    )
    return keep_flat(event, item, _READ)


def _error(item: dict[str, Any], word: str, class_: str) -> Error:
    """Return the server's code and text, with the reason of the class, or of the code."""
    words = text(item.get("raw_reason")) or text(item.get("reason"))
    code = code_of(text(item.get("error_code")), words)
    reason = CLASSES.get(class_, "unknown")
    if reason == "unknown":
        reason = reason_of(code)
    return Error(code, words, reason if reason != "unknown" else REASONS.get(word, "unknown"))


def _time(value: Any) -> Any:
    """Return the time of Unix seconds as digits; some events have a fraction, or ISO 8601."""
    return from_unix(value) or from_text(value)


ADAPTER = Adapter(
    name="sparkpost",
    title="SparkPost",
    docs="https://developers.sparkpost.com/api/webhooks/",
    channels=frozenset({"email"}),
    events=frozenset({*EVENT_TYPES.values(), *OTHERWISE.values(), "MessageReceived", "ProviderEventReceived"}),
    signature="signs nothing: basic auth, a token or another header, or a secret in the URL",
    signs_body=False,
    job_ids=frozenset({"email"}),
    settings=(
        *_SHARED,
        Setting("webhook_token", "The auth_token of a relay webhook (or an old event webhook)."),
        *_SENDING,
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    handshake=handshake,
    send=Send(
        channels=frozenset({"email"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
