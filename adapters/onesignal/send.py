"""Sends push messages by OneSignal: to a user (our own user id) or to one subscription.

https://documentation.onesignal.com/reference/push-notification; responses:
https://documentation.onesignal.com/reference/create-message. A retry with the same idempotency key is not sent
again: https://documentation.onesignal.com/reference/idempotent-notification-requests.
"""

from datetime import datetime
from typing import Any

import orjson

from adapters.calling.uuids import uuid_of
from adapters.contract import (
    HttpCall,
    Message,
    Outcome,
    Response,
    Unsendable,
    Values,
    accepted,
    optional,
    refused,
    required,
)
from adapters.reading.facts import text
from adapters.reading.own_ids import NAME, marked
from adapters.reading.shapes import answer_of
from schemas.events import Error

#: Seconds: keys are remembered for 30 days (…/docs/en/example-full-integration-reliable-push).
IDEMPOTENT_FOR = 30 * 86_400.0
API = "https://api.onesignal.com"

#: The prefix of the internal name of our messages. Event Streams contain the name. What follows is the marked reference:
#: OneSignal's dashboard copies a message under another name, and the copy may go to many people.
MARK = "threadline:"
#: Maximum characters of the reference in that name, which has 128 at most.
_LONGEST_ECHO = 128 - len(MARK) - len(marked(""))
#: Texts of the first error, in lower case.
_REASONS = {
    "not subscribed": "opted_out",
    "invalid_player_ids": "invalid_address",
    "invalid_aliases": "invalid_address",
    "invalid_external_user_ids": "invalid_address",
    "rate limit": "rate",
    "too many": "rate",
    "contents": "content",
    "headings": "content",
}


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a POST of JSON to /notifications. Raises Unsendable."""
    fields: dict[str, Any] = {"app_id": required(values, "app_id"), "target_channel": "push"}
    if message.to.kind == "user_id":
        fields["include_aliases"] = {"external_id": [message.to.value]}
    elif message.to.kind == "device_token":
        fields["include_subscription_ids"] = [message.to.value]
    else:
        raise Unsendable("OneSignal needs a user_id (its external id), or a subscription's id as a device_token")
    if message.template is not None:
        fields["template_id"] = message.template.name
        if message.template.variables:
            fields["custom_data"] = dict(message.template.variables)
    elif message.text:
        fields["contents"] = {"en": message.text}
        if message.subject:
            fields["headings"] = {"en": message.subject}
    else:
        raise Unsendable("OneSignal needs text or a template")
    for media in message.media[:1]:
        fields |= {"big_picture": media.url, "chrome_web_image": media.url, "ios_attachments": {"id": media.url}}
    if len(message.media) > 1:
        raise Unsendable("a push by OneSignal has one picture: leave the others out")
    if message.expires_at is not None:
        fields["ttl"] = max(0, int((message.expires_at - now).total_seconds()))
    fields |= {
        "data": {**message.data, NAME: marked(message.message_id)},
        "name": f"{MARK}{marked(message.echo[:_LONGEST_ECHO])}",
        "idempotency_key": uuid_of("onesignal", message.message_id),
    }
    return HttpCall(
        "POST",
        f"{optional(values, 'api_url', API).rstrip('/')}/notifications?c=push",
        {"authorization": f"Key {required(values, 'api_key')}", "content-type": "application/json"},
        orjson.dumps(fields),
    )


def read_response(response: Response) -> Outcome:
    """Read 200 with an `id`. An empty id means that nothing was sent; `errors` has the reason: a list, or lists by
    name."""
    body = answer_of(response)
    errors, id_ = body.get("errors"), body.get("id")
    if 200 <= response.status < 300 and (id_ or (not errors and id_ != "")):
        return accepted(text(id_))
    words: str | None = None
    if isinstance(errors, list):
        words = "; ".join([each for each in errors[:10] if isinstance(each, str)]) or None
    elif isinstance(errors, dict):
        words = ", ".join(list(errors)[:10]) or None
    elif isinstance(errors, str):
        words = errors
    lowered = (words or "").lower()
    reason = next((reason for mark, reason in _REASONS.items() if mark in lowered), "unknown")
    if response.status == 429:
        reason = "rate"
    return refused(
        response, Error(str(response.status), words, reason), retryable=False if response.status < 400 else None
    )
