"""Reads delivery reports and inbound messages (MO) of Jasmin, a self-hosted SMPP gateway, and sends SMS by it.

https://docs.jasminsms.com/en/latest/apis/http/index.html: a report has level 1 (the operator's SMS centre accepted or
refused the message) or 2 (its delivery); older versions report the level that was asked for, which may be 3, so that the
word of the status decides. Jasmin expects 200 with `ACK/Jasmin`, and by default retries three times, 30
seconds apart. Requests are not signed, and a report has neither the recipient nor a time with a zone.
"""

from typing import Any

from adapters.contract import Adapter, Answer, Normalized, Request, Send, Setting, Unprocessable, Values
from adapters.jasmin.alphabet import content_of
from adapters.jasmin.send import build_request, read_response
from adapters.reading.addresses import handle
from adapters.reading.bodies import form_of, query_of
from adapters.reading.facts import fact_id, identifier, unknown
from adapters.reading.own_ids import own_id_in_url
from adapters.reading.parameters import given, whole_of
from adapters.reading.remainder import keep_rest
from adapters.signing import unsigned
from schemas.events import Error, Event

Fields = dict[str, str]

#: Level 2: the states of SMPP 3.4 section 5.2.28, as written in a delivery receipt (appendix B).
STATES: dict[str, str] = {
    "ACCEPTD": "UserMessageSent",
    "ENROUTE": "UserMessageSent",
    "DELIVRD": "MessageDelivered",
    "EXPIRED": "MessageFailed",
    "DELETED": "MessageFailed",
    "UNDELIV": "MessageFailed",
    "REJECTD": "MessageRejected",
}
#: The reason, where the state implies one; the receipt's `err` is specific to the operator.
STATE_REASONS: dict[str, str] = {"EXPIRED": "expired", "UNDELIV": "unreachable", "REJECTD": "blocked"}
#: Level 1: the command status of the response to submit_sm (SMPP 3.4 section 5.1.3).
_TAKEN = "ESME_ROK"
_STATUS_REASONS = {
    "ESME_RINVDSTADR": "invalid_address",
    "ESME_RINVDSTTON": "invalid_address",
    "ESME_RINVDSTNPI": "invalid_address",
    "ESME_RTHROTTLED": "rate",
    "ESME_RMSGQFUL": "rate",
    "ESME_RINVMSGLEN": "content",
    "ESME_RINVESMCLASS": "content",
    "ESME_RINVSRCADR": "blocked",
    "ESME_RINVEXPIRY": "expired",
}
_ACK = Answer(200, b"ACK/Jasmin")
_CONTENT = frozenset({"content", "binary"})


def recognise(request: Request) -> bool:
    """Recognise a webhook by its user agent (https://github.com/jookies/jasmin/blob/master/jasmin/routing/throwers.py),
    or by names of its parameters, as a proxy may change the user agent."""
    if request.headers.get("user-agent", "").startswith("Jasmin gateway/"):
        return True
    fields = (
        request.url.partition("?")[2].encode("utf-8", "replace") if request.method == "GET" else request.body[:8192]
    )
    return b"origin-connector=" in fields or (b"message_status=" in fields and b"level=" in fields and b"id=" in fields)


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the secret in the URL, as Jasmin sends no credentials. Raises InvalidSignature."""
    return unsigned.verify_unsigned(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event. Raises Unprocessable."""
    fields = dict(given(request) if request.method == "GET" else form_of(request))
    if not fields:
        raise Unprocessable("a request without parameters")
    if "message_status" in fields:
        return Normalized([keep_rest(_report(fields, request), whole_of(request))])
    # A report has none of these, and a message no level.
    if "from" in fields and "to" in fields and "level" not in fields and not _CONTENT.isdisjoint(fields):
        return Normalized([keep_rest(_inbound(fields, request), whole_of(request), read=_CONTENT)])
    event = unknown(request, whole_of(request))
    event.channel, event.provider_message_id = "sms", identifier(fields.get("id"))
    return Normalized([event])


def answer(request: Request) -> Answer:
    """Return the acknowledgement without which Jasmin retries."""
    return _ACK


def _report(fields: Fields, request: Request) -> Event:
    get = fields.get
    message_id, word, level = identifier(get("id")), fields["message_status"].upper(), get("level", "")
    if message_id is None:
        raise Unprocessable("a report has no message id")
    type = "UserMessageSent" if word == _TAKEN else "MessageRejected" if word.startswith("ESME_") else STATES.get(word)
    if type is None:
        event = unknown(request, whole_of(request), status=word or None)
    else:
        ids = ("report", message_id, word, level, get("donedate"), get("err"))
        event = Event(type, request.source, fact_id(*ids), payload={"providerStatus": word[:255]})
    event.channel, event.direction, event.provider_message_id = "sms", "outbound", message_id
    event.echoed_message_id = own_id_in_url(request)
    if connector := get("connector"):
        event.payload["carrier"] = connector[:255]
    if type in ("MessageFailed", "MessageRejected"):
        code = get("err") or (word if word.startswith("ESME_") else None)
        reason = STATE_REASONS.get(word) or _STATUS_REASONS.get(word, "unknown")
        event.error = Error(code, get("text") or word, reason)
    return event


def _inbound(fields: Fields, request: Request) -> Event:
    message_id, customer = identifier(fields.get("id")), handle(fields["from"], "sms")
    if message_id is None:
        raise Unprocessable("a message without its id")
    payload: dict[str, Any] = {"from": customer.value if customer else fields["from"], "to": fields["to"]}
    if content := content_of(fields, dict(query_of(request)).get("charset") if "charset=" in request.url else None):
        payload["content"] = content
    if connector := fields.get("origin-connector"):
        payload["carrier"] = connector[:255]
    event_id = fact_id("inbound", message_id)
    return Event(
        "MessageReceived",
        request.source,
        event_id,
        channel="sms",
        direction="inbound",
        provider_message_id=message_id,
        handle=customer,
        payload=payload,
    )


ADAPTER = Adapter(
    name="jasmin",
    title="Jasmin SMS Gateway",
    docs="https://docs.jasminsms.com/en/latest/apis/http/index.html",
    channels=frozenset({"sms"}),
    events=frozenset({*STATES.values(), "MessageReceived", "ProviderEventReceived"}),
    signature="signs nothing: a secret in the URL",
    signs_body=False,
    settings=(
        *unsigned.SETTINGS,
        Setting("username", "The user name, for sending.", secret=False),
        Setting("password", "The user's password."),
        Setting("sender", "The number or name to send from.", secret=False),
        Setting("api_url", "URL of the HTTP API, e.g. http://jasmin:1401.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    answer=answer,
    send=Send(
        channels=frozenset({"sms"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
