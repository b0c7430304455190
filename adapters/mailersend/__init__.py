"""Reads MailerSend's webhooks: e-mail activity in both versions, inbound mail and SMS statuses.

https://developers.mailersend.com/api/v1/webhooks.html, …/sms-webhooks.html, …/inbound.html. Version 2 of the webhooks
is flat (`data.message_id`), version 1, which ends in 2026, is nested (`data.email.message.id`). A webhook that is not
answered with 2xx is retried for some three days; by the page's earlier edition twice, after 10 and 100 seconds.
"""

import re
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
from adapters.mailersend.content import about_sms, received, sms
from adapters.mailersend.errors import error_of
from adapters.mailersend.send import REFERENCE, build_request, read_response
from adapters.reading.addresses import handle
from adapters.reading.bodies import json_of
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.shapes import object_of
from adapters.reading.times import from_text
from adapters.reading.words import spelled
from adapters.signing.signatures import header, signs
from schemas.events import Event

#: https://developers.mailersend.com/api/v1/webhooks.html#available-events; `suppressed` is posted, but not listed
#: there.
EVENT_TYPES: dict[str, str] = {
    "activity.sent": "UserMessageSent",
    "activity.delivered": "MessageDelivered",
    "activity.soft_bounced": "MessageBounced",
    "activity.hard_bounced": "MessageBounced",
    "activity.deferred": "MessageDelayed",
    "activity.suppressed": "MessageRejected",
    "activity.opened": "MessageOpened",
    "activity.opened_unique": "MessageOpened",
    "activity.clicked": "MessageClicked",
    "activity.clicked_unique": "MessageClicked",
    "activity.unsubscribed": "RecipientUnsubscribed",
    "activity.spam_complaint": "MessageComplained",
    "activity.survey_opened": "MessageOpened",
    "activity.survey_submitted": "ProviderEventReceived",
}
#: https://developers.mailersend.com/api/v1/sms-webhooks.html#available-events
SMS_TYPES: dict[str, str] = {
    "sms.sent": "UserMessageSent",
    "sms.delivered": "MessageDelivered",
    "sms.failed": "MessageFailed",
}
#: The secret that signs the test request made when a webhook is saved. It is public and the same for all accounts;
#: the webhook's own secret is not known yet.
_TEST_SECRET = "test_Am3L1GuOIc4blLUuHqAPxxwkZaJyEk8G"  # noqa: S105
_FAILURES = frozenset({"MessageBounced", "MessageDelayed", "MessageRejected"})
_TYPE = re.compile(
    rb'"(?:type|object)"\s{0,8}:\s{0,8}"(?:activity\.|sms\.(?:sent|delivered|failed)"|inbound\.message"|webhook\.test"'
    rb"|sender_identity\.|maintenance\.(?:start|end)|inbound_(?:forward|message)\.|email_(?:single|list)\.|bulk_email\."
    rb"|recipient\.on_hold_)"
)
_BOUNCE_TYPES = {"activity.soft_bounced": "soft", "activity.hard_bounced": "hard"}
_COPIED = (("url", "url"), ("userAgent", "user_agent"), ("ip", "ip"))


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
        return Normalized([_activity(word, body, data, request)])
    if word == "inbound.message":
        return Normalized([received(body, data, request)])
    if word in SMS_TYPES:
        return Normalized([sms(word, SMS_TYPES[word], body, data, request)])
    event = unknown(request, body, status=word or None)
    if word.startswith("sms."):  # an unlisted status of an SMS has the same form
        about_sms(event, data)
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


def _activity(word: str, body: dict[str, Any], data: dict[str, Any], request: Request) -> Event:
    mail = data["email"] if isinstance(data.get("email"), dict) else {}
    message, recipient = (object_of(mail.get(name)) for name in ("message", "recipient"))
    message_id = identifier(data.get("message_id")) or identifier(message.get("id"))
    # Version 2 documents `email`, but posts `recipient`.
    address = text(data.get("recipient")) or text(data.get("email")) or text(recipient.get("email"))
    customer = handle(address, "email")
    time = from_text(data.get("created_at")) or from_text(body.get("created_at"))
    event_id = identifier(data.get("id"))
    if event_id is None:
        if message_id is None and address is None:
            raise Unprocessable("an activity has neither a message id nor an address")
        event_id = fact_id("mailersend", word, message_id, address, text(body.get("created_at")))
    type_ = EVENT_TYPES.get(word, "ProviderEventReceived")
    payload: dict[str, Any] = {"providerStatus": text(body.get("type")) or text(body.get("object")) or word}
    if type_ == "ProviderEventReceived":
        payload["native"] = unknown(request, body).payload["native"]
    if sender := text(mail.get("from")):
        payload["from"] = sender[:2048]
    if to := customer.value if customer else address:
        payload["to"] = to[:2048]
    tags = data.get("tags") or mail.get("tags")
    for tag in tags[:20] if isinstance(tags, list) else []:
        if isinstance(tag, str) and tag.startswith(REFERENCE):
            payload["reference"] = tag.removeprefix(REFERENCE)[:1024]
    about = object_of(data.get("meta")) or object_of(data.get("morph"))
    if type_ in ("MessageOpened", "MessageClicked"):
        payload |= {key: value for key, name in _COPIED if (value := text(about.get(name)))}
    if kind := _BOUNCE_TYPES.get(word):
        payload["bounceType"] = kind
    error = error_of(about) if type_ in _FAILURES else None
    return Event(
        type_,
        request.source,
        event_id,
        channel="email",
        direction="outbound",
        provider_message_id=message_id,
        handle=customer,
        occurred_at=time,
        error=error,
        payload=payload,
    )


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
