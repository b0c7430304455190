"""Reads the webhooks and inbound mail of Postal, a self-hosted mail server.

https://docs.postalserver.io/developer/webhooks, https://docs.postalserver.io/developer/http-payloads. Unless
answered with 2xx in 5 seconds, a webhook is retried five times within 36 minutes; mail for an endpoint up to 18
times.
"""

from typing import Any

from adapters.contract import Adapter, Normalized, Request, Send, Setting, Unprocessable, Values, secrets_of
from adapters.postal import inbound
from adapters.postal.send import build_request, read_response
from adapters.postal.signature import check, keys_of
from adapters.reading.addresses import handle
from adapters.reading.bodies import is_form, json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.mime import bare_id
from adapters.reading.remainder import keep_rest
from adapters.reading.shapes import object_of
from adapters.reading.smtp_codes import code_of, reason_of
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from schemas.events import Error, Event

#: …/developer/webhooks, message status events. `MessageSent`: the recipient's server has accepted it.
EVENT_TYPES: dict[str, str] = {
    "MessageSent": "MessageDelivered",
    "MessageDelayed": "MessageDelayed",
    "MessageHeld": "MessageDelayed",
    "MessageDeliveryFailed": "MessageFailed",
    "MessageBounced": "MessageBounced",
    "MessageLinkClicked": "MessageClicked",
    "MessageLoaded": "MessageOpened",
}
#: `status` of a delivery attempt (…/developer/webhooks, the payloads), where the body has no name of an event.
STATUSES: dict[str, str] = {
    "Sent": "MessageSent",
    "SoftFail": "MessageDelayed",
    "HardFail": "MessageDeliveryFailed",
    "Held": "MessageHeld",
    "Bounced": "MessageBounced",
}
_COPIED = (("url", "url"), ("userAgent", "user_agent"), ("ip", "ip_address"))


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature header, or by its user agent."""
    headers = request.headers
    if "x-postal-signature-256" in headers or "x-postal-signature" in headers:
        return True
    return headers.get("user-agent", "").startswith("Postal/")


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify RSA over the body. No time is signed, so `fresh` has no effect. Raises InvalidSignature."""
    keys = secrets_of(values, "public_key")
    if not keys:
        return None
    check(request, keys)
    return True


def normalize(request: Request) -> Normalized:
    """Return the one event of a webhook, or of a mail. Raises Unprocessable."""
    if is_form(request):
        return Normalized([inbound.event(inbound.of_form(request), request)])
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of Postal: the body is not an object")
    if "rcpt_to" in body:
        return Normalized([inbound.event(body, request)])
    return Normalized([_event(body, request)])


def _event(body: dict[str, Any], request: Request) -> Event:
    word, data = _named(body)
    about = object_of(data.get("original_message")) if word == "MessageBounced" else {}
    about = about or object_of(data.get("message"))
    message_id = identifier(about.get("id"))
    event_id = identifier(body.get("uuid"))
    time = from_unix(data.get("timestamp")) or from_unix(body.get("timestamp"))
    incoming = about.get("direction") == "incoming"
    recipient, sender = text(about.get("to")), text(about.get("from"))
    customer = handle(sender if incoming else recipient, "email")
    type_ = EVENT_TYPES.get(word)
    if type_ is None or incoming:
        # A status of an inbound mail describes its transport to us only.
        event = unknown(request, body, status=word or None, event_id=event_id)
        event.occurred_at = time
        if message_id is not None:
            event.channel, event.direction = "email", "inbound" if incoming else "outbound"
            event.provider_message_id, event.handle = message_id, customer
        return event
    if message_id is None:
        raise Unprocessable("an event has no message id")
    payload: dict[str, Any] = {"providerStatus": word}
    fields = (("from", sender), ("to", customer.value if customer else recipient))
    payload |= {key: value[:2048] for key, value in fields if value}
    if internet_id := bare_id(about.get("message_id")):
        payload["internetMessageId"] = internet_id
    if tag := text(about.get("tag")):
        payload["reference"] = tag[:1024]
    payload |= {key: value for key, name in _COPIED if (value := text(data.get(name)))}
    event = Event(
        type_,
        request.source,
        event_id or fact_id("postal", message_id, word, text(body.get("timestamp"))),
        channel="email",
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=time,
        error=_error(word, data),
        payload=payload,
    )
    # Who has a token can unlock the mail's tracking links.
    return keep_rest(event, data, ("timestamp", "status"), read=("token", "direction", "timestamp"))


def _named(body: dict[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return the event's name and its payload. Older servers post the payload alone, and a bounce is known by the two mails
    in it, under whatever name (…/developer/webhooks, "Message bounce event")."""
    word = spelled(text(body.get("event")), EVENT_TYPES)
    data = object_of(body.get("payload")) or ({} if word else body)
    if word not in EVENT_TYPES and isinstance(data.get("original_message"), dict) and "bounce" in data:
        return "MessageBounced", data
    if status := text(data.get("status")):
        # A mail that came back after an attempt is a delivery that failed, with a status of its own.
        named = STATUSES.get(spelled(status, STATUSES), word)
        word = named if not word or (word == "MessageDeliveryFailed" and named == "MessageBounced") else word
    return word, data


def _error(word: str, data: dict[str, Any]) -> Error | None:
    if word == "MessageBounced" and "bounce" in data:
        return Error(None, text(object_of(data.get("bounce")).get("subject")), "unknown")
    if word not in ("MessageDelayed", "MessageHeld", "MessageDeliveryFailed", "MessageBounced"):
        return None
    details, output = text(data.get("details")), text(data.get("output"))
    code = code_of(None, output) if output else None
    reason = "blocked" if word == "MessageHeld" else reason_of(code)
    return Error(code or text(data.get("status")), output or details, reason)


ADAPTER = Adapter(
    name="postal",
    title="Postal",
    docs="https://docs.postalserver.io/developer/webhooks",
    channels=frozenset({"email"}),
    events=frozenset({*EVENT_TYPES.values(), "MessageReceived", "ProviderEventReceived"}),
    signature="RSA with SHA-256 (SHA-1 of older servers) of the body",
    signs_body=True,
    job_ids=frozenset({"email"}),
    settings=(
        Setting(
            "public_key",
            "The server's signing key: from /.well-known/jwks.json, as PEM, or Postal's DKIM record (p=…).",
            secret=False,
            reads=keys_of,
        ),
        Setting("api_key", "An API credential of the mail server (Credentials, type API), to send with."),
        Setting("sender", "The sender: an address of the mail server's domains, or Name <address>.", secret=False),
        Setting("api_url", "Postal's URL, for example https://postal.example.com; needed to send.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    send=Send(
        channels=frozenset({"email"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
