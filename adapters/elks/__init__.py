"""Reads 46elks's webhooks: delivery reports of SMS, and SMS and MMS that come in.

https://46elks.se/docs/sms-delivery-reports, https://www.46elks.se/docs/receive-sms and
https://www.46elks.com/docs/receive-mms. A request is a form with one fact, unsigned. A report has neither the recipient nor
an error's cause, and only `delivered` has a time; times are in UTC and have no zone.
"""

import re
from typing import Any

from adapters.contract import Adapter, Normalized, Request, Unprocessable, Values
from adapters.reading.addresses import handle, written
from adapters.reading.bodies import form_of, is_form
from adapters.reading.facts import fact_id, identifier, unknown
from adapters.reading.parameters import whole_of
from adapters.reading.remainder import keep_flat
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from adapters.signing import unsigned
from schemas.events import Error, Event

Fields = dict[str, str]

#: https://46elks.se/docs/sms-delivery-reports; what each means: https://www.46elks.se/docs/show-sms-id.
STATUSES: dict[str, str] = {"sent": "UserMessageSent", "delivered": "MessageDelivered", "failed": "MessageFailed"}
#: `direction` of a message that comes in.
_INCOMING = "incoming"
#: https://www.46elks.com/docs/receive-mms, list of images.
_IMAGES = ("image", "image2", "image3", "image4")
_READ_OF_A_REPORT = frozenset({"id", "status", "delivered"})
_READ_OF_A_MESSAGE = frozenset({"direction", "id", "from", "to", "created", "message", *_IMAGES})
#: Names of the form's fields by which a request is known whose URL names no source.
_REPORT = frozenset({b"id", b"status"})
_INBOUND = frozenset({b"direction", b"id", b"from", b"to", b"created", b"message"})
#: The ids of all examples: a letter of the kind (`s`, `m` for MMS) and 32 hexadecimal digits.
_ID = re.compile(rb"(?:^|&)id=[sm][0-9a-f]{32}(?:&|$)")


def recognise(request: Request) -> bool:
    """Recognise a webhook by the names of its form's fields and the form of its id: nothing else identifies it."""
    if not is_form(request):
        return False
    head = request.body[:8192]
    names = {field.partition(b"=")[0] for field in head.split(b"&")[:20]}
    if not (names >= _INBOUND or _REPORT <= names <= _REPORT | {b"delivered"}):
        return False
    return _ID.search(head) is not None


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify basic authentication or the secret in the URL. Raises InvalidSignature."""
    return unsigned.verify_unsigned(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event. Raises Unprocessable for a form without fields, and a message without its id."""
    fields = dict(form_of(request))
    if not fields:
        raise Unprocessable("a form without fields")
    if spelled(fields.get("direction"), (_INCOMING,)) == _INCOMING and ("message" in fields or "image" in fields):
        return Normalized([_inbound(fields, request)])
    if "status" in fields:
        return Normalized([_report(fields, request)])
    return Normalized([unknown(request, whole_of(request), status=fields.get("direction"))])


def _report(fields: Fields, request: Request) -> Event:
    """Return the event of a delivery report; one of an unknown status keeps the whole form, beside the same message."""
    given, message_id = fields["status"], identifier(fields.get("id"))
    word = spelled(given, STATUSES)
    type = STATUSES.get(word)
    if type is None or message_id is None:
        event = unknown(request, whole_of(request), status=given or None)
    else:
        event = Event(type, request.source, fact_id("report", message_id, word), payload={"providerStatus": given})
        event.occurred_at = from_text(fields.get("delivered"))
        event.error = Error(None, word, "unknown") if type == "MessageFailed" else None
        keep_flat(event, dict(fields), _READ_OF_A_REPORT)
    event.channel, event.direction, event.provider_message_id = "sms", "outbound", message_id
    return event


def _inbound(fields: Fields, request: Request) -> Event:
    """Return the event of an SMS or MMS that came in. Raises Unprocessable without its id."""
    message_id = identifier(fields.get("id"))
    if message_id is None:
        raise Unprocessable("a message without its id")
    content: dict[str, Any] = {"text": fields["message"]} if fields.get("message") else {}
    if media := [{"url": fields[name]} for name in _IMAGES if fields.get(name)]:
        content["media"] = media
    ends = {"from": written(fields.get("from"), "sms"), "to": written(fields.get("to"), "sms")}
    payload: dict[str, Any] = {key: value for key, value in ends.items() if value}
    event = Event(
        "MessageReceived",
        request.source,
        fact_id("inbound", message_id),
        channel="sms",
        direction="inbound",
        provider_message_id=message_id,
        handle=handle(fields.get("from"), "sms"),
        occurred_at=from_text(fields.get("created")),
        payload=payload | ({"content": content} if content else {}),
    )
    return keep_flat(event, dict(fields), _READ_OF_A_MESSAGE)


ADAPTER = Adapter(
    name="elks",
    title="46elks",
    docs="https://46elks.se/docs/sms-delivery-reports",
    channels=frozenset({"sms"}),
    events=frozenset({*STATUSES.values(), "MessageReceived", "ProviderEventReceived"}),
    signature="signs nothing: basic auth or a secret in the URL",
    signs_body=False,
    settings=unsigned.SETTINGS,
    recognise=recognise,
    verify=verify,
    normalize=normalize,
)
