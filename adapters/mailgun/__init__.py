"""Reads Mailgun's event webhooks (JSON, and the form that older accounts still have) and the mail that its routes post.

Webhooks: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhooks and …/webhook-payloads;
signature: …/webhooks/securing-webhooks; routes: …/user-manual/receive-forward-store/receive-http. One post is one
event. Mailgun retries a webhook for 8 hours unless the answer is 200 or 406. The signature covers a time and a
token, not the body.
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

#: Maximum age of a signature in seconds, by default. Mailgun retries for 7.5 hours according to
#: …/webhooks/webhook-retries (after 5, 10, 15, 60, 120 and 240 minutes), and for 8 hours and 5 minutes according to
#: its older manual. It is not documented whether a retry is signed again; if not, a lower limit would refuse, and
#: lose, the last retries.
MAX_AGE = 8 * 3600 + 900
#: Seconds that a token is remembered, and the upper limit of `max_age`: a signature must not outlive its token.
REMEMBERED = 86_400

_URLENCODED = (b"token=", b"signature=", b"timestamp=")
_PARTS = (b'name="token"', b'name="signature"', b'name="timestamp"', b'name="recipient"')


def recognise(request: Request) -> bool:
    """Recognise a webhook by keys that only its bodies have: `event-data` beside `signature` in JSON, or the three
    signed fields of a form."""
    kind, body = request.headers.get("content-type", ""), request.body
    if kind.startswith("application/x-www-form-urlencoded"):
        return b"recipient=" in body and all([mark in body for mark in _URLENCODED])
    if kind.startswith("multipart/form-data"):
        return all([mark in body for mark in _PARTS])
    return b'"event-data"' in body[:1024] and b'"signature"' in body


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA256 over timestamp and token, in hex; for a subaccount, the parent account's signature too. The
    body is not signed. Raises InvalidSignature."""
    keys = secrets_of(values, "signing_key", "webhook_signing_key")
    if not keys:
        return None
    signed = _signed(request)
    timestamp, token = signed.get("timestamp"), signed.get("token")
    given = [one for name in ("signature", "parent-signature") if isinstance(one := signed.get(name), str)]
    if not isinstance(timestamp, str) or not isinstance(token, str) or not given:
        raise InvalidSignature("the body has no timestamp, token and signature")
    message = (timestamp + token).encode("utf-8", "replace")
    if not any([signs(key, "sha256", message, one) for key in keys for one in given]):
        raise InvalidSignature("no configured signing_key makes this signature")
    if fresh:
        check_age(timestamp, request.received_at, min(max_age(values, MAX_AGE), REMEMBERED))
    return True


def once(request: Request) -> Once | None:
    """Return the signed token and a digest of the content: not of the bytes, since a retried form may have another
    boundary."""
    try:
        signed = _signed(request)
        token = digest_of(*(str(signed.get(name)) for name in ("timestamp", "token")))
        digest = digest_of(*_content(request))
        until = datetime.fromtimestamp(int(signed["timestamp"]) + REMEMBERED, UTC)
    except (InvalidSignature, Unprocessable, KeyError, ValueError, OverflowError, TypeError):
        return None
    return Once(token, digest, until)


def normalize(request: Request) -> Normalized:
    """Return the events of a webhook, nearly always one, or the mail of a route. Raises Unprocessable."""
    if _is_form(request):
        fields = _fields(request)
        event = form.of_form(fields, request) if "event" in fields else routes.event(fields, request)
        return Normalized([event])
    body = json_of(request)
    data = body.get("event-data") if isinstance(body, dict) else None
    if not isinstance(data, dict):
        raise Unprocessable("not a webhook of Mailgun: the body has no event-data")
    return Normalized(events.of_json(data, request))


def _is_form(request: Request) -> bool:
    return request.headers.get("content-type", "").lower().startswith(("multipart/", "application/x-www-form"))


def _content(request: Request) -> Iterator[str | bytes]:
    """Yield all content of a request except its signature. Raises Unprocessable."""
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
    """Return the object that holds the signature: the form's fields, or `signature` of the JSON. Raises
    InvalidSignature."""
    try:
        if _is_form(request):
            return dict(_fields(request))
        body = json_of(request)
    except Unprocessable as error:
        raise InvalidSignature(str(error)) from error
    found = body.get("signature") if isinstance(body, dict) else None
    return found if isinstance(found, dict) else {}


def _fields(request: Request) -> dict[str, str]:
    """Return the form's fields, the first of each name; they are parsed once per request. Raises Unprocessable."""
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
    job_ids=frozenset({"email"}),
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
        Setting("domain", "The sending domain, for example mg.example.com.", secret=False),
        Setting("sender", "The sender if a message names none: shop@example.com, or Shop <shop@…>.", secret=False),
        Setting("reply_to", "The address for replies, if not the sender's.", secret=False),
        Setting(
            "api_url",
            "The URL of the API; https://api.mailgun.net if not set, https://api.eu.mailgun.net for an EU domain.",
            secret=False,
        ),
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
