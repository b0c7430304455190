"""Reads SendGrid's event webhook (JSON, up to thousands of events in one post) and inbound parse.

Events: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event. Signature:
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features,
and for inbound parse https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/securing-your-parse-webhooks.
Unless answered with 2xx, a post is retried for 24 hours, one of inbound parse for 72.
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
from adapters.reading.bodies import json_of
from adapters.sendgrid import parse
from adapters.sendgrid.erase import ERASE
from adapters.sendgrid.events import EVENT_TYPES, event
from adapters.sendgrid.send import API, build_request, read_response
from adapters.signing.keys import ec_key, signs_ecdsa
from adapters.signing.signatures import WINDOW, check_age, from_base64, header, max_age, readable, seconds
from adapters.signing.unsigned import user_of, verify_unsigned

_SIGNATURE = "x-twilio-email-event-webhook-signature"
_TIMESTAMP = "x-twilio-email-event-webhook-timestamp"


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature header, its user agent, or keys that only its body has."""
    headers = request.headers
    if _SIGNATURE in headers or headers.get("user-agent", "").startswith(("SendGrid Event API", "Sendlib/")):
        return True
    if headers.get("content-type", "").startswith("multipart/form-data"):
        return b'name="envelope"' in request.body and b'name="SPF"' in request.body
    return b'"sg_event_id"' in request.body[:4096]


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify ECDSA (P-256, SHA-256) over timestamp and body, with a window; for an unsigned inbound parse, the
    credentials in the URL. Raises InvalidSignature."""
    keys = secrets_of(values, "public_key", "verification_key")
    if keys and (_SIGNATURE in request.headers or not parse.is_parse(request)):
        _check_signature(request, keys, values, fresh)
        return True
    known = verify_unsigned(request, values)
    if known is None and keys:
        raise InvalidSignature(f"the header {_SIGNATURE} is missing")
    return known


def normalize(request: Request) -> Normalized:
    """Return one event per item, or the one event of a mail. Raises Unprocessable."""
    if parse.is_parse(request):
        return Normalized([parse.event(request)])
    body = json_of(request)
    result = Normalized()
    for item in body if isinstance(body, list) else [body]:
        try:
            result.events.append(event(item, request))
        except Unprocessable as error:
            result.unprocessable.append((item, str(error)))
    return result


def _check_signature(request: Request, keys: list[str], values: Values, fresh: bool) -> None:
    given = from_base64(header(request, _SIGNATURE))
    timestamp = header(request, _TIMESTAMP)
    message = timestamp.encode("utf-8", "replace") + request.body
    if not any([signs_ecdsa(key, message, given) for key in readable(keys, ec_key)]):
        raise InvalidSignature("no configured public_key verifies this signature")
    if fresh:
        check_age(timestamp, request.received_at, max_age(values))


ADAPTER = Adapter(
    name="sendgrid",
    title="Twilio SendGrid",
    docs="https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event",
    channels=frozenset({"email"}),
    events=frozenset({*EVENT_TYPES.values(), "MessageReceived"}),
    signature="ECDSA P-256 over timestamp and body; inbound parse also basic auth or a secret in the URL",
    signs_body=True,
    job_ids=frozenset({"email"}),
    settings=(
        Setting(
            "public_key",
            "The verification key of the signed webhook (Settings, Mail Settings, Event Webhooks), base64 or PEM.",
            secret=False,
            aliases=("verification_key",),
            reads=ec_key,
        ),
        Setting(
            "basic_auth",
            "user:password in the URL of inbound parse, if it has no security policy.",
            reads=user_of,
        ),
        Setting("url_secret", "A secret in the query of inbound parse's URL, as ?key=…"),
        Setting("api_key", "An API key with the permission Mail Send, to send with."),
        Setting("sender", "The sender: an address, or Name <address>, of an authenticated domain.", secret=False),
        Setting(
            "api_url", f"The URL of the API; {API} if not set, https://api.eu.sendgrid.com in the EU.", secret=False
        ),
        # SendGrid documents no maximum age. It batches events again for each attempt, and signs each attempt.
        Setting("max_age", f"Seconds that a signature may be old; {WINDOW} if not set.", secret=False, reads=seconds),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    send=Send(
        channels=frozenset({"email"}),
        build_request=build_request,
        read_response=read_response,
    ),
    erase=ERASE,
)
