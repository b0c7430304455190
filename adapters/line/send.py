"""Sends text and images by LINE's push messages.

https://developers.line.biz/en/reference/messaging-api/#send-push-message; retries with a retry key:
https://developers.line.biz/en/docs/messaging-api/retrying-api-request/ (for 24 hours; 409: accepted before); errors:
…/reference/messaging-api/#error-responses.
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
from adapters.reading.shapes import answer_of
from schemas.events import Error

#: …/docs/messaging-api/retrying-api-request/
IDEMPOTENT_FOR = 24 * 3600.0
API = "https://api.line.me"

#: The most message objects in a push, and UTF-16 code units in a text (…/messaging-api/#text-message).
MOST, LONGEST = 5, 5000
#: Our reason by a part of the error's `message`, in lower case (…/messaging-api/#error-messages).
_REASONS = {
    "'to'": "invalid_address",
    "failed to send messages": "unreachable",
    "reached your monthly limit": "rate",
    "rate limit": "rate",
    "concurrent": "rate",
    "messages[": "content",
    "may not be empty": "content",
    "length must be": "content",
}


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a push, with a retry key derived from our message's id. Raises Unsendable."""
    if message.template is not None:
        raise Unsendable("LINE keeps no templates: send the text itself")
    platform, _, whom = message.to.value.partition(":")
    if platform != "line" or not whom:
        raise Unsendable("LINE needs the user's id from its webhooks, e.g. chat_id line:U0123…")
    parts: list[dict[str, Any]] = []
    if message.text:
        if len(message.text.encode("utf-16-le")) // 2 > LONGEST:
            raise Unsendable(f"LINE takes at most {LONGEST} characters: send it in several messages")
        parts.append({"type": "text", "text": message.text})
    for media in message.media:
        if media.type and not media.type.startswith("image/"):
            raise Unsendable("LINE takes images by their URL alone: put the link of other media into the text")
        parts.append({"type": "image", "originalContentUrl": media.url, "previewImageUrl": media.url})
    if not parts:
        raise Unsendable("LINE needs text or an image")
    if len(parts) > MOST:
        raise Unsendable(f"LINE takes at most {MOST} parts in one message: send the rest in another")
    return HttpCall(
        "POST",
        f"{optional(values, 'api_url', API).rstrip('/')}/v2/bot/message/push",
        {
            "authorization": f"Bearer {required(values, 'channel_access_token')}",
            "content-type": "application/json",
            "x-line-retry-key": uuid_of("line", message.message_id),
        },
        orjson.dumps({"to": whom, "messages": parts}),
    )


def read_response(response: Response) -> Outcome:
    """Read 200 with `sentMessages`, 409 with those of the first request, or an error's `message` and `details`."""
    answer = answer_of(response)
    if 200 <= response.status < 300 or (response.status == 409 and "x-line-accepted-request-id" in response.headers):
        sent = answer.get("sentMessages")
        first = sent[0] if isinstance(sent, list) and sent and isinstance(sent[0], dict) else {}
        return accepted(text(first.get("id")))
    words = text(answer.get("message"))
    details = answer.get("details")
    for detail in details[:10] if isinstance(details, list) else ():
        if isinstance(detail, dict) and (
            more := ": ".join(filter(None, map(text, (detail.get("property"), detail.get("message")))))
        ):
            words = f"{words} ({more})"
    lowered = (words or "").lower()
    reason = next((reason for mark, reason in _REASONS.items() if mark in lowered), "unknown")
    if reason == "unknown" and response.status == 429:
        reason = "rate"
    # The monthly quota is used up until the next month, or until the account's plan changes.
    account = "monthly limit" in lowered or None
    return refused(response, Error(str(response.status), words, reason), account=account)
