"""Reads MessageBird's webhooks: the classic SMS and Conversations APIs, and the channels of Bird, as it is called now.

`signing` verifies the signatures; `sms`, `conversations` and `bird` read the webhooks. None of them gives an event
its own id or promises an order.
"""

from typing import Any

from adapters.contract import Adapter, Answer, Normalized, Request, Send, Setting, Unprocessable, Values, secrets_of
from adapters.messagebird import bird, conversations, interactions, signing, sms
from adapters.messagebird.send import CONVERSATIONS, REST, build_request, read_response
from adapters.reading.bodies import form_of, json_of
from adapters.reading.facts import unknown
from adapters.reading.parameters import given, whole_of
from adapters.reading.remainder import keep_rest
from adapters.signing.optional import SETTINGS as _UNSIGNED
from adapters.signing.optional import WORDS, verify_signed_or_known
from adapters.signing.signatures import seconds

_HEAD = 8192
#: Keys whose value the event has in another form.
_READ = frozenset({"direction", "platform", "service"})


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature header, or by a combination of names that only its requests have."""
    if signing.TOKEN in request.headers or signing.SIGNATURE in request.headers:
        return True
    if request.method == "GET":
        query = request.url.partition("?")[2][:_HEAD]
        return "statusDatetime=" in query and "recipient=" in query and "statusReason=" in query
    head = request.body[:_HEAD]
    if head[:1] != b"{":
        return b"statusDatetime=" in head and b"recipient=" in head and b"statusReason=" in head
    if b'"conversationId"' in head:
        return b'"message.' in head and b'"channelId"' in head
    return b'"service":"channels"' in head and b'"event"' in head and b'"payload"' in head


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify the token of MessageBird, or the signature of Bird; without either, basic authentication or the secret in
    the URL. Raises InvalidSignature."""
    keys = secrets_of(values, "signing_key")

    def check() -> None:
        if signing.TOKEN in request.headers:
            signing.check_token(request, keys, fresh)
        else:
            signing.check_signature(request, keys, values, fresh)

    signed = signing.TOKEN in request.headers or signing.SIGNATURE in request.headers
    return verify_signed_or_known(request, values, keys=keys, signed=signed, check=check)


def normalize(request: Request) -> Normalized:
    """Return the one event of a request. Raises Unprocessable."""
    fields = _parameters(request)
    if not fields:
        raise Unprocessable("a request without parameters")
    payload = fields.get("payload")
    if isinstance(payload, dict) and isinstance(fields.get("event"), str):
        return Normalized([keep_rest(bird.event(fields, payload, request), fields, read=_READ)])
    if isinstance(fields.get("message"), dict):
        return Normalized([keep_rest(conversations.event(fields, request), fields, read=_READ)])
    if sms.is_sms(fields):
        return Normalized([keep_rest(sms.event(fields, request), whole_of(request))])
    return Normalized([unknown(request, whole_of(request))])


def answer(request: Request) -> Answer:
    """Answer 200 with the body `OK`, which MessageBird expects."""
    return Answer(200, b"OK")


def _parameters(request: Request) -> dict[str, Any]:
    """Return the parameters of a query, a form or a JSON object. Raises Unprocessable."""
    if request.method == "GET":
        return dict(given(request))
    if request.body[:1] != b"{" and "json" not in request.headers.get("content-type", ""):
        return dict(form_of(request))
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of MessageBird: the body is not an object")
    return body


ADAPTER = Adapter(
    name="messagebird",
    title="MessageBird (Bird)",
    docs="https://developers.messagebird.com/api/sms-messaging/#handle-a-status-report",
    channels=frozenset({"sms", "whatsapp", "email", "rcs", "chat"}),
    events=frozenset(
        {
            *sms.STATUSES.values(),
            *conversations.STATUSES.values(),
            *bird.STATUSES.values(),
            *interactions.INTERACTIONS.values(),
            *("MessageReceived", "ProviderEventReceived"),
        }
    ),
    signature=f"JWT (HMAC) with the hashes of URL and body; Bird: HMAC-SHA256 over time, URL, body's hash; {WORDS}",
    signs_body=True,
    job_ids=frozenset({"sms"}),
    settings=(
        Setting(
            "signing_key", "The signing key (Dashboard, Developers, API settings), or that of a Bird subscription."
        ),
        Setting(
            "max_age",
            f"Seconds that a Bird signature may be old, as Bird repeats it unchanged; {signing.LIFE} if not set.",
            secret=False,
            reads=seconds,
        ),
        *_UNSIGNED,
        Setting("access_key", "An API access key, for sending."),
        Setting("sender", "The number or name to send SMS from.", secret=False),
        Setting("channel_id", "The id of the WhatsApp channel to send by.", secret=False),
        Setting("api_url", f"The URL of the API; {REST} and {CONVERSATIONS} if not set.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    answer=answer,
    send=Send(
        channels=frozenset({"sms", "whatsapp"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
