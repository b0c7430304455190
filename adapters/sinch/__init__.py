"""Reads Sinch's webhooks: SMS (REST), the Conversation API (WhatsApp, RCS, Messenger and others) and Voice.

`signing` verifies the signatures; `sms`, `conversation` and `calls` read the webhooks. A post answered with 5xx or
429 is retried for 22 hours with exponential backoff
(https://developers.sinch.com/docs/sms/api-reference/sms/tag/Webhooks/).
"""

from typing import Any

from adapters.contract import (
    Adapter,
    Answer,
    InvalidSignature,
    LookUp,
    Normalized,
    Request,
    Send,
    Setting,
    Unprocessable,
    Values,
    secrets_of,
)
from adapters.reading.bodies import json_of
from adapters.reading.facts import unknown
from adapters.reading.remainder import keep_rest
from adapters.signing.signatures import WINDOW, seconds
from adapters.signing.unsigned import SETTINGS as _UNSIGNED
from adapters.signing.unsigned import verify_unsigned
from adapters.sinch import calls, conversation, signing, sms
from adapters.sinch.send import (
    LOOKUP_AFTER,
    REGION,
    build_lookup,
    build_request,
    read_lookup,
    read_response,
)

#: The answer that lets a call continue (https://developers.sinch.com/docs/voice/api-reference/svaml).
GO_ON = Answer(200, b'{"instructions":[],"action":{"name":"continue"}}', "application/json")
_ASKS = ("ice", "ace", "pie")
_HEAD = 8192
#: Keys whose value the event has in another form.
_READ = frozenset({"event", "direction"})


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature headers, or by a combination of names that only its requests have."""
    headers = request.headers
    if signing.SIGNATURE in headers:
        return True
    if headers.get("authorization", "").lower().startswith("application ") and "x-timestamp" in headers:
        return True
    head = request.body[:_HEAD]
    if b'"batch_id"' in head and b"delivery_report_" in head:
        return True
    if b'"mo_' in head:
        return b'"received_at"' in head and b'"operator_id"' in head
    if b'"callid"' in head:
        return b'"event"' in head and b'"version"' in head and b'"timestamp"' in head
    return b'"app_id"' in head and b'"project_id"' in head and b'"accepted_time"' in head


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify each product's own signature. An SMS callback without one is verified by the credentials in its URL,
    which must not admit a request that another product would have signed. Raises InvalidSignature."""
    secrets, application = secrets_of(values, "webhook_secret"), secrets_of(values, "application_secret")
    if signing.SIGNATURE in request.headers and secrets:
        signing.check_webhook(request, secrets, values, fresh)
        return True
    if application and request.headers.get("authorization", "").lower().startswith("application "):
        signing.check_call(request, application, values, fresh)
        return True
    if (secrets or application) and not (_is_unsigned(values) and _of_sms(request)):
        raise InvalidSignature("the configured webhook_secret or application_secret makes no signature of this request")
    return verify_unsigned(request, values)


def normalize(request: Request) -> Normalized:
    """Return one event, or one per recipient for a full report of a batch. Raises Unprocessable."""
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of Sinch: the body is not an object")
    if sms.is_sms(body):
        return sms.events(body, request)
    if isinstance(body.get("event"), str) and "callid" in body:
        return Normalized([keep_rest(calls.event(body, request), body, read=_READ)])
    if "app_id" in body:
        return Normalized([keep_rest(conversation.event(body, request), body, read=_READ)])
    return Normalized([unknown(request, body)])


def answer(request: Request) -> Answer:
    """Answer a call's event so that the call continues, and any other webhook with an empty 200."""
    if b'"callid"' not in request.body[:_HEAD]:
        return Answer()
    try:
        body: Any = json_of(request)
    except Unprocessable:
        return Answer()
    return GO_ON if isinstance(body, dict) and body.get("event") in _ASKS else Answer()


def _is_unsigned(values: Values) -> bool:
    return bool(secrets_of(values, "basic_auth", "url_secret"))


def _of_sms(request: Request) -> bool:
    try:
        body = json_of(request)
    except Unprocessable:
        return False
    return isinstance(body, dict) and sms.is_sms(body)


ADAPTER = Adapter(
    name="sinch",
    title="Sinch",
    docs="https://developers.sinch.com/docs/conversation/callbacks",
    channels=frozenset({"sms", "whatsapp", "rcs", "chat", "voice"}),
    events=frozenset(
        {
            *sms.STATUSES.values(),
            *conversation.STATUSES.values(),
            *conversation.CONSENTS.values(),
            *calls.RESULTS.values(),
            *("MessageReceived", "CallStarted", "ProviderEventReceived"),
        }
    ),
    signature="HMAC over body, nonce and time; Voice: HMAC-SHA256 over method, body's MD5, time and path; SMS also basic auth",
    signs_body=True,
    job_ids=frozenset({"sms"}),
    settings=(
        Setting("webhook_secret", "The secret given to the webhook of the Conversation API, or to the SMS callback."),
        Setting(
            "application_secret",
            "The Voice application's secret, in base64 as the dashboard shows it.",
            reads=signing.application_key,
        ),
        Setting("max_age", f"Seconds that a signature may be old; {WINDOW} if not set.", secret=False, reads=seconds),
        *_UNSIGNED,
        Setting("service_plan_id", "The SMS service plan's id, for sending SMS.", secret=False),
        Setting("api_token", "The SMS service plan's API token."),
        Setting("project_id", "The project's id, for sending by the Conversation API.", secret=False),
        Setting("app_id", "The Conversation API app's id.", secret=False),
        Setting("key_id", "An access key's id.", secret=False),
        Setting("key_secret", "That access key's secret."),
        Setting("region", f"The region of the plan and the app: us, eu and others; {REGION} if not set.", secret=False),
        Setting("sender", "The number or name to send SMS from.", secret=False),
        Setting("api_url", "The URL of the APIs, instead of Sinch's hosts.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    answer=answer,
    send=Send(
        channels=frozenset({"sms", "whatsapp"}),
        build_request=build_request,
        read_response=read_response,
        look_up=LookUp(after=LOOKUP_AFTER, build=build_lookup, read=read_lookup),
    ),
)
