"""Reads Telnyx's webhooks: messages of SMS, MMS, RCS and WhatsApp (one event per recipient), and calls.

https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks: each URL is tried up to three times until
it answers with 2xx within two seconds, then the failover URL. A webhook keeps its id in retries.
"""

from adapters.contract import (
    Adapter,
    InvalidSignature,
    Normalized,
    Request,
    Send,
    Setting,
    Unprocessable,
    Values,
    secrets_of,
)
from adapters.reading.addresses import caller
from adapters.reading.bodies import json_of
from adapters.reading.facts import identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from adapters.signing.keys import ed25519_key, signs_ed25519
from adapters.signing.signatures import check_age, from_base64, header, readable
from adapters.telnyx import calls, messages
from adapters.telnyx.send import API, build_request, read_response

_SIGNATURE = "telnyx-signature-ed25519"
#: Keys whose value the event has in another form; and the key of this delivery of the webhook (`meta`), which differs
#: in a retry.
_KINDS = (messages.RECEIVED, messages.FINAL, *messages.RECIPIENT_EVENTS, *calls.CALLS)
_READ = frozenset({"direction", "event_type", "record_type", "status", "meta"})


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature header."""
    return _SIGNATURE in request.headers


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify Ed25519 over `timestamp|body`. Raises InvalidSignature."""
    keys = secrets_of(values, "public_key")
    if not keys:
        return None
    given, timestamp = from_base64(header(request, _SIGNATURE)), header(request, "telnyx-timestamp")
    message = timestamp.encode("utf-8", "replace") + b"|" + request.body
    if not any([signs_ed25519(key, message, given) for key in readable(keys, ed25519_key)]):
        raise InvalidSignature("no configured public_key verifies this signature")
    if fresh:
        check_age(timestamp, request.received_at)
    return True


def normalize(request: Request) -> Normalized:
    """Return one event per recipient of a message, one for a call, two for a message that opts out or in. Raises
    Unprocessable."""
    body = json_of(request)
    data = body.get("data") if isinstance(body, dict) else None
    payload = data.get("payload") if isinstance(data, dict) else None
    event_id = identifier(data.get("id")) if isinstance(data, dict) else None
    if not isinstance(data, dict) or not isinstance(payload, dict) or event_id is None:
        raise Unprocessable("not a webhook of Telnyx: the body has no data, no payload or no id")
    kind, at = spelled(text(data.get("event_type")), _KINDS), text(data.get("occurred_at"))
    if kind == messages.RECEIVED and payload.get("direction") in (None, "inbound"):
        made = messages.received(payload, event_id, at, request)
        keep_rest(made[0], data, read=_READ)
        return Normalized(made)
    if kind == messages.FINAL or kind in messages.RECIPIENT_EVENTS:
        found = messages.outbound(kind, payload, event_id, at, request)
        # Each recipient's own part is kept by its event, what concerns all of them once; an unknown event has its item.
        if found.events and found.events[0].type != "ProviderEventReceived":
            shared = {key: value for key, value in payload.items() if key != "to"}
            own = found.events[0].payload.pop("native", None)
            keep_rest(found.events[0], {**data, "payload": {**shared, **(own or {})}}, read=_READ)
        return found
    if kind in calls.CALLS:
        return Normalized([keep_rest(calls.event(kind, payload, event_id, at, request), data, read=_READ)])
    event = unknown(request, data, status=kind or None, event_id=event_id)
    event.occurred_at = from_text(at)
    if kind.startswith("call.") and (leg := identifier(payload.get("call_leg_id"))) is not None:
        event.channel, event.provider_message_id = "voice", leg
        if payload.get("direction") in ("incoming", "outgoing"):
            inbound = payload["direction"] == "incoming"
            event.direction = "inbound" if inbound else "outbound"
            event.handle = caller(text(payload.get("from" if inbound else "to")))
    return Normalized([event])


ADAPTER = Adapter(
    name="telnyx",
    title="Telnyx",
    docs="https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks",
    channels=frozenset({"sms", "rcs", "whatsapp", "voice"}),
    events=frozenset(
        {
            *messages.RECIPIENT_EVENTS.values(),
            *messages.STATUSES.values(),
            *messages.AUTORESPONSES.values(),
            *calls.CALLS.values(),
            *("MessageReceived", "CallFailed", "ProviderEventReceived"),
        }
    ),
    signature="Ed25519 over timestamp and body, five minutes",
    signs_body=True,
    job_ids=frozenset({"sms"}),
    settings=(
        Setting(
            "public_key",
            "The account's public key (Portal, Keys & Credentials, Public Key), base64.",
            secret=False,
            reads=ed25519_key,
        ),
        Setting("api_key", "An API key, KEY…, for sending."),
        Setting("sender", "The number, short code or sender id to send from.", secret=False),
        Setting(
            "messaging_profile_id",
            "The messaging profile to send by, if the sender does not determine it.",
            secret=False,
        ),
        Setting("api_url", f"The URL of the API; {API} if not set.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    send=Send(
        channels=frozenset({"sms"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
