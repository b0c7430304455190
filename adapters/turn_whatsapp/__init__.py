"""Reads Turn.io's webhooks: WhatsApp's messages and statuses without Meta's envelope, and messages that Turn sent.

https://whatsapp.turn.io/docs/api/webhooks. A header names the subscription: `whatsapp` (WhatsApp's own webhooks,
with Turn's `_vnd` added), `turn` and `journey_outbound` (a message that was sent out by Turn's API or a journey).
"""

from collections.abc import Iterator
from typing import Any

from adapters.contract import Adapter, InvalidSignature, Normalized, Request, Setting, Unprocessable, Values, secrets_of
from adapters.reading.addresses import phone
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_unix
from adapters.signing.optional import SETTINGS as _UNSIGNED
from adapters.signing.optional import WORDS, verify_signed_or_known
from adapters.signing.signatures import header, signs
from adapters.whatsapp_cloud.content import content_of
from adapters.whatsapp_cloud.messages import CHANGES, Item, message
from adapters.whatsapp_cloud.statuses import STATUSES, status
from schemas.events import Event

_SIGNATURE, _SUBSCRIPTION = "x-turn-hook-signature", "x-turn-hook-subscription"


def recognise(request: Request) -> bool:
    """Recognise a webhook by Turn's headers."""
    return _SIGNATURE in request.headers or _SUBSCRIPTION in request.headers


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA256 of the body, base64; without one, basic authentication or the secret in the URL. No time is
    signed, so `fresh` has no effect. Raises InvalidSignature."""
    secrets = secrets_of(values, "webhook_secret")

    def check() -> None:
        given = header(request, _SIGNATURE)
        if not any([signs(secret, "sha256", request.body, given, "base64") for secret in secrets]):
            raise InvalidSignature("no configured webhook_secret makes this signature")

    return verify_signed_or_known(request, values, keys=secrets, signed=_SIGNATURE in request.headers, check=check)


def normalize(request: Request) -> Normalized:
    """Return one event per message and status, or that of a message sent out. Raises Unprocessable."""
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of Turn.io: the body is not an object")
    result = Normalized()
    for item, event in _items(body, request):
        if isinstance(event, Event):
            result.events.append(event)
        else:
            result.unprocessable.append((item, event))
    return result


def _items(body: Item, request: Request) -> Iterator[tuple[Any, Event | str]]:
    known = False
    for name, read in (("messages", message), ("statuses", status), ("errors", _fault)):
        if not isinstance(items := body.get(name), list):
            continue
        known = True
        for item in items:
            try:
                if not isinstance(item, dict):
                    raise Unprocessable(f"an item of {name} is not an object")
                yield item, read(item, body, request)
            except Unprocessable as error:
                yield item, str(error)
    if not known:
        subscription = request.headers.get(_SUBSCRIPTION)
        yield body, _sent_out(body, request) if "to" in body else unknown(request, body, status=subscription)


def _fault(item: Item, body: Item, request: Request) -> Event:
    """Return the event of an error of the account, which concerns no message."""
    return unknown(request, item, status="error")


def _sent_out(body: Item, request: Request) -> Event:
    """Return the event of a message submitted to Turn's API and accepted by WhatsApp under the id in a header; a
    status reports later whether it was sent."""
    # The body's id is signed. The header is not, but has the only id if the body is what was submitted.
    message_id = identifier(body.get("id")) or identifier(request.headers.get("x-whatsapp-id"))
    customer, ours = phone(body.get("to")), phone(body.get("from"))
    # The default type is text.
    content = content_of(body if "type" in body else body | {"type": "text"})
    payload: Item = {"providerStatus": request.headers.get(_SUBSCRIPTION, "turn")[:255]}
    if content:
        payload["content"] = content
    if customer is not None:
        payload["to"] = customer.value
    if ours is not None:
        payload["from"] = ours.value
    context = body.get("context")
    if isinstance(context, dict) and (replied := text(context.get("message_id")) or text(context.get("id"))):
        payload["inReplyTo"] = replied[:2048]
    if message_id is None or content is None:
        payload["native"] = unknown(request, body).payload["native"]
    time = text(body.get("timestamp"))
    event_id = fact_id("sent out", message_id) if message_id else unknown(request, body).source_event_id
    at = from_unix(time)
    event = Event(
        "MessageQueued",
        request.source,
        event_id,
        channel="whatsapp",
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=at,
        payload=payload,
    )
    return keep_rest(event, body, ("to", "from", "id", "timestamp", "type", "recipient_type"))


ADAPTER = Adapter(
    name="turn_whatsapp",
    title="Turn.io",
    docs="https://whatsapp.turn.io/docs/api/webhooks",
    channels=frozenset({"whatsapp"}),
    events=frozenset({*STATUSES.values(), *CHANGES.values(), "MessageReceived", "MessageQueued"}),
    signature=f"HMAC-SHA256 of the body; {WORDS}",
    signs_body=True,
    settings=(
        Setting("webhook_secret", "The HMAC secret of the webhook (Turn.io, Settings, API & Webhooks)."),
        *_UNSIGNED,
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
)
