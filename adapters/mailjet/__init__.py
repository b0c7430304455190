"""Reads Mailjet's Event API (one event, or a list of those of one second) and the mail of its Parse API.

Events: https://dev.mailjet.com/email/guides/webhooks/ and
https://github.com/mailjet/api-documentation/blob/master/guides/_event-api.md. Nothing is signed. Mailjet retries a
webhook unless the answer is 200.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from adapters.contract import Adapter, Batch, LookUp, Normalized, Request, Send, Unprocessable, Values
from adapters.mailjet import inbound
from adapters.mailjet.send import (
    BATCH,
    LOOKUP_AFTER,
    build_batch,
    build_lookup,
    build_request,
    read_batch,
    read_lookup,
    read_response,
)
from adapters.mailjet.send import SETTINGS as _SENDING
from adapters.reading.addresses import one_recipient
from adapters.reading.bodies import json_of, parse_json
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.own_ids import NAME, own_id
from adapters.reading.remainder import keep_flat
from adapters.reading.shapes import object_of
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from adapters.signing import unsigned
from schemas.events import Error, Event

#: `sent` means that the recipient's server has accepted the mail; only a greylisted bounce is retried.
EVENT_TYPES: dict[str, str] = {
    "sent": "MessageDelivered",
    "open": "MessageOpened",
    "click": "MessageClicked",
    "bounce": "MessageBounced",
    "blocked": "MessageRejected",
    "spam": "MessageComplained",
    "unsub": "RecipientUnsubscribed",
}
#: The values of `error`: …/guides/_event-api.md#possible-values-for-errors; the newer ones are the states in
#: Mailjet's client, https://app.unpkg.com/node-mailjet@6.0.2/files/declarations/types/api/Message.d.ts.
ERRORS: dict[str, str] = {
    "user unknown": "invalid_address",
    "mailbox inactive": "invalid_address",
    "quota exceeded": "unreachable",
    "invalid domain": "invalid_address",
    "no mail host": "unreachable",
    "relay/access denied": "blocked",
    "greylisted": "rate",
    "sender blocked": "blocked",
    "content blocked": "spam",
    "policy issue": "blocked",
    "system issue": "unknown",
    "protocol issue": "unknown",
    "connection issue": "unreachable",
    "preblocked": "invalid_address",
    "duplicate in campaign": "unknown",
    "spam preblocked": "spam",
    "bad or empty template": "content",
    "error in template language": "content",
    "typofix": "invalid_address",
    "blacklisted": "blocked",
    "spam reporter": "opted_out",
}
#: Keys that add nothing to what their event has.
_READ = frozenset({"event", "time", "MessageID", "mj_message_id", "email", "hard_bounce"})
_COPIED = (("url", "url"), ("userAgent", "agent"), ("ip", "ip"))
#: Maximum length of a `Payload` that is parsed; other senders of the account may put anything into it.
_MOST_PAYLOAD = 4096


def recognise(request: Request) -> bool:
    """Recognise a webhook by a combination of keys that only its bodies have."""
    body = request.body
    if b'"mj_campaign_id"' in body or b'"mj_contact_id"' in body:
        return b'"event"' in body
    return b'"SpamAssassinScore"' in body and b'"Parts"' in body and b'"Sender"' in body


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the caller's credentials: Mailjet signs nothing. Raises InvalidSignature."""
    return unsigned.verify_unsigned(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event per item (two for an unsubscription that names a list), or the one event of a mail."""
    body = json_of(request)
    if isinstance(body, dict) and "Parts" in body and "event" not in body:
        return Normalized([inbound.event(body, request)])
    result = Normalized()
    for item in body if isinstance(body, list) else [body]:
        try:
            result.events += _events(item, request)
        except Unprocessable as error:
            result.unprocessable.append((item, str(error)))
    return result


def _events(item: Any, request: Request) -> Iterator[Event]:
    """Yield the item's event. An unsubscription that names a list is one from all mail, since the recipient clicked the
    link of a mail whatever list that was sent to, and one from the list. Raises Unprocessable."""
    event = _event(item, request)
    yield event
    if event.type == "RecipientUnsubscribed" and (list_ := text(item.get("mj_list_id"))) and list_ != "0":
        named = fact_id(event.source_event_id, list_)
        yield replace(event, source_event_id=named, payload=event.payload | {"list": list_[:255]})


def _event(item: Any, request: Request) -> Event:
    if not isinstance(item, dict):
        raise Unprocessable("an item is not an object")
    get = item.get
    given = text(get("event")) or ""
    word = spelled(given, EVENT_TYPES)
    customer, email = one_recipient(get("email"))
    type_ = EVENT_TYPES.get(word, "ProviderEventReceived")
    message_id = identifier(get("MessageID")) or identifier(get("mj_message_id"))
    time = from_unix(get("time"))
    if type_ == "ProviderEventReceived":
        event = unknown(request, item, status=given or None)
        event.occurred_at = time
        if message_id is not None:
            event.channel, event.direction = "email", "outbound"
            event.provider_message_id, event.handle = message_id, customer
        return event
    if message_id is None and email is None:
        raise Unprocessable("an event has neither a message id nor an address")
    payload: dict[str, Any] = {"providerStatus": given}
    if email:
        payload["to"] = email
    ours = _ours(get("Payload"))
    if reference := text(get("CustomID")) or text(ours.get("reference")):
        payload["reference"] = reference[:1024]
    payload |= {key: value for key, name in _COPIED if (value := text(get(name)))}
    error = None
    if word in ("bounce", "blocked"):
        why = text(get("error"))
        known = spelled(why, ERRORS)
        if word == "bounce":
            payload["bounceType"] = "hard" if get("hard_bounce") is True else "soft"
            type_ = "MessageDelayed" if known == "greylisted" else type_
        error = Error(text(get("error_related_to")), why, ERRORS.get(known, "unknown"))
    event = Event(
        type_,
        request.source,
        fact_id("mailjet", word, message_id, email, text(get("time")), text(get("url"))),
        channel="email",
        direction="outbound",
        provider_message_id=message_id,
        echoed_message_id=own_id(ours.get(NAME)),
        handle=customer,
        occurred_at=time,
        error=error,
        payload=payload,
    )
    return keep_flat(event, item, _READ)


def _ours(payload: Any) -> dict[str, Any]:
    """Return the ids that we put into the message's EventPayload, or an empty object."""
    if not isinstance(payload, str) or not payload.startswith("{") or len(payload) > _MOST_PAYLOAD:
        return {}
    try:
        return object_of(parse_json(payload.encode("utf-8", "replace")))
    except Unprocessable:
        return {}


ADAPTER = Adapter(
    name="mailjet",
    title="Mailjet",
    docs="https://dev.mailjet.com/email/guides/webhooks/",
    channels=frozenset({"email"}),
    events=frozenset({*EVENT_TYPES.values(), "MessageDelayed", "MessageReceived", "ProviderEventReceived"}),
    signature="signs nothing: basic auth or a secret in the URL",
    signs_body=False,
    job_ids=frozenset({"email"}),
    settings=(*unsigned.SETTINGS, *_SENDING),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    send=Send(
        channels=frozenset({"email"}),
        build_request=build_request,
        read_response=read_response,
        batch=Batch(size=BATCH, build=build_batch, read=read_batch),
        look_up=LookUp(after=LOOKUP_AFTER, build=build_lookup, read=read_lookup),
    ),
)
