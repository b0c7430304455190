"""Reads the webhooks of seven (seven.io, formerly sms77): status reports and inbound messages of SMS and RCS, one event each,
as JSON or as a form.

https://docs.seven.io/en/rest-api/webhooks, https://docs.seven.io/en/rest-api/signing; RCS as in the types of seven's own
client, https://github.com/seven-io/js-client (hooks). A status report has neither the recipient nor a time with a zone.
"""

from hashlib import md5
from typing import Any

from adapters.contract import Adapter, InvalidSignature, Normalized, Request, Setting, Unprocessable, Values, secrets_of
from adapters.reading.addresses import handle
from adapters.reading.bodies import form_of, is_form, json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.reading.times import from_unix
from adapters.reading.words import spelled
from adapters.signing.optional import SETTINGS as _UNSIGNED
from adapters.signing.optional import WORDS, verify_signed_or_known
from adapters.signing.signatures import check_age, header, signs
from schemas.events import Error, Event

#: https://docs.seven.io/en/rest-api/endpoints/status-reports. The network's SMSC sends `ACCEPTED` and `TRANSMITTED`.
STATUSES: dict[str, str] = {
    "ACCEPTED": "UserMessageSent",
    "TRANSMITTED": "UserMessageSent",
    "BUFFERED": "MessageDelayed",
    "DELIVERED": "MessageDelivered",
    "NOTDELIVERED": "MessageFailed",
    "EXPIRED": "MessageFailed",
    "FAILED": "MessageFailed",
    "REJECTED": "MessageRejected",
}
#: `status` of RCS; `IS_TYPING` is about no message.
RCS_STATUSES: dict[str, str] = {"DELIVERED": "MessageDelivered", "READ": "MessageRead"}
#: `content_type` of a message that comes in by RCS.
_RCS_CONTENTS = frozenset({"text", "suggestion_response", "user_file", "location"})
#: Keys whose value the event has in another form, and the time of the request.
_READ = frozenset({"webhook_event", "webhook_timestamp"})
_FAILURES = frozenset({"MessageDelayed", "MessageFailed", "MessageRejected"})
_REASONS = {"BUFFERED": "unreachable", "EXPIRED": "expired"}


def recognise(request: Request) -> bool:
    """Recognise a webhook by the name of the event in the body, with its time and data. Signing is optional."""
    head = request.body[:4096]
    if b'"webhook_event"' in head:
        return b'"webhook_timestamp"' in head and b'"data"' in head
    return b"webhook_event=" in head and b"webhook_timestamp=" in head and (b"data%5B" in head or b"data[" in head)


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the HMAC-SHA256 of time, nonce, method, URL and the body's MD5, in hex; without one, basic authentication or
    the secret in the URL. Raises InvalidSignature."""
    keys = secrets_of(values, "signing_key")
    return verify_signed_or_known(
        request,
        values,
        keys=keys,
        signed="x-signature" in request.headers,
        check=lambda: _check(request, keys, fresh),
    )


def _check(request: Request, keys: list[str], fresh: bool) -> None:
    given, timestamp, nonce = (header(request, name) for name in ("x-signature", "x-timestamp", "x-nonce"))
    if fresh:
        check_age(timestamp, request.received_at)
    digest = md5(request.body, usedforsecurity=False).hexdigest()  # seven's scheme
    signed = "\n".join([timestamp, nonce, request.method, request.url, digest]).encode("utf-8", "replace")
    if not any([signs(key, "sha256", signed, given.lower()) for key in keys]):
        raise InvalidSignature(
            "no configured signing_key makes this signature: is the source's url the one configured at seven?"
        )


def normalize(request: Request) -> Normalized:
    """Return one event. Raises Unprocessable if the body is not an object."""
    body = _body(request)
    data, kind = body.get("data"), spelled(text(body.get("webhook_event")), ("dlr", "sms_mo", "rcs")) or None
    if isinstance(data, dict) and kind == "dlr":
        return Normalized([keep_rest(_status(data, request), body, read=_READ)])
    if isinstance(data, dict) and kind == "sms_mo":
        return Normalized([keep_rest(_inbound(data, "sms", request), body, read=_READ)])
    if isinstance(data, dict) and kind == "rcs":
        return Normalized([_rcs(data, body, request)])
    return Normalized([unknown(request, body, status=kind)])


def _body(request: Request) -> dict[str, Any]:
    """Return the body's fields; those of a form that are called `data[…]` as the object `data`. Raises Unprocessable."""
    if not is_form(request):
        body = json_of(request)
        if not isinstance(body, dict):
            raise Unprocessable("the body is not an object")
        return body
    fields, data = dict[str, Any](), dict[str, Any]()
    for name, value in form_of(request):
        if name.startswith("data[") and name.endswith("]"):
            data.setdefault(name[5:-1], value)
        else:
            fields.setdefault(name, value)
    return fields | {"data": data}


