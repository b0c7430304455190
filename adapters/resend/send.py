"""Sends e-mail by Resend: https://resend.com/docs/api-reference/emails/send-email, errors: …/api-reference/errors.

A retry with the same Idempotency-Key is the same e-mail for 24 hours
(https://resend.com/docs/dashboard/emails/idempotency-keys).
"""

import re
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
    optional,
    refused,
    required,
    sender_of,
)
from adapters.reading.facts import fact_id, text
from adapters.reading.own_ids import NAME, marked
from adapters.reading.shapes import answer_of
from adapters.resend.errors import refusal

#: https://resend.com/docs/dashboard/emails/idempotency-keys
IDEMPOTENT_FOR = 24 * 3600.0
API = "https://api.resend.com"
#: The allowed values of a tag. Other values are omitted, as the API would refuse the whole request.
_TAG = re.compile(r"[A-Za-z0-9_-]{1,256}")


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build one e-mail, as JSON. `data.listUnsubscribe` (a URL) becomes List-Unsubscribe, `data.replyTo` Reply-To.

    Raises Unsendable.
    """
    mail: dict[str, Any] = {"from": sender_of(message, values), "to": [message.to.value]}
    if message.subject:
        mail["subject"] = message.subject
    if message.template is not None:
        if message.text or message.html:
            raise Unsendable("Resend takes a template, or text and HTML, not both")
        mail["template"] = {"id": message.template.name, "variables": dict(message.template.variables)}
    elif not message.subject:
        raise Unsendable("an e-mail by Resend needs a subject")
    elif not message.text and not message.html:
        raise Unsendable("an e-mail by Resend needs text, HTML or a template")
    mail |= {key: value for key, value in (("text", message.text), ("html", message.html)) if value}
    if message.media:
        mail["attachments"] = [
            {"path": media.url, "filename": media.name or media.url.partition("?")[0].rpartition("/")[2] or "file"}
            | ({"content_type": media.type} if media.type else {})
            for media in message.media
        ]
    tag_values = ((NAME, marked(message.message_id)), ("reference", message.reference or ""))
    if tags := [{"name": name, "value": value} for name, value in tag_values if _TAG.fullmatch(value)]:
        mail["tags"] = tags
    if reply_to := text(message.data.get("replyTo")):
        mail["reply_to"] = reply_to
    if unsubscribe := text(message.data.get("listUnsubscribe")):
        mail["headers"] = {"List-Unsubscribe": f"<{unsubscribe}>"}
        if unsubscribe.startswith("https://"):
            mail["headers"]["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    key = message.message_id
    return HttpCall(
        "POST",
        f"{optional(values, 'api_url', API).rstrip('/')}/emails",
        {
            "authorization": f"Bearer {required(values, 'api_key')}",
            "content-type": "application/json",
            "idempotency-key": key if key.isascii() and key.isprintable() and len(key) <= 256 else fact_id(key),
        },
        orjson.dumps(mail),
    )


def read_response(response: Response) -> Outcome:
    """Read 200 with an `id`; an error has `name` and `message`."""
    body = answer_of(response)
    if 200 <= response.status < 300:
        return accepted(text(body.get("id")))
    name = text(body.get("name"))
    error, retryable = refusal(name, text(body.get("message")), response.status)
    # 403 is a wrong key, or a domain that is not verified: https://resend.com/docs/api-reference/errors.
    sender = name == "invalid_from_address" or (name == "validation_error" and response.status == 403)
    return refused(response, error, retryable=retryable, sender=sender)
