"""Sending by Postmark: https://postmarkapp.com/developer/api/email-api and …/templates-api. Sent twice, it arrives twice."""

from datetime import datetime
from typing import Any

import orjson

from adapters.base import Setting, Values
from adapters.parts.facts import text
from adapters.parts.mime import bare_id
from adapters.parts.shapes import answer_of
from adapters.sending import (
    HttpCall,
    Message,
    Outcome,
    Response,
    Unsendable,
    accepted,
    optional,
    refused,
    required,
    sender_of,
)
from schemas.events import Error

IDEMPOTENT = False
API = "https://api.postmarkapp.com"
SETTINGS = (
    Setting("server_token", "The server's API token (Servers, a server, API Tokens), to send with."),
    Setting("sender", "Who sends where a message does not say: shop@example.com, or Shop <shop@…>.", secret=False),
    Setting("reply_to", "Where answers go, where not to the sender.", secret=False),
    Setting("message_stream", "The message stream; Postmark's default, outbound, if not set.", secret=False),
    Setting("api_url", f"{API} if not set.", secret=False),
)
#: Characters of a value of Metadata. Not confirmed by a page.
_MOST_METADATA = 80
#: https://postmarkapp.com/developer/api/overview#error-codes; 406 names a recipient that bounced, complained or left.
_REASONS = {
    "300": "content",
    "401": "blocked",
    "402": "content",
    "403": "content",
    "405": "blocked",
    "406": "opted_out",
    "412": "blocked",
    "413": "blocked",
    "429": "rate",
    "1101": "content",
}
_MAINTENANCE = "100"


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """JSON to /email or /email/withTemplate; `messageId` and `reference` come back as Metadata. Raises Unsendable."""
    token = required(values, "server_token")
    if message.media:
        raise Unsendable("Postmark takes files, not their addresses: put a link into the text instead")
    echoed = {"messageId": message.message_id, "reference": message.echo}
    body: dict[str, Any] = {
        "From": sender_of(message, values),
        "To": message.to.value,
        "Metadata": {name: value for name, value in echoed.items() if len(value) <= _MOST_METADATA},
    }
    for key, value in (
        ("ReplyTo", optional(values, "reply_to", "")),
        ("MessageStream", optional(values, "message_stream", "")),
    ):
        if value:
            body[key] = value
    if message.template is not None:
        name = message.template.name
        number = name.isascii() and name.isdigit() and len(name) < 16
        body |= {"TemplateId": int(name)} if number else {"TemplateAlias": name}
        body["TemplateModel"] = dict(message.template.variables)
    elif message.text or message.html:
        parts = (("Subject", message.subject), ("TextBody", message.text), ("HtmlBody", message.html))
        body |= {key: said for key, said in parts if said}
    else:
        raise Unsendable("Postmark needs text, HTML or a template")
    return HttpCall(
        "POST",
        f"{optional(values, 'api_url', API)}/email{'/withTemplate' if message.template is not None else ''}",
        {"accept": "application/json", "content-type": "application/json", "x-postmark-server-token": token},
        orjson.dumps(body),
    )


def read_response(response: Response) -> Outcome:
    """200 with a `MessageID` and the `ErrorCode` 0; else `ErrorCode` and `Message`."""
    said = answer_of(response)
    code, words = text(said.get("ErrorCode")), text(said.get("Message"))
    if 200 <= response.status < 300 and code in (None, "0"):
        return accepted(bare_id(said.get("MessageID")))
    reason = "rate" if response.status == 429 else _REASONS.get(code or "", "unknown")
    if code == "300" and words and "'To'" in words:
        reason = "invalid_address"
    retryable = True if code == _MAINTENANCE else None
    return refused(response, Error(code or str(response.status), words, reason), retryable=retryable)
