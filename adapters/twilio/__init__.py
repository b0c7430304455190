"""Reads Twilio's webhooks of messages and calls: inbound, status callbacks, recordings, and Event Streams.

Signature: https://www.twilio.com/docs/usage/webhooks/webhooks-security. `messages`, `calls`, `conversations` and
`streams` read the webhooks. Twilio retries a failed webhook once at most, unless the URL overrides it (`#rc=…`,
https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides), and Event Streams for four hours. It
promises no order, and a callback has no id and mostly no time.
"""

import re
from typing import Any
from urllib.parse import unquote, urlsplit

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
from adapters.reading.bodies import Pairs, fields_of, form_of, query_of
from adapters.reading.facts import identifier, unknown
from adapters.reading.own_ids import own_id_in_url
from adapters.signing.signatures import header, hex_sha256, same, signs
from adapters.twilio import calls, conversations, messages, streams
from adapters.twilio.erase import ERASE
from adapters.twilio.send import API, build_request, read_response
from schemas.events import Event

#: The answer to an inbound message or call: an empty list of instructions
#: (https://www.twilio.com/docs/messaging/twiml, https://www.twilio.com/docs/voice/twiml).
TWIML = Answer(200, b'<?xml version="1.0" encoding="UTF-8"?><Response/>', "text/xml; charset=utf-8")
#: Parameters of callbacks that only report; Twilio does not read the answer.
_REPORTS = frozenset({"MessageStatus", "RecordingStatus", "CallbackSource", "EventType"})
_SIP = re.compile("%(?:40|3A)", re.IGNORECASE)


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature header (SendGrid's is another: `x-twilio-email-…`), or by its user agent."""
    headers = request.headers
    return "x-twilio-signature" in headers or headers.get("user-agent", "").startswith("TwilioProxy/")


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA1 over the URL and the sorted form; for another kind of body the URL has its SHA-256
    (`bodySHA256`).

    The URL is tried with and without its port, as in Twilio's own libraries
    (https://github.com/twilio/twilio-python/blob/main/twilio/request_validator.py). No time is signed, so `fresh`
    has no effect. Raises InvalidSignature.
    """
    tokens = secrets_of(values, "auth_token")
    if not tokens:
        return None
    given = header(request, "x-twilio-signature")
    fields = _signed_fields(request)
    if _signed(tokens, request.url, fields, given):
        return True
    urls = [request.url, *_other_ports(request.url)]
    if any([_signed(tokens, spelt, fields, given) for url in urls for spelt in _spellings(url)]):
        return True
    raise InvalidSignature("no configured auth_token makes this signature: does the source's url match Twilio's?")


def normalize(request: Request) -> Normalized:
    """Return one event, two for an opt-out or a call that ends with a recording, or several for Event Streams.
    Raises Unprocessable."""
    if not _is_form(request):
        return streams.normalize(request)
    pairs = _pairs(request)
    fields, native = dict(pairs), fields_of(pairs)
    if not fields:
        raise Unprocessable("a request without parameters")
    if conversations.is_one(fields):
        return Normalized(conversations.events(fields, native, request))
    if "CallSid" in fields or "RecordingSid" in fields:
        return Normalized(calls.events(fields, request, own_id=own_id_in_url(request)))
    if messages.is_message(fields):
        return Normalized(messages.events(fields, request, own_id=own_id_in_url(request), native=native))
    return Normalized([_other(fields, native, request)])


def answer(request: Request) -> Answer:
    """Answer an inbound message or call with empty TwiML, a callback with an empty body."""
    try:
        reports = not _is_form(request) or not _REPORTS.isdisjoint([name for name, _ in _pairs(request)])
    except Unprocessable:
        reports = True
    return Answer() if reports else TWIML


def _other(fields: dict[str, str], native: dict[str, Any], request: Request) -> Event:
    """Return the unmapped event of any other form, with what it says of a message."""
    word = fields.get("EventType") or fields.get("MessageStatus") or fields.get("SmsStatus")
    event = unknown(request, native, status=word)
    event.provider_message_id = identifier(fields.get("MessageSid") or fields.get("SmsSid"))
    return event


def _is_form(request: Request) -> bool:
    kind = request.headers.get("content-type", "")
    return request.method == "GET" or not kind or kind.lower().startswith("application/x-www-form-urlencoded")


def _pairs(request: Request) -> Pairs:
    """Return the parameters, which a GET has in its query."""
    return query_of(request) if request.method == "GET" else form_of(request)


def _signed_fields(request: Request) -> str:
    """Return the signed part of the request besides its URL. Raises InvalidSignature if the body has an unsigned
    part."""
    if request.method != "GET" and _is_form(request):
        try:
            # Of a repeated name, each different value counts once, in order.
            return "".join([f"{name}{value}" for name, value in sorted(set(form_of(request)))])
        except Unprocessable as error:
            raise InvalidSignature(str(error)) from error
    if request.body and request.method == "GET":
        raise InvalidSignature("a GET with a body, which no signature covers")
    if request.body:
        try:
            digest = dict(query_of(request)).get("bodySHA256", "")
        except Unprocessable as error:
            raise InvalidSignature(str(error)) from error
        if not same(hex_sha256(request.body).encode(), digest.lower().encode("utf-8", "replace")):
            raise InvalidSignature("the URL's bodySHA256 is not that of the body")
    return ""


def _signed(tokens: list[str], url: str, fields: str, given: str) -> bool:
    message = f"{url}{fields}".encode("utf-8", "replace")
    return any([signs(token, "sha1", message, given, "base64") for token in tokens])


def _spellings(url: str) -> list[str]:
    """Return the URL as it came, and with the `@` and `:` of SIP addresses in its query as Twilio signs them in a GET:
    unescaped (https://github.com/twilio/twilio-node/pull/621)."""
    address, mark, query = url.partition("?")
    return [url, address + mark + _SIP.sub(lambda found: unquote(found[0]), query)] if _SIP.search(query) else [url]


def _other_ports(url: str) -> list[str]:
    try:
        parts = urlsplit(url)
        host, port = parts.netloc, parts.port
    except ValueError:
        return []
    bare = host.removesuffix(f":{port}") if port else host
    standard = {"https": 443, "http": 80}.get(parts.scheme, 443)
    return [parts._replace(netloc=name).geturl() for name in (bare, f"{bare}:{port or standard}") if name != host]


_CHANGES = ("Add", "Remove", "Update", "Added", "Removed", "Updated")
#: Words that become no event of ours: a part of a message; what is done within a call, and what became of a recording or a
#: transcription that failed; Conversations before and after a change (`onMessageAdd`, `onParticipantAdded`), and
#: Conversation Orchestrator.
UNMAPPED = frozenset(
    (
        "partially_delivered",
        *calls.CALL_STATUSES,
        "absent",
        *(f"on{what}{how}" for what in ("Conversation", "Participant") for how in _CHANGES),
        *(f"onMessage{how}" for how in _CHANGES),
        *"onConversationStateUpdated onUserAdded onUserUpdate onUserUpdated COMMUNICATION_CREATED".split(),
    )
)

ADAPTER = Adapter(
    name="twilio",
    title="Twilio",
    docs="https://www.twilio.com/docs/usage/webhooks",
    channels=frozenset({"sms", "whatsapp", "rcs", "voice", "chat"}),
    events=frozenset(
        {
            *messages.MESSAGE_STATUSES.values(),
            *messages.OPT_OUTS.values(),
            *conversations.MESSAGE_EVENTS.values(),
            *("MessageClicked", "CallStarted", "CallCompleted", "CallFailed", "CallRecorded", "ProviderEventReceived"),
        }
    ),
    unmapped=UNMAPPED,
    signature="HMAC-SHA1 over URL and sorted form; SHA-256 of another body in the URL",
    signs_body=True,
    settings=(
        Setting("auth_token", "The account's auth token (Console, Account, API keys & tokens)."),
        Setting("account_sid", "The account's SID, AC…, for sending.", secret=False),
        Setting("api_key", "An API key's SID, SK…, to send with instead of the auth token.", secret=False),
        Setting("api_secret", "That API key's secret."),
        Setting("sender", "The number, sender id or messaging service (MG…) to send from.", secret=False),
        Setting("api_url", f"The URL of the API; {API} if not set.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    answer=answer,
    send=Send(
        channels=frozenset({"sms", "whatsapp", "voice"}),
        build_request=build_request,
        read_response=read_response,
    ),
    erase=ERASE,
)
