"""Reads Kaleyra's callbacks of SMS and WhatsApp, whose bodies a callback profile composes of Kaleyra's variables.

WhatsApp statuses: https://developers.kaleyra.io/docs/wa-status-update-webhooks-payload-v2-sent. Its messages:
https://developers.kaleyra.io/docs/create-callback-profile-for-incoming-whatsapp-messages. SMS:
https://developers.kaleyra.io/docs/create-sms-callback-profile-to-receive-incoming-sms-messages and …/docs/sms-callback.
Kaleyra signs nothing. The times of SMS have no zone, so these events have no `occurred_at`.
"""

from typing import Any

from adapters.contract import Adapter, Normalized, Request, Unprocessable, Values
from adapters.kaleyra import whatsapp
from adapters.kaleyra.statuses import FAILURES, STATUSES, reason_of
from adapters.reading.addresses import handle, written
from adapters.reading.bodies import form_of, is_form, json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.parameters import given, whole_of
from adapters.reading.remainder import keep_rest
from adapters.signing.shared_header import SETTINGS, verify_shared
from adapters.whatsapp_cloud.messages import CHANGES
from schemas.events import Error, Event

#: Pairs of names that identify a WhatsApp callback, an SMS, and a WhatsApp message in variables.
_JSON = ((b'"meta_object"', b'"extra_info"'), (b'"status_trace"', b'"kid"'), (b'"wanumber"', b'"custom_response"'))
_FORM = ((b"status_trace=", b"kid="), (b"wanumber=", b"custom_response="))

#: What an inbound SMS has as its status (…/create-sms-callback-profile-to-receive-incoming-sms-messages), or nothing.
_OF_INBOUND = frozenset({"", "SENT"})
#: States that only a message of ours reaches.
_FINAL = frozenset({"MessageDelivered", "MessageFailed", "MessageRejected"})

Item = dict[str, Any]


def recognise(request: Request) -> bool:
    """Recognise a webhook by the names of its variables, as its headers do not identify it."""
    if request.method == "GET":
        url = request.url.encode("utf-8", "replace")
        return any(one in url and other in url for one, other in _FORM)
    body = request.body
    return any(one in body and other in body for one, other in (*_JSON, *_FORM))


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the header or secret configured in the callback profile: Kaleyra signs nothing. Raises
    InvalidSignature."""
    return verify_shared(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event, or one per item for a WhatsApp callback in Meta's format. Raises Unprocessable."""
    if request.method == "GET":
        body: Any = dict(given(request))
    elif is_form(request):
        body = dict(form_of(request))
    else:
        body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of Kaleyra: the body is not an object")
    if isinstance(meta := body.get("meta_object"), dict):
        return whatsapp.normalize(meta, body, request)
    if "wanumber" in body:
        return Normalized([keep_rest(whatsapp.of_variables(body, request), whole_of(request))])
    if "status" in body or "status_trace" in body:
        return Normalized([keep_rest(_sms(body, request), whole_of(request))])
    return Normalized([unknown(request, whole_of(request))])


def _sms(item: Item, request: Request) -> Event:
    """Return the event of an SMS: a status, or inbound if it has a keyword and a circle and no word of another state."""
    get = item.get
    message_id, word = identifier(get("id")) or identifier(get("kid")), text(get("status")) or ""
    came = "keyword" in item or "circle" in item
    both = "keyword" in item and "circle" in item
    inbound = both and word.upper() in _OF_INBOUND
    if message_id is None:
        raise Unprocessable("an SMS without its id")
    # In a query it is `sender`, as `source` there names the source whose webhook it is.
    source, recipient, stamp = (
        text(get("source")) or text(get("sender")),
        text(get("recipient")),
        text(get("timestamp")),
    )
    known = STATUSES.get(word.upper(), "ProviderEventReceived")
    # With one of the two, or a word that no page has for what comes in, it may be of either direction. With both, a
    # final status is a contradiction: its recipient may be our own number.
    unlike = came and (both or known not in _FINAL)
    type_ = "MessageReceived" if inbound else "ProviderEventReceived" if unlike else known
    unsure = came and type_ == "ProviderEventReceived"
    customer = None if unsure else handle(source if inbound else recipient, "sms")
    given = (
        ("from", written(source, "sms")),
        ("to", written(recipient, "sms")),
        ("carrier", text(get("operator"))),
        ("providerTime", stamp),
    )
    payload: dict[str, Any] = {"providerStatus": word[:255]} | {key: one[:255] for key, one in given if one}
    if inbound and (message := text(get("message"))):
        payload["content"] = {"text": message}
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, whole_of(request)).payload["native"]
    trace, words = text(get("status_trace")), text(get("description"))
    error = Error(trace[:255] if trace else None, words[:8192] if words else None, reason_of(trace, word))
    return Event(
        type_,
        request.source,
        fact_id("sms", message_id, word, stamp, "in" if inbound else "out"),
        channel="sms",
        direction=None if unsure else "inbound" if inbound else "outbound",
        provider_message_id=message_id,
        handle=customer,
        error=error if type_ in FAILURES else None,
        payload=payload,
    )


ADAPTER = Adapter(
    name="kaleyra",
    title="Kaleyra",
    docs="https://developers.kaleyra.io/docs/account-settings-callback-profiles",
    channels=frozenset({"sms", "whatsapp"}),
    events=frozenset({*STATUSES.values(), *CHANGES.values(), "MessageReceived", "ProviderEventReceived"}),
    signature="signs nothing: a header, basic auth or a secret in the URL",
    signs_body=False,
    settings=SETTINGS,
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # Kaleyra retries after anything but 200.
)
