"""Sends e-mail by MailerSend: https://developers.mailersend.com/api/v1/email.html#send-an-email.

The response has no body: the header x-message-id holds the id that webhooks have. There is no idempotency key.
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
    accepted,
    optional,
    refused,
    required,
    sender_of,
)
from adapters.mailersend.errors import refusal
from adapters.reading.facts import text
from adapters.reading.shapes import answer_of
from schemas.events import Error

API = "https://api.mailersend.com"
#: The prefix of the tag that holds the message's reference; webhooks repeat the tags.
REFERENCE = "reference:"


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build one e-mail, as JSON. `data.listUnsubscribe` (a URL) becomes List-Unsubscribe, `data.replyTo` Reply-To.

    Raises Unsendable.
    """
    if message.media:
        raise Unsendable("MailerSend takes the bytes of attachments, not their URLs: link to them in the text")
    mail: dict[str, Any] = {"from": _address(sender_of(message, values)), "to": [{"email": message.to.value}]}
    mail |= {
        key: value
        for key, value in (("subject", message.subject), ("text", message.text), ("html", message.html))
        if value
    }
    if message.template is not None:
        mail["template_id"] = message.template.name
        if message.template.variables:
            variables = dict(message.template.variables)
            mail["personalization"] = [{"email": message.to.value, "data": variables}]
    elif not message.subject or not (message.text or message.html):
        raise Unsendable("an e-mail by MailerSend needs a subject, and text or HTML, or a template")
    if message.reference:
        mail["tags"] = [f"{REFERENCE}{message.reference}"]
    if reply_to := text(message.data.get("replyTo")):
        mail["reply_to"] = _address(reply_to)
    if unsubscribe := text(message.data.get("listUnsubscribe")):
        mail["list_unsubscribe"] = f"<{unsubscribe}>"
    return HttpCall(
        "POST",
        f"{optional(values, 'api_url', API).rstrip('/')}/v1/email",
        {
            "authorization": f"Bearer {required(values, 'api_key')}",
            "content-type": "application/json",
            "accept": "application/json",
        },
        orjson.dumps(mail),
    )


def read_response(response: Response) -> Outcome:
    """Read 202 with x-message-id. A warning that the only recipient is suppressed means that nothing will be sent."""
    body = answer_of(response)
    if 200 <= response.status < 300:
        message_id = response.headers.get("x-message-id") or None
        if (why := _suppressed(body)) is not None:
            return Outcome("rejected", message_id, Error("SOME_SUPPRESSED", why, "blocked"))
        return accepted(message_id)
    error = refusal(body, response.status)
    return refused(response, error, sender=(error.code or "").startswith("from"))


def _suppressed(body: dict[str, Any]) -> str | None:
    """Return the text of the warning that the recipient is suppressed (each call has only one), or None."""
    warnings = body.get("warnings")
    for warning in warnings[:10] if isinstance(warnings, list) else []:
        if isinstance(warning, dict) and warning.get("type") == "SOME_SUPPRESSED":
            return text(warning.get("warning")) or "suppressed"
    return None


def _address(written: str) -> dict[str, str]:
    name, address = parseaddr(written)
    return {"email": address or written, "name": name} if name else {"email": address or written}
