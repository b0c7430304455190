"""SparkPost (Bird): event webhooks in batches, relay webhooks of mail that comes in, and sending by transmissions.

Events: https://developers.sparkpost.com/api/webhooks/; mail: …/api/relay-webhooks/. Nothing is signed:
https://support.sparkpost.com/docs/tech-resources/webhook-authentication. A batch that is not answered with 200 is
retried for 8 hours.
"""

from typing import Any

from adapters.contract import Adapter, Answer, Normalized, Request, Send, Setting, Unprocessable, Values, secrets_of
from adapters.reading.addresses import handle
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.shapes import object_of
from adapters.reading.smtp_codes import code_of, reason_of
from adapters.reading.times import from_text, from_unix
from adapters.signing.shared_header import SETTINGS as _TOLD
from adapters.signing.shared_header import verify_told
from adapters.sparkpost import relay
from adapters.sparkpost.bounces import CLASSES, OTHERWISE
from adapters.sparkpost.send import SETTINGS as _SENDING
from adapters.sparkpost.send import build_request, read_response
from schemas.events import Error, Event

#: `type`; the class of a bounce says more. A first open has an event of its own beside that of the open.
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
#: Why, where neither a class nor the server's words tell.
REASONS: dict[str, str] = {
    "policy_rejection": "blocked",
    "generation_failure": "content",
    "generation_rejection": "blocked",
}
_FAILURES = frozenset({"delay", "bounce", "out_of_band", *REASONS})
_ENGAGED = frozenset({"track_event", "unsubscribe_event"})
_COPIED = (("url", "target_link_url"), ("userAgent", "user_agent"), ("ip", "ip_address"))
_BATCH, _TOKEN = "x-messagesystems-batch-id", "x-messagesystems-webhook-token"


def recognise(request: Request) -> bool:
    """Recognise a webhook by its headers, else by the key that each item is wrapped in."""
    headers = request.headers
    return _BATCH in headers or _TOKEN in headers or b'"msys"' in request.body[:256]


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the caller: SparkPost signs nothing. Raises InvalidSignature."""
    if tokens := secrets_of(values, "webhook_token"):
        headers = [*values.get("webhook_header", ()), *(f"{_TOKEN}: {token}" for token in tokens)]
        values = {**values, "webhook_header": headers}
    return verify_told(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event per item; none of an empty one, which is a test."""
    body = json_of(request)
    result = Normalized()
    for item in body if isinstance(body, list) else [body]:
        try:
            wrapped = item.get("msys") if isinstance(item, dict) else None
            if not isinstance(wrapped, dict):
                raise Unprocessable("an item without msys")
            for kind, inner in wrapped.items():
                if not isinstance(inner, dict):
                    raise Unprocessable(f"the {kind[:50]} of an item is no object")
                read = relay.event(inner, request) if kind == "relay_message" else _event(kind, inner, request)
                result.events.append(read)
        except Unprocessable as error:
            result.unprocessable.append((item, str(error)))
    return result


def handshake(request: Request, values: Values) -> Answer | None:
    """The empty batch that tests a new webhook is answered, and not kept. Raises InvalidSignature if it comes without
    what is configured, so that SparkPost shows the mistake at once."""
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
    word, to = text(get("type")) or "", text(get("raw_rcpt_to")) or text(get("rcpt_to"))
    class_ = text(get("bounce_class")) or ""
    type_ = EVENT_TYPES.get(word, "ProviderEventReceived")
    if word in ("bounce", "out_of_band"):
        type_ = OTHERWISE.get(class_, type_)
    meta = object_of(get("rcpt_meta"))
    ours = identifier(meta.get("messageId"))
    # What was sent by us is one message a transmission, whose id the API told us; another's may have thousands.
    message_id = identifier(get("transmission_id") if ours else None) or identifier(get("message_id"))
    event_id, time, customer = identifier(get("event_id")), _time(get("timestamp")), handle(to, "email")
    if type_ == "ProviderEventReceived":
        event = unknown(request, item, status=word or kind, event_id=event_id)
        event.occurred_at = time
        if message_id is not None and kind != "relay_event":
            event.channel, event.direction = "email", "outbound"
            event.provider_message_id, event.handle = message_id, customer
        return event
    if event_id is None:
        if message_id is None and to is None:
            raise Unprocessable("an event of no message and no address")
        told, link = text(get("timestamp")), text(get("target_link_url"))
        event_id = fact_id("sparkpost", word, message_id, to, told, link)
    payload: dict[str, Any] = {"providerStatus": word}
    reference = text(meta.get("reference"))
    given = (("to", to), ("reference", reference), ("from", text(get("friendly_from")) or text(get("msg_from"))))
    payload |= {key: value for key, value in given if value}
    if kind in _ENGAGED:
        payload |= {key: said for key, name in _COPIED if (said := text(get(name)))}
        # A proxy may well fetch because a person opened it; what is fetched before may be opened by none.
        if object_of(get("user_agent_parsed")).get("is_prefetched") is True:
            payload["machineOpen"] = True
    error = None
    if word in _FAILURES:
        if class_:
            payload["bounceType"] = class_[:255]
        error = _error(item, word, class_) if type_ != "RecipientUnsubscribed" else None
    return Event(
        type_,
        request.source,
        event_id,
        channel="email",
        direction="outbound",
        provider_message_id=message_id,
        message_id=ours,
        handle=customer,
        occurred_at=time,
        error=error,
        payload=payload,
    )


def _error(item: dict[str, Any], word: str, class_: str) -> Error:
    """The server's code and words; the reason is that of the class, else of the code."""
    words = text(item.get("raw_reason")) or text(item.get("reason"))
    code = code_of(text(item.get("error_code")), words)
    reason = CLASSES.get(class_, "unknown")
    if reason == "unknown":
        reason = reason_of(code)
    return Error(code, words, reason if reason != "unknown" else REASONS.get(word, "unknown"))


def _time(value: Any) -> Any:
    """Unix seconds, as digits; some events have them with a fraction, or as ISO 8601."""
    return from_unix(value) or from_text(value)


ADAPTER = Adapter(
    name="sparkpost",
    title="SparkPost",
    docs="https://developers.sparkpost.com/api/webhooks/",
    channels=frozenset({"email"}),
    events=frozenset({*EVENT_TYPES.values(), *OTHERWISE.values(), "MessageReceived", "ProviderEventReceived"}),
    signature="signs nothing: basic auth, a token or another header, or a secret in the URL",
    signs_body=False,
    settings=(
        *_TOLD,
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
