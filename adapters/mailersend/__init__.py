"""Reads MailerSend's webhooks: e-mail activity in both versions, inbound mail and SMS statuses.

https://developers.mailersend.com/api/v1/webhooks.html, …/sms-webhooks.html, …/inbound.html. Version 2 of the webhooks
is flat (`data.message_id`), version 1, which ends in 2026, is nested (`data.email.message.id`). A webhook that is not
answered with 2xx is retried for some three days; by the page's earlier edition twice, after 10 and 100 seconds.
"""

import re

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
from adapters.mailersend.activity import EVENT_TYPES, about_hold, activity
from adapters.mailersend.content import about_sms, received, sms
from adapters.mailersend.send import build_request, read_response
from adapters.reading.bodies import json_of
from adapters.reading.facts import text, unknown
from adapters.reading.shapes import object_of
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from adapters.signing.signatures import header, signs

#: https://developers.mailersend.com/api/v1/sms-webhooks.html#available-events
SMS_TYPES: dict[str, str] = {
    "sms.sent": "UserMessageSent",
    "sms.delivered": "MessageDelivered",
    "sms.failed": "MessageFailed",
}
#: The secret that signs the test request made when a webhook is saved. It is public and the same for all accounts;
#: the webhook's own secret is not known yet.
_TEST_SECRET = "test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G"  # noqa: S105
_TYPE = re.compile(
    rb'"(?:type|object)"\s{0,8}:\s{0,8}"(?:activity\.|sms\.(?:sent|delivered|failed)"|inbound\.message"|webhook\.test"'
    rb"|sender_identity\.|maintenance\.(?:start|end)|inbound_(?:forward|message)\.|email_(?:single|list)\.|bulk_email\."
    rb"|recipient\.on_hold_)"
)


def recognise(request: Request) -> bool:
    """Recognise a webhook by its signature header, whose name is a common one, and the prefix of its type."""
    return "signature" in request.headers and _TYPE.search(request.body[:2048]) is not None


def verify(request: Request, values: Values, *, fresh: bool = True) -> bool | None:
    """Verify HMAC-SHA256 of the body, in hex. No time is signed, so `fresh` has no effect. Raises InvalidSignature."""
    secrets = secrets_of(values, "signing_secret", "secret")
    if not secrets:
        return None
    given = header(request, "signature").lower()
    if any([signs(secret, "sha256", request.body, given) for secret in secrets]):
        return True
    raise InvalidSignature("no configured signing_secret makes this signature")


def normalize(request: Request) -> Normalized:
    """Return the one event of a webhook. Raises Unprocessable."""
    body = json_of(request)
    if not isinstance(body, dict):
        raise Unprocessable("not a webhook of MailerSend: the body is not an object")
    given = text(body.get("type")) or text(body.get("object"))
    word = spelled(given, (*EVENT_TYPES, *SMS_TYPES, "inbound.message"))
    data = object_of(body.get("data"))
    if word in EVENT_TYPES or word.startswith("activity."):  # an unlisted activity has the same form
        return Normalized([activity(word, body, data, request)])
    if word == "inbound.message":
        return Normalized([received(body, data, request)])
    if word in SMS_TYPES:
        return Normalized([sms(word, SMS_TYPES[word], body, data, request)])
    event = unknown(request, body, status=word or None)
    if word.startswith("sms."):  # an unlisted status of an SMS has the same form
        about_sms(event, data)
    elif word.startswith("recipient."):  # on hold, or no longer
        about_hold(event, data)
    event.occurred_at = from_text(body.get("created_at"))
    return Normalized([event])


def handshake(request: Request, values: Values) -> Answer | None:
    """Answer `webhook.test`: MailerSend saves a webhook only if this is answered with 2xx. Raises InvalidSignature."""
    if b"webhook.test" not in request.body[:2048] or "signature" not in request.headers:
        return None
    try:
        body = json_of(request)
    except Unprocessable:
        return None
    if not isinstance(body, dict) or body.get("type") != "webhook.test":
        return None
    given = request.headers["signature"].lower()
    secrets = [_TEST_SECRET, *secrets_of(values, "signing_secret", "secret")]
    if any([signs(secret, "sha256", request.body, given) for secret in secrets]):
        return Answer()
    raise InvalidSignature("a ping that neither the public test secret nor a configured one signs")


ADAPTER = Adapter(
    name="mailersend",
    title="MailerSend",
    docs="https://developers.mailersend.com/api/v1/webhooks.html",
    channels=frozenset({"email", "sms"}),
    events=frozenset({*EVENT_TYPES.values(), *SMS_TYPES.values(), "MessageReceived"}),
    signature="HMAC-SHA256 of the body",
    signs_body=True,
    job_ids=frozenset({"email", "sms"}),
    settings=(
        Setting(
            "signing_secret",
            "The webhook's signing secret, or the inbound route's; a list if there are several.",
            aliases=("secret",),
        ),
        Setting("api_key", "An API token with the right to send."),
        Setting("sender", "The sender: an address of a verified domain, or Name <address>.", secret=False),
        Setting("api_url", "The URL of the API; https://api.mailersend.com if not set.", secret=False),
    ),
    recognise=recognise,
    verify=verify,
    normalize=normalize,
    handshake=handshake,
    send=Send(
        channels=frozenset({"email"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
