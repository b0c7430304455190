"""Sends SMS and MMS by Telnyx. https://developers.telnyx.com/docs/messaging/messages/send-message

Tags hold our ids; webhooks repeat them. Telnyx supports an Idempotency-Key only where an endpoint's reference
declares it (https://developers.telnyx.com/docs/development/api-fundamentals/idempotency); the reference of messages
does not.
"""

from datetime import datetime
from typing import Any

import orjson

from adapters.contract import (
    HttpCall,
    Message,
    Outcome,
    Response,
    Unsendable,
    Values,
    accepted,
    api_of,
    refused,
    required,
    secrets_of,
    sender_of,
)
from adapters.reading.facts import identifier
from adapters.reading.own_ids import NAME, marked
from adapters.reading.shapes import answer_of, object_of
from adapters.telnyx.errors import ACCOUNT, RETRYABLE, SENDER, error_of

API = "https://api.telnyx.com"
#: The prefixes of our tags.
OWN_ID, REFERENCE = f"{NAME}=", "reference="
#: …/send-message: the maximum for an MMS.
MOST_MEDIA = 10


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a POST of JSON to /v2/messages. Raises Unsendable."""
    if message.template is not None:
        raise Unsendable("Telnyx has no templates: send the text itself")
    if not message.text and not message.media:
        raise Unsendable("Telnyx needs text or media")
    if len(message.media) > MOST_MEDIA:
        raise Unsendable(f"Telnyx takes at most {MOST_MEDIA} media in one message")
    document: dict[str, Any] = {"from": sender_of(message, values), "to": message.to.value}
    if message.text:
        document["text"] = message.text
    if message.media:
        document["media_urls"] = [media.url for media in message.media]
        if message.subject:
            document["subject"] = message.subject
    if message.callback_url:
        document["webhook_url"] = message.callback_url
    if profile := secrets_of(values, "messaging_profile_id"):
        document["messaging_profile_id"] = profile[0]
    document["tags"] = [
        f"{OWN_ID}{marked(message.message_id)}",
        *([f"{REFERENCE}{message.reference}"] if message.reference else []),
    ]
    headers = {"authorization": f"Bearer {required(values, 'api_key')}", "content-type": "application/json"}
    url = f"{api_of(values, API)}/v2/messages"
    return HttpCall("POST", url, headers, orjson.dumps(document))


def read_response(response: Response) -> Outcome:
    """Read `data` with the message's id, or `errors`."""
    body = answer_of(response)
    if 200 <= response.status < 300:
        id_ = object_of(body.get("data")).get("id")
        return accepted(identifier(id_) if isinstance(id_, str) and len(id_) <= 512 else None)
    error = error_of(body.get("errors"), "rate" if response.status == 429 else "unknown")
    return refused(
        response,
        error,
        retryable=True if error.code in RETRYABLE else None,
        account=error.code in ACCOUNT or None,
        sender=error.code in SENDER,
    )
