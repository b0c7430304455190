"""Sends mail by Brevo: https://developers.brevo.com/reference/sendtransacemail.

Brevo refuses a repeated idempotency key (a UUID) for 30 minutes, …/docs/heterogenous-versions-batch-emails
(15 minutes by https://developers.brevo.com/changelog/email-api-now-supports-idempotency).
"""

from datetime import datetime
from email.utils import parseaddr
from typing import Any

import orjson

from adapters.calling.uuids import uuid_of
from adapters.contract import (
    HttpCall,
    Message,
    Outcome,
    Response,
    Setting,
    Unsendable,
    Values,
    accepted,
    optional,
    refused,
    required,
    sender_of,
)
from adapters.reading.facts import text
from adapters.reading.mime import bare_id
from adapters.reading.own_ids import NAME, marked
from adapters.reading.shapes import answer_of
from schemas.events import Error

#: The shorter of the two times that Brevo names.
IDEMPOTENT_FOR = 15 * 60.0
API = "https://api.brevo.com"
SETTINGS = (
    Setting("api_key", "An API key for sending (SMTP & API, API keys)."),
    Setting("sender", "The sender if a message names none: shop@example.com, or Shop <shop@…>.", secret=False),
    Setting("reply_to", "Where replies go, if not to the sender.", secret=False),
    Setting("api_url", f"URL of the API; {API} if not set.", secret=False),
)
#: `code` of an error. Brevo's pages document only `duplicate_parameter`.
_REASONS = {
    "missing_parameter": "content",
    "too_many_requests": "rate",
}
_ACCOUNT = frozenset({"account_under_validation", "not_enough_credits", "permission_denied", "unauthorized"})
#: The idempotency key was used within the last 30 minutes: an earlier call was accepted.
_TAKEN = "duplicate_parameter"


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build the request, with both our ids in a header that each webhook returns. Raises Unsendable."""
    key = required(values, "api_key")
    if message.media:
        raise Unsendable("attachments are not supported for Brevo: put a link into the text instead")
    ours = {NAME: marked(message.message_id), "reference": message.echo}
    body: dict[str, Any] = {
        "sender": _mailbox(sender_of(message, values)),
        "to": [{"email": message.to.value}],
        "headers": {
            "X-Mailin-custom": orjson.dumps(ours).decode(),
            "idempotencyKey": uuid_of("brevo", message.message_id),
        },
    }
    if answers := optional(values, "reply_to", ""):
        body["replyTo"] = _mailbox(answers)
    parts = (("subject", message.subject), ("textContent", message.text), ("htmlContent", message.html))
    body |= {name: value for name, value in parts if value}
    if (template := message.template) is not None:
        if not (template.name.isascii() and template.name.isdigit() and len(template.name) < 16):
            raise Unsendable("Brevo's templates are named by their number")
        body["templateId"] = int(template.name)
        if template.variables:
            body["params"] = dict(template.variables)
    elif not message.text and not message.html:
        raise Unsendable("Brevo needs text, HTML or a template")
    elif not message.subject:
        raise Unsendable("Brevo needs a subject")
    return HttpCall(
        "POST",
        f"{optional(values, 'api_url', API)}/v3/smtp/email",
        {"accept": "application/json", "content-type": "application/json", "api-key": key},
        orjson.dumps(body),
    )


def read_response(response: Response) -> Outcome:
    """Read 201 with `messageId`, in angle brackets that webhooks may omit, or an error's `code` and `message`."""
    answer = answer_of(response)
    if 200 <= response.status < 300:
        return accepted(bare_id(answer.get("messageId")))
    code, words = text(answer.get("code")), text(answer.get("message"))
    if response.status == 400 and code == _TAKEN:
        return accepted(None)
    reason = "rate" if response.status == 429 else _REASONS.get(code or "", "unknown")
    if code == "invalid_parameter" and words and "email is not valid in to" in words:
        reason = "invalid_address"
    return refused(
        response,
        Error(code or str(response.status), words, reason),
        account=code in _ACCOUNT or None,
        sender=bool(words and "sender you used" in words),
    )


def _mailbox(written: str) -> dict[str, str]:
    name, email = parseaddr(written)
    return {"email": email or written, **({"name": name} if name else {})}
