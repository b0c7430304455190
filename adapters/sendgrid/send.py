"""Sends e-mail by SendGrid's v3 Mail Send: text and HTML, or a dynamic template.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send, errors:
…/how-to-use-the-sendgrid-v3-api/errors. There is no idempotency key; each event repeats the custom arguments.
"""

from datetime import datetime
from email.utils import parseaddr
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
from adapters.reading.own_ids import NAME, marked
from adapters.reading.shapes import answer_of, list_of, object_of
from schemas.events import Error

API = "https://api.sendgrid.com"
#: …/how-to-use-the-sendgrid-v3-api/errors: SendGrid has no codes besides HTTP statuses.
_REASONS = {413: "content", 429: "rate"}


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a call with one personalization for the one recipient. Raises Unsendable."""
    key = required(values, "api_key")
    if message.to.kind != "email":
        raise Unsendable(f"SendGrid sends to an e-mail address, not to {message.to.kind}")
    custom = {NAME: marked(message.message_id)}
    if message.reference:
        custom["reference"] = message.reference
    whom: dict[str, Any] = {"to": [{"email": message.to.value}], "custom_args": custom}
    body: dict[str, Any] = {"personalizations": [whom], "from": _sender(sender_of(message, values))}
    body |= _content(message)
    if message.template is not None and message.template.variables:
        whom["dynamic_template_data"] = dict(message.template.variables)
    return HttpCall(
        "POST",
        f"{optional(values, 'api_url', API)}/v3/mail/send",
        {"authorization": f"Bearer {key}", "content-type": "application/json"},
        orjson.dumps(body),
    )


def read_response(response: Response) -> Outcome:
    """Read 202 with the header X-Message-Id and no body; an error has `errors`, each with `message` and `field`."""
    if 200 <= response.status < 300:
        return accepted(text(response.headers.get("x-message-id", "").strip()[:512]))
    first = object_of(next(iter(list_of(answer_of(response).get("errors"))), None))
    field = text(first.get("field")) or ""
    reason = _REASONS.get(response.status, "unknown")
    if response.status == 400:
        reason = "invalid_address" if ".to" in field else "content"
    # 403: the sender is not verified (…/for-developers/sending-email/sender-identity).
    return refused(
        response, Error(str(response.status), text(first.get("message")), reason), sender=response.status == 403
    )


def _sender(written: str) -> dict[str, str]:
    """Return the fields of `Shop <shop@example.com>`, or of an address alone. Raises WrongSender."""
    name, address = parseaddr(written)
    if "@" not in address:
        raise WrongSender("the sender is not an e-mail address")
    return {"email": address, "name": name} if name else {"email": address}


def _content(message: Message) -> dict[str, Any]:
    if message.media:
        raise Unsendable("SendGrid takes attachments as their bytes, not by URL: put a link into the text")
    content: dict[str, Any] = {"subject": message.subject} if message.subject else {}
    if message.template is not None:
        return content | {"template_id": message.template.name}
    # Plain text has to come first.
    parts = (("text/plain", message.text), ("text/html", message.html))
    content["content"] = [{"type": kind, "value": value} for kind, value in parts if value]
    if not content["content"]:
        raise Unsendable("a mail by SendGrid needs text, HTML or a template")
    if not message.subject:
        raise Unsendable("a mail by SendGrid needs a subject, unless it has a template")
    return content
