"""Sends text, or one picture with text, by Viber.

https://developers.viber.com/docs/api/rest-bot-api/#send-message. The HTTP status is always 200, with a status in the
body: …/#error-codes. There is no idempotency key; only the user's replies repeat `tracking_data`.
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
    WrongSender,
    accepted,
    optional,
    refused,
    required,
    sender_of,
)
from adapters.reading.facts import text
from adapters.reading.shapes import answer_of
from schemas.events import Error

API = "https://chatapi.viber.com"

#: Maximum characters of a text, of a picture's text, of the sender's name (…/#message-types,
#: …/#general-send-message-parameters).
LONGEST, LONGEST_CAPTION, LONGEST_NAME = 7000, 512, 28
#: …/#error-codes
_CODES = {
    "invalid_address": "5",
    "opted_out": "6",
    "blocked": "21 22",
    "unreachable": "11 13 14",
    "rate": "12 23",
    "content": "1 3 4 16",
}
#: Errors of the bot's token, the bot itself, its webhook, its credit.
_ACCOUNT = frozenset("2 7 8 9 10 15 24".split())
_REASONS = {code: reason for reason, codes in _CODES.items() for code in codes.split()}
_TOO_MANY = "12"


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a POST of JSON to /pa/send_message. Raises Unsendable."""
    if message.template is not None:
        raise Unsendable("Viber has no templates: send the text itself")
    platform, _, whom = message.to.value.partition(":")
    if platform != "viber" or not whom:
        raise Unsendable("Viber needs the user's id from its callbacks, as chat_id viber:…")
    name = sender_of(message, values)
    if len(name) > LONGEST_NAME:
        raise WrongSender(f"Viber shows a sender of at most {LONGEST_NAME} characters: set a shorter one")
    sender = {"name": name} | ({"avatar": avatar} if (avatar := optional(values, "avatar", "")) else {})
    fields: dict[str, Any] = {"receiver": whom, "min_api_version": 1, "sender": sender, "tracking_data": message.echo}
    if message.media:
        media = message.media[0]
        if len(message.media) > 1 or (media.type and not media.type.startswith("image/")):
            raise Unsendable("Viber takes one picture in a message: put the link of other media into the text")
        fields |= {"type": "picture", "text": message.text or "", "media": media.url}
    elif message.text:
        fields |= {"type": "text", "text": message.text}
    else:
        raise Unsendable("Viber needs text or a picture")
    limit = LONGEST_CAPTION if message.media else LONGEST
    if message.text and len(message.text) > limit:
        raise Unsendable(f"Viber takes at most {limit} characters here: send it in several messages")
    return HttpCall(
        "POST",
        f"{optional(values, 'api_url', API).rstrip('/')}/pa/send_message",
        {"x-viber-auth-token": required(values, "auth_token"), "content-type": "application/json"},
        orjson.dumps(fields),
    )


def read_response(response: Response) -> Outcome:
    """Read `status` 0 with a `message_token`, or another with a `status_message`; both have HTTP 200."""
    body = answer_of(response)
    code = text(body.get("status"))
    if 200 <= response.status < 300 and code in (None, "0"):
        return accepted(text(body.get("message_token")))
    reason = "rate" if response.status == 429 else _REASONS.get(code or "", "unknown")
    # HTTP's status decides if the body has no status, as from a gateway.
    retryable = None if response.status >= 300 else code == _TOO_MANY
    error = Error(code, text(body.get("status_message")), reason)
    return refused(response, error, retryable=retryable, account=code in _ACCOUNT or None)
