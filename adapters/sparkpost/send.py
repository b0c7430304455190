"""Sends e-mail by SparkPost: https://developers.sparkpost.com/api/transmissions/.

There is no idempotency key: a request sent twice is delivered twice.
"""

import re
from datetime import datetime
from email.utils import parseaddr
from typing import Any

import orjson

from adapters.contract import (
    HttpCall,
    Message,
    Outcome,
    Response,
    Setting,
    Unprocessable,
    Unsendable,
    Values,
    accepted,
    optional,
    refused,
    required,
    sender_of,
)
from adapters.reading.facts import count, identifier, text
from adapters.reading.own_ids import NAME, marked
from adapters.reading.shapes import answer_of, list_of, object_of
from schemas.events import Error

API = "https://api.sparkpost.com"
SETTINGS = (
    Setting("api_key", "An API key that may use transmissions, to send with."),
    Setting("sender", "The sender if a message names none: shop@example.com, or Shop <shop@…>.", secret=False),
    Setting("reply_to", "The address for replies, if not the sender's.", secret=False),
    Setting(
        "transactional", "true if the mail may be sent to recipients who unsubscribed from marketing.", secret=False
    ),
    Setting(
        "api_url",
        f"The URL of the API; {API} if not set, https://api.eu.sparkpost.com for an account in the EU.",
        secret=False,
    ),
)
#: Maximum bytes of a transmission's metadata.
_MOST_METADATA = 1000
#: The `code` of an error; the plan's limit has the status 420.
_REASONS = {"1400": "content", "1600": "content", "1902": "blocked", "2101": "rate"}
#: The code of a sender's domain that the account may not use.
_SENDER = "7001"
_LIMITED = 420
#: Braces that SparkPost would read as its template language, and how to escape them:
#: https://developers.sparkpost.com/api/template-language/
_BRACES = re.compile(r"\{{2,3}|\}{2,3}")
_ESCAPED = {
    "{{": "{{opening_double_curly()}}",
    "}}": "{{closing_double_curly()}}",
    "{{{": "{{opening_triple_curly()}}",
    "}}}": "{{closing_triple_curly()}}",
}


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a transmission to one recipient; every event repeats its metadata. Raises Unsendable."""
    key = required(values, "api_key")
    if message.media:
        raise Unsendable("SparkPost takes files, not their addresses: put a link into the text instead")
    recipient: dict[str, Any] = {"address": {"email": message.to.value}}
    metadata = {NAME: marked(message.message_id), "reference": message.echo}
    if len(orjson.dumps(metadata)) > _MOST_METADATA:
        del metadata["reference"]
    recipient["metadata"] = metadata
    if (template := message.template) is not None:
        content: dict[str, Any] = {"template_id": template.name}
        if template.variables:
            recipient["substitution_data"] = dict(template.variables)
    else:
        content = _content(message, values)
    body: dict[str, Any] = {"recipients": [recipient], "content": content}
    if optional(values, "transactional", "").lower() == "true":
        body["options"] = {"transactional": True}
    return HttpCall(
        "POST",
        f"{optional(values, 'api_url', API)}/api/v1/transmissions",
        {"authorization": key, "content-type": "application/json"},
        orjson.dumps(body),
    )


def read_response(response: Response) -> Outcome:
    """Read 200 with the transmission's id and the number of accepted recipients; an error has `errors`."""
    body = answer_of(response)
    results = object_of(body.get("results"))
    none = count(results.get("total_accepted_recipients")) == 0
    if 200 <= response.status < 300 and not none:
        try:
            return accepted(identifier(results.get("id")))
        except Unprocessable:
            return accepted(None)
    errors = list_of(results.get("rcpt_to_errors")) if none else []
    error = object_of(next(iter([*errors, *list_of(body.get("errors"))]), None))
    code = text(error.get("code"))
    words = ": ".join([one for one in (text(error.get("message")), text(error.get("description"))) if one]) or None
    limited = response.status in (_LIMITED, 429)
    reason = "rate" if limited else "invalid_address" if none else _REASONS.get(code or "", "unknown")
    if words and "address.email" in words:
        reason = "invalid_address"
    failure = Error(code or str(response.status), words, reason)
    return refused(response, failure, retryable=True if limited else None, sender=code == _SENDER)


def _content(message: Message, values: Values) -> dict[str, Any]:
    if not message.text and not message.html:
        raise Unsendable("SparkPost needs text, HTML or a template")
    if not message.subject:
        raise Unsendable("SparkPost needs a subject")
    written = sender_of(message, values)
    name, email = parseaddr(written)
    parts = (("subject", message.subject), ("text", message.text), ("html", message.html))
    content: dict[str, Any] = {key: _BRACES.sub(_escaped, value) for key, value in parts if value}
    content["from"] = {"email": email or written, **({"name": name} if name else {})}
    if answers := optional(values, "reply_to", ""):
        content["reply_to"] = answers
    return content


def _escaped(braces: re.Match[str]) -> str:
    return _ESCAPED[braces[0]]
