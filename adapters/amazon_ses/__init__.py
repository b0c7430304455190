"""Reads Amazon SES events and inbound mail, which Amazon SNS delivers, and sends mail by the SES API v2.

Events: https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html; notifications of an
identity: …/notification-contents.html; mail: …/receiving-email-notifications-contents.html. SNS signs its messages (see
`sns`) and retries for an hour at most:
https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html.
"""

from adapters.amazon_ses import events, inbound, sns
from adapters.amazon_ses.send import SETTINGS as _SENDING
from adapters.amazon_ses.send import build_request, read_response
from adapters.contract import Adapter, Answer, Normalized, Request, Send, Unprocessable, Values
from adapters.reading.bodies import parse_json
from adapters.reading.facts import identifier, text, unknown
from adapters.reading.times import from_text

_MARKS = (b'\\"eventType\\"', b'\\"notificationType\\"', b"Amazon SES")


def recognise(request: Request) -> bool:
    """Recognise a webhook by SNS's header, and a notification by SES's own words, as other services publish by SNS
    too."""
    kind = request.headers.get("x-amz-sns-message-type")
    if kind is None:
        return False
    return kind != "Notification" or any([mark in request.body for mark in _MARKS])


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify that the topic is configured and that Amazon SNS signed the message. Raises InvalidSignature,
    Unconfigured without a topic and a url_secret, Needed if the certificate must be fetched."""
    sns.verify(request, values, fresh=fresh)
    return True


def normalize(request: Request) -> Normalized:
    """Return one event per recipient that a record is about, or one for an inbound mail. Raises Unprocessable."""
    message = sns.message_of(request)
    if message is None:
        raise Unprocessable("no message of Amazon SNS: it has no Type")
    written = text(message.get("Message")) or ""
    try:
        record = parse_json(written.encode("utf-8", "replace")) if message.get("Type") == "Notification" else None
    except Unprocessable:
        record = None
    if not isinstance(record, dict) or not isinstance(record.get("mail"), dict):
        # The end of a subscription, or SES's first message to a new topic.
        event = unknown(
            request,
            sns.signed_of(message),
            status=text(message.get("Type")),
            event_id=identifier(message.get("MessageId")),
        )
        event.occurred_at = from_text(message.get("Timestamp"))
        return Normalized([event])
    if record.get("notificationType") == "Received":
        return Normalized([inbound.event(record, request)])
    return events.of_record(record, request, identifier(message.get("MessageId")))


def handshake(request: Request, values: Values) -> Answer | None:
    """Confirm a verified subscription to a configured topic by a visit to its URL. Raises as `verify` does."""
    if request.headers.get("x-amz-sns-message-type") != sns.CONFIRMATION:
        return None
    return Answer(visit=sns.confirmation(request, values))


ADAPTER = Adapter(
    name="amazon_ses",
    title="Amazon SES",
    docs="https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html",
    channels=frozenset({"email"}),
    events=frozenset({*events.EVENT_TYPES.values(), "RecipientSubscribed", "MessageReceived"}),
    signature="RSA with SHA-256 or SHA-1 by Amazon SNS, over what is read of the body",
    # SNS signs some values of its message, but not their encoding, and not the other keys.
    signs_body=False,
    job_ids=frozenset({"email"}),
    settings=(*sns.SETTINGS, *_SENDING),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    # SNS retries after 5xx and 429.
    handshake=handshake,
    send=Send(
        channels=frozenset({"email"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
