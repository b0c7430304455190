"""Reads the events of Mandrill (Mailchimp Transactional), about messages, inbound mail and syncs.

One form field has up to 1000 of them, as JSON.

https://mailchimp.com/developer/transactional/docs/webhooks/; signature:
https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/#authenticating-webhook-requests.
Before a webhook is saved its URL receives a HEAD, and a post without events, which is answered and not stored.
"""

from typing import Any

from adapters.contract import (
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
from adapters.mandrill.denylist import WISHES, wish_of
from adapters.mandrill.inbound import received
from adapters.reading.addresses import handle
from adapters.reading.bodies import form_of, parse_json
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_flat
from adapters.reading.shapes import object_of
from adapters.reading.smtp_codes import code_of, reason_of
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from adapters.signing.signatures import header, signs
from schemas.events import Error, Event

#: …/docs/webhooks/#event-types
EVENT_TYPES: dict[str, str] = {
    "send": "UserMessageSent",
    "deferral": "MessageDelayed",
    "delivered": "MessageDelivered",
    "hard_bounce": "MessageBounced",
    "soft_bounce": "MessageBounced",
    "reject": "MessageRejected",
    "open": "MessageOpened",
    "click": "MessageClicked",
    "spam": "MessageComplained",
    "unsub": "RecipientUnsubscribed",
}
#: The values of `bounce_description`, used where the server's response has no code.
BOUNCES: dict[str, str] = {
    "bad_mailbox": "invalid_address",
    "invalid_domain": "invalid_address",
    "mailbox_full": "unreachable",
}
#: https://mailchimp.com/developer/transactional/api/messages/send-new-message/, reject_reason
REJECTS: dict[str, str] = {
    "hard-bounce": "invalid_address",
    "soft-bounce": "unreachable",
    "spam": "opted_out",
    "unsub": "opted_out",
    "custom": "blocked",
    "invalid-sender": "blocked",
    "invalid": "invalid_address",
    "test-mode-limit": "rate",
    "unsigned": "blocked",
    "rule": "blocked",
}
_BOUNCE_TYPES = {"hard_bounce": "hard", "soft_bounce": "soft"}
_FAILURES = frozenset({"MessageDelayed", "MessageBounced", "MessageRejected"})
#: Keys that add nothing to what their event has.
_READ = frozenset({"event", "_id", "ts", "msg", "email", "sender"})
_COPIED = (("url", "url"), ("userAgent", "user_agent"), ("ip", "ip"))
_FIELD = "mandrill_events"


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature header, or its one field."""
    return "x-mandrill-signature" in request.headers or request.body.startswith(b"mandrill_events=")


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA1 over the URL as entered at Mandrill and the sorted fields. No time is signed, so `fresh` has
    no effect. Raises InvalidSignature."""
    keys = secrets_of(values, "webhook_key", "secret")
    if not keys:
        return None
    given = header(request, "x-mandrill-signature")
    try:
        fields = sorted(form_of(request))
    except Unprocessable as error:
        raise InvalidSignature(str(error)) from error
    message = (request.url + "".join([name + value for name, value in fields])).encode("utf-8", "replace")
    if any([signs(key, "sha1", message, given, "base64") for key in keys]):
        return True
    raise InvalidSignature(
        "no configured webhook_key makes this signature: is the source's url the one configured at Mandrill?"
    )


def normalize(request: Request) -> Normalized:
    """Return one event per item. Raises Unprocessable."""
    result = Normalized()
    for item in _items(request):
        try:
            result.events.append(_event(item, request))
        except Unprocessable as error:
            result.unprocessable.append((item, str(error)))
    return result


def handshake(request: Request, values: Values) -> Answer | None:
    """Answer the post without events with which Mandrill tests a URL. Its key is not known yet, and it is not
    stored."""
    if not recognise(request) or len(request.body) > 200:
        return None
    try:
        return Answer() if _items(request) == [] else None
    except Unprocessable:
        return None


def _items(request: Request) -> list[Any]:
    field = next((value for name, value in form_of(request) if name == _FIELD), None)
    if field is None:
        raise Unprocessable(f"a form without {_FIELD}")
    items = request.parsed.get(_FIELD)
    if items is None:
        items = request.parsed[_FIELD] = parse_json(field.encode("utf-8", "replace"))
    if not isinstance(items, list):
        raise Unprocessable(f"{_FIELD} is no list")
    return items


def _event(item: Any, request: Request) -> Event:
    if not isinstance(item, dict):
        raise Unprocessable("an item is not an object")
    given, time = text(item.get("event")) or "", from_unix(item.get("ts"))
    word = spelled(given, (*EVENT_TYPES, "inbound"))
    msg = object_of(item.get("msg"))
    if word == "inbound":
        return received(msg, item, request)
    message_id = identifier(item.get("_id")) or identifier(msg.get("_id"))
    email = text(msg.get("email"))
    customer = handle(email, "email")
    type_ = EVENT_TYPES.get(word)
    if item.get("type") == "blacklist" and item.get("action") in ("add", "change"):
        if (wish := wish_of(object_of(item.get("reject")), item, request)) is not None:
            return wish
    if type_ is None:
        entry = object_of(item.get("reject")) or object_of(item.get("entry"))
        event = unknown(request, item, status=word or text(item.get("type")))
        event.occurred_at, event.handle = time, customer or handle(entry.get("email"), "email")
        if message_id is not None:
            event.channel, event.direction, event.provider_message_id = "email", "outbound", message_id
        return event
    if message_id is None:
        raise Unprocessable("an event has no message id")
    payload: dict[str, Any] = {"providerStatus": given}
    if to := customer.value if customer else email:
        payload["to"] = to[:2048]
    if sender := text(msg.get("sender")):
        payload["from"] = sender[:2048]
    metadata = object_of(msg.get("metadata"))
    if reference := text(metadata.get("reference")):
        payload["reference"] = reference[:1024]
    if type_ in ("MessageOpened", "MessageClicked", "RecipientUnsubscribed", "MessageComplained"):
        payload |= {key: value for key, name in _COPIED if (value := text(item.get(name)))}
    if kind := _BOUNCE_TYPES.get(word):
        payload["bounceType"] = kind
    event = Event(
        type_,
        request.source,
        fact_id("mandrill", message_id, word, text(item.get("ts")), text(item.get("url")), text(item.get("ip"))),
        channel="email",
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=time,
        error=_error(msg, item) if type_ in _FAILURES else None,
        payload=payload,
    )
    return keep_flat(keep_flat(event, msg, _READ), item, _READ)


def _error(msg: dict[str, Any], item: dict[str, Any]) -> Error:
    rejected = object_of(msg.get("reject")) or object_of(item.get("reject"))
    if why := text(rejected.get("reason")):
        return Error(why, text(rejected.get("detail")), REJECTS.get(why, "unknown"))
    attempts = msg.get("smtp_events")
    last = object_of(attempts[-1]) if isinstance(attempts, list) and attempts else {}
    words = text(msg.get("diag")) or text(last.get("diag"))
    described = text(msg.get("bounce_description"))
    # The text begins with the protocol: `smtp;550 5.1.1 …`.
    code = code_of(None, words.removeprefix("smtp;").strip()) if words else None
    reason = BOUNCES.get(described or "") or reason_of(code)
    return Error(code or described, words or described, reason)


ADAPTER = Adapter(
    name="mandrill",
    title="Mandrill (Mailchimp Transactional)",
    docs="https://mailchimp.com/developer/transactional/docs/webhooks/",
    channels=frozenset({"email"}),
    events=frozenset({*EVENT_TYPES.values(), *WISHES.values(), "MessageReceived", "ProviderEventReceived"}),
    signature="HMAC-SHA1 over the URL and the form",
    signs_body=True,
    settings=(
        Setting(
            "webhook_key",
            "The webhook's key (Settings, Webhooks, Key); a list if there are several webhooks.",
            aliases=("secret",),
        ),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Mandrill retries unless the answer is 200, which is the default.
    handshake=handshake,
)