def _rcs(data: dict[str, Any], body: dict[str, Any], request: Request) -> Event:
    """Return the event of RCS: a message, by its `content_type`, or what became of one of ours."""
    person = handle(data.get("sender"), "sms")
    if text(data.get("content_type")) in _RCS_CONTENTS:
        return keep_rest(_inbound(data, "rcs", request), body, read=_READ)
    given, message_id = text(data.get("status")), identifier(data.get("msg_id"))
    type = RCS_STATUSES.get(spelled(given, RCS_STATUSES) or "")
    if type is None or message_id is None:
        event = unknown(request, body, status=given or "rcs")
    else:
        event = Event(type, request.source, fact_id("rcs", message_id, given), payload={"providerStatus": given})
    event.channel, event.direction, event.provider_message_id = "rcs", "outbound", message_id
    event.handle = person
    return keep_rest(event, body, read=_READ)


def _status(data: dict[str, Any], request: Request) -> Event:
    given, message_id = text(data.get("status")), identifier(data.get("msg_id"))
    word = spelled(given, STATUSES)
    type = STATUSES.get(word)
    if type is None or message_id is None:
        event = unknown(request, data, status=given)
    else:
        event = Event(type, request.source, fact_id("status", message_id, word), payload={"providerStatus": given})
    event.channel, event.direction, event.provider_message_id = "sms", "outbound", message_id
    if type in _FAILURES:
        event.error = Error(None, word, _REASONS.get(word or "", "unknown"))
    return event


def _inbound(data: dict[str, Any], channel: str, request: Request) -> Event:
    message_id, customer = identifier(data.get("id")), handle(data.get("sender"), "sms")
    if message_id is None:
        raise Unprocessable("a message without its id")
    words = text(data.get("text"))
    payload: dict[str, Any] = {"content": {"text": words or ""}} if words or channel == "sms" else {}
    if sender := customer.value if customer is not None else text(data.get("sender")):
        payload["from"] = sender
    if (ours := handle(data.get("system"), "sms")) is not None:
        payload["to"] = ours.value
    return Event(
        "MessageReceived",
        request.source,
        fact_id("inbound", message_id) if channel == "sms" else fact_id("inbound", channel, message_id),
        channel=channel,
        direction="inbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=from_unix(data.get("time")),
        payload=payload,
    )


ADAPTER = Adapter(
    name="seven",
    title="seven",
    docs="https://docs.seven.io/en/rest-api/webhooks",
    channels=frozenset({"sms", "rcs"}),
    events=frozenset({*STATUSES.values(), *RCS_STATUSES.values(), "MessageReceived", "ProviderEventReceived"}),
    signature=f"HMAC-SHA256 of time, nonce, method, URL and the body's MD5; {WORDS}",
    signs_body=True,
    settings=(Setting("signing_key", "The signing key of the account (seven, Developer, API settings)."), *_UNSIGNED),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
)
