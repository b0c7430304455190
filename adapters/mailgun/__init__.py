"""Mailgun: event webhooks (JSON, and the form that older accounts still have), mail that its routes post, and sending.

Webhooks: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks and …/webhook-payloads;
signature: …/webhooks/securing-webhooks; routes: …/user-manual/receive-forward-store/receive-http. One post is one
event. A webhook answered with neither 200 nor 406 is retried for 8 hours. The signature covers a time and a token, not
the body.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import orjson

from adapters.contract import (
    Adapter,
    InvalidSignature,
    Normalized,
    Once,
    Request,
    Send,
    Setting,
    Unprocessable,
    Values,
    secrets_of,
)
from adapters.mailgun import events, form, routes
from adapters.mailgun.send import build_request, read_response
from adapters.reading.bodies import form_of, json_of
from adapters.reading.charsets import decode
from adapters.reading.facts import digest_of
from adapters.reading.multipart import parts_of
from adapters.signing.signatures import check_age, max_age, seconds, signs

#: Seconds that a signature may be old if nothing is set. Mailgun tries again for 7.5 hours by its page of webhooks
#: (…/webhooks/webhook-retries: after 5, 10, 15, 60, 120 and 240 minutes), and for 8 hours and 5 minutes by the schedule with
#: two of 10 minutes, 15 and 30 that its older manual has; it does not say that it signs a repeat anew, and refusing the
#: last of them as old would lose it.
MAX_AGE = 8 * 3600 + 900
#: Seconds that `max_age` may set at most, and that a token is remembered: a signature must not outlive that.
REMEMBERED = 86_400

_URLENCODED = (b"token=", b"signature=", b"timestamp=")
_PARTS = (b'name="token"', b'name="signature"', b'name="timestamp"', b'name="recipient"')


def recognise(request: Request) -> bool:
    """Recognise a webhook by keys that only its bodies have: an object `event-data` beside a signature, or the three
    signed fields of a form."""
    kind, body = request.headers.get("content-type", ""), request.body
    if kind.startswith("application/x-www-form-urlencoded"):
        return b"recipient=" in body and all([mark in body for mark in _URLENCODED])
    if kind.startswith("multipart/form-data"):
        return all([mark in body for mark in _PARTS])
    return b'"event-data"' in body[:1024] and b'"signature"' in body


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA256 over timestamp and token, hexadecimal; the parent account's too, of a subaccount. The body
    is not signed. Raises InvalidSignature."""
    keys = secrets_of(values, "signing_key", "webhook_signing_key")
    if not keys:
        return None
    said = _signed(request)
    timestamp, token = said.get("timestamp"), said.get("token")
    given = [one for name in ("signature", "parent-signature") if isinstance(one := said.get(name), str)]
    if not isinstance(timestamp, str) or not isinstance(token, str) or not given:
        raise InvalidSignature("the body has no timestamp, token and signature")
    message = (timestamp + token).encode("utf-8", "replace")
    if not any([signs(key, "sha256", message, one) for key in keys for one in given]):
        raise InvalidSignature("no configured signing_key makes this signature")
    if fresh:
        check_age(timestamp, request.received_at, min(max_age(values, MAX_AGE), REMEMBERED))
    return True


def once(request: Request) -> Once | None:
    """The signed token, and what it came with: not the bytes, since a repeat of a form may have another boundary."""
    try:
        said = _signed(request)
        token = digest_of(*(str(said.get(name)) for name in ("timestamp", "token")))
        digest = digest_of(*_content(request))
        until = datetime.fromtimestamp(int(said["timestamp"]) + REMEMBERED, UTC)
    except (InvalidSignature, Unprocessable, KeyError, ValueError, OverflowError, TypeError):
        return None
    return Once(token, digest, until)


def normalize(request: Request) -> Normalized:
    """Return the one event of a webhook, or the mail of a route."""
    if _is_form(request):
        fields = _fields(request)
        event = form.of_form(fields, request) if "event" in fields else routes.event(fields, request)
        return Normalized([event])
    body = json_of(request)
    data = body.get("event-data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        raise Unprocessable("no webhook of Mailgun: it has no event-data")
    return Normalized([events.of_json(data, request)])


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith(("multipart/", "application/x-www-form"))


def _content(request: Request) -> Iterator[str | bytes]:
    """All that a request says beside its signature. Raises Unprocessable."""
    kind = request.headers.get("content-type", "").lower()
    if kind.startswith("multipart/"):
        for part in parts_of(request):
            yield from (part.name, part.filename or "", part.data)
    elif _is_form(request):
        for name, value in form_of(request):
            yield from (name, value)
    else:
        yield orjson.dumps(json_of(request), option=orjson.OPT_SORT_KEYS)


def _signed(request: Request) -> dict[str, Any]:
    """What holds the signature: the form, or the object `signature` of the JSON."""
    try:
        if _is_form(request):
            return dict(_fields(request))
        body = json_of(request)
    except Unprocessable as error:
        raise InvalidSignature(str(error)) from error
    found = body.get("signature") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}


def _fields(request: Request) -> dict[str, str]:
    """The form's fields, of a repeated one the first; read once. Raises Unprocessable."""
    parsed = request.parsed
    if "fields" not in parsed:
        if request.headers.get("content-type", "").lower().startswith("multipart/"):
            pairs = [(part.name, decode(part.data)) for part in parts_of(request) if part.filename is None]
        else:
            pairs = form_of(request)
        parsed["fields"] = dict(reversed(pairs))
    fields: dict[str, str] = parsed["fields"]
    return fields


ADAPTER = Adapter(
    name="mailgun",
    title="Mailgun",
    docs="https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks",
    channels=frozenset({"email"}),
    events=frozenset({*events.EVENT_TYPES.values(), *form.FORM_TYPES.values(), "MessageDelayed", "MessageReceived"}),
    signature="HMAC-SHA256 over a time and a token in the body, not over the rest of it",
    signs_body=False,
    settings=(
        Setting(
            "signing_key",
            "The HTTP webhook signing key (Send, Sending settings, or Account, API security).",
            aliases=("webhook_signing_key",),
        ),
        Setting(
            "max_age",
            f"Seconds that a signature may be old, {REMEMBERED} at most; {MAX_AGE} if not set.",
            secret=False,
            reads=seconds,
        ),
        Setting("api_key", "The API key or a domain's sending key, to send with."),
        Setting("domain", "The domain that is sent from, as mg.example.com.", secret=False),
        Setting("sender", "Who sends where a message does not say: shop@example.com, or Shop <shop@…>.", secret=False),
        Setting("reply_to", "Where answers go, where not to the sender.", secret=False),
        Setting("api_url", "https://api.mailgun.net; of a domain in the EU https://api.eu.mailgun.net.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    once=once,
    send=Send(
        channels=frozenset({"email"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
