"""Reads the webhooks of Vonage (Nexmo): the SMS, Messages (SMS, MMS, RCS, WhatsApp, Messenger, Viber) and Voice APIs.

`signing` verifies the signatures; `sms`, `messages` and `calls` read the webhooks. An inbound SMS is retried for 24
hours unless answered with 2xx (https://developer.vonage.com/en/messaging/sms/guides/inbound-sms). Vonage gives an
event no id of its own, and promises no order.
"""

from typing import Any

from adapters.contract import (
    Adapter,
    Answer,
    InvalidSignature,
    Normalized,
    Request,
    Send,
    Setting,
    Unprocessable,
    Values,
    secrets_of,
)
from adapters.reading.bodies import form_of, json_of, query_of
from adapters.reading.facts import unknown
from adapters.reading.parameters import SECRET, whole_of
from adapters.reading.remainder import keep_rest
from adapters.signing.keys import rsa_private_key
from adapters.signing.optional import SETTINGS as _UNSIGNED
from adapters.signing.optional import WORDS, verify_signed_or_known
from adapters.signing.signatures import WINDOW, seconds
from adapters.vonage import calls, messages, signing, sms
from adapters.vonage.send import API, build_request, read_response

#: The answer to an answer webhook: an empty list of instructions
#: (https://developer.vonage.com/en/voice/voice-api/ncco-reference).
NO_INSTRUCTIONS = Answer(200, b"[]", "application/json")
#: Maximum bytes of a body that `recognise` reads.
_HEAD = 8192
#: Keys whose value the event has in another form.
_READ = frozenset({"direction", "message_type", "channel"})


def recognise(request: Request) -> bool:
    """Recognise a webhook by the claims of its token, or by a combination of names that only its parameters have."""
    if signing.is_token(request.headers.get("authorization", "")):
        return True
    if request.method == "GET":
        query = request.url.partition("?")[2][:_HEAD]
        return _is_sms(query) or ("conversation_uuid=" in query and "uuid=" in f"&{query}".replace("n_uuid=", ""))
    head = request.body[:_HEAD].decode("latin-1")
    if head[:1] != "{":
        return _is_sms(head)
    if '"message_uuid"' in head:
        return '"timestamp"' in head and ('"channel"' in head or '"from":{"type"' in head)
    answered = '"uuid"' in head and '"from"' in head and '"to"' in head
    return _is_sms(head) or ('"conversation_uuid' in head and ('"timestamp"' in head or answered))


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the token in `Authorization`, or the signature `sig` among the parameters; without either, basic
    authentication or the secret in the URL. Raises InvalidSignature."""
    secrets = secrets_of(values, "signature_secret")
    if request.headers.get("authorization", "").startswith("Bearer "):
        return verify_signed_or_known(
            request,
            values,
            keys=secrets,
            signed=True,
            check=lambda: signing.check_token(request, secrets, values, fresh),
        )
    pairs: list[tuple[str, str]] = []
    if secrets:
        try:
            pairs = signing.texts(_parameters(request))
        except Unprocessable as error:
            if not secrets_of(values, "basic_auth", "url_secret"):
                raise InvalidSignature(str(error)) from error
    return verify_signed_or_known(
        request,
        values,
        keys=secrets,
        signed=any(name == "sig" for name, _ in pairs),
        check=lambda: signing.check_parameters(request, pairs, secrets, values, request.received_at if fresh else None),
    )


def normalize(request: Request) -> Normalized:
    """Return the one event of a request. Raises Unprocessable."""
    found = _parameters(request)
    fields: dict[str, Any] = dict(found) if isinstance(found, list) else found
    if request.method == "GET":
        fields.pop(SECRET, None)
    if not fields:
        raise Unprocessable("a request without parameters")
    if "message_uuid" in fields:
        event = messages.event(fields, request)
    elif "messageId" in fields and "msisdn" in fields:
        event = sms.event(fields, request)
    elif calls.is_call(fields):
        event = calls.event(fields, request)
    else:
        return Normalized([unknown(request, whole_of(request))])
    return Normalized([keep_rest(event, whole_of(request), read=_READ)])


def answer(request: Request) -> Answer:
    """Answer 200, which alone stops retries; a call's answer webhook gets an empty list of instructions."""
    try:
        found = _parameters(request)
    except Unprocessable:
        return Answer()
    return NO_INSTRUCTIONS if calls.wants_instructions(dict(found)) else Answer()


def _parameters(request: Request) -> dict[str, Any] | list[tuple[str, str]]:
    """Return the JSON object, or the pairs of a form or a query. Raises Unprocessable."""
    if request.method == "GET":
        return query_of(request)
    if request.body[:1] != b"{" and "json" not in request.headers.get("content-type", ""):
        return form_of(request)
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of Vonage: the body is not an object")
    return body


def _is_sms(head: str) -> bool:
    """Return whether the parameters are an SMS: a receipt has an `err-code`, an inbound message always its time."""
    return "msisdn" in head and "messageId" in head and ("message-timestamp" in head or "err-code" in head)


ADAPTER = Adapter(
    name="vonage",
    title="Vonage",
    docs="https://developer.vonage.com/en/getting-started/concepts/webhooks",
    channels=frozenset({"sms", "whatsapp", "rcs", "chat", "voice"}),
    events=frozenset(
        {
            *sms.STATUSES.values(),
            *messages.STATUSES.values(),
            *calls.STATUSES.values(),
            *("MessageReceived", "CallRecorded", "ProviderEventReceived"),
        }
    ),
    signature=f"JWT (HS256) with the body's SHA-256; SMS API: hash or HMAC over the sorted parameters; {WORDS}",
    signs_body=True,
    settings=(
        Setting("signature_secret", "The account's signature secret (Dashboard, API settings)."),
        Setting(
            "signature_method",
            f"How the SMS API signs (API settings): {', '.join(signing.METHODS)}; {signing.METHOD} if not set.",
            secret=False,
        ),
        Setting("max_age", f"Seconds that a signature may be old; {WINDOW} if not set.", secret=False, reads=seconds),
        *_UNSIGNED,
        Setting("application_id", "The application's id, for sending.", secret=False),
        Setting("private_key", "The application's private key (PEM), for sending.", reads=rsa_private_key),
        Setting("api_key", "The account's API key, to send with instead of an application.", secret=False),
        Setting("api_secret", "The account's API secret, with the API key."),
        Setting("sender", "The number, sender id, RCS agent or page to send from.", secret=False),
        Setting("api_url", f"The URL of the API; {API} if not set.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    answer=answer,
    send=Send(
        channels=frozenset({"sms", "whatsapp", "rcs", "chat"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
