"""Sends SMS, MMS and WhatsApp messages by Plivo. https://www.plivo.com/docs/messaging/api/message/send-a-message

There is no idempotency key. Callbacks repeat only their URL, so its query holds our message's id.
"""

from base64 import b64encode
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

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
    sender_of,
)
from adapters.plivo.errors import error_of
from adapters.reading.facts import identifier, text
from adapters.reading.own_ids import callback_url
from adapters.reading.shapes import answer_of
from schemas.events import Error

API = "https://api.plivo.com"
#: …/send-a-message: the maximum for one MMS.
MOST_MEDIA = 10


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a POST of JSON to the Message resource, under basic auth. Raises Unsendable."""
    account, token = required(values, "auth_id"), required(values, "auth_token")
    if len(message.media) > MOST_MEDIA:
        raise Unsendable(f"Plivo takes at most {MOST_MEDIA} media in one message")
    document: dict[str, Any] = {"src": sender_of(message, values), "dst": message.to.value}
    if message.channel == "whatsapp":
        document["type"] = "whatsapp"
        if message.template is not None:
            document["template"] = _template(message)
    else:
        if message.template is not None:
            raise Unsendable("Plivo has templates for WhatsApp only: send the text itself")
        document["type"] = "mms" if message.media else "sms"
    if message.text:
        document["text"] = message.text
    if message.media:
        document["media_urls"] = [media.url for media in message.media]
    if not document.keys() & {"text", "media_urls", "template"}:
        raise Unsendable("Plivo needs text, media or a template")
    if message.callback_url:
        document["url"] = callback_url(message.callback_url, message.message_id)
        document["method"] = "POST"
    basic = b64encode(f"{account}:{token}".encode()).decode()
    url = f"{optional(values, 'api_url', API).rstrip('/')}/v1/Account/{quote(account, safe='')}/Message/"
    headers = {"authorization": f"Basic {basic}", "content-type": "application/json"}
    return HttpCall("POST", url, headers, orjson.dumps(document))


def read_response(response: Response) -> Outcome:
    """Read 202 with the list `message_uuid`; an error has `error`."""
    body = answer_of(response)
    if 200 <= response.status < 300:
        ids = body.get("message_uuid")
        first = ids[0] if isinstance(ids, list) and ids else None
        return accepted(identifier(first) if isinstance(first, str) and len(first) <= 512 else None)
    words, code = text(body.get("error")), text(body.get("error_code"))
    error = error_of(code, words) if code else Error(str(response.status), words, "unknown")
    if response.status == 429:
        error.reason = "rate"
    return refused(response, error)


def _template(message: Message) -> dict[str, Any]:
    """Return a WhatsApp template in Meta's form: a body component with its parameters in order."""
    assert message.template is not None
    variables = [{"type": "text", "text": value} for value in message.template.variables.values()]
    components = [{"type": "body", "parameters": variables}] if variables else []
    return {"name": message.template.name, "language": message.template.language or "en", "components": components}
