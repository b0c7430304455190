"""Sends e-mail by Mailgun: a form posted to a domain's messages.

https://documentation.mailgun.com/docs/mailgun/api-reference/send/mailgun/messages. There is no idempotency key: a
request sent twice is delivered twice.
"""

from base64 import b64encode
from datetime import datetime
from urllib.parse import quote, urlencode

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
from adapters.reading.facts import text
from adapters.reading.mime import bare_id
from adapters.reading.own_ids import NAME, marked
from adapters.reading.shapes import answer_of
from schemas.events import Error

API = "https://api.mailgun.net"


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a form with the key in basic auth. Every webhook repeats the variables of our id and `reference`.
    Raises Unsendable."""
    key, domain = required(values, "api_key"), required(values, "domain")
    if message.media:
        raise Unsendable("Mailgun takes files, not their addresses: put a link into the text instead")
    fields = [
        ("from", sender_of(message, values)),
        ("to", message.to.value),
        (f"v:{NAME}", marked(message.message_id)),
        ("v:reference", message.echo),
    ]
    if message.subject:
        fields.append(("subject", message.subject))
    if answers := optional(values, "reply_to", ""):
        fields.append(("h:Reply-To", answers))
    if message.template is not None:
        fields.append(("template", message.template.name))
        if message.template.variables:
            fields.append(("t:variables", orjson.dumps(dict(message.template.variables)).decode()))
    elif not message.text and not message.html:
        raise Unsendable("Mailgun needs text, HTML or a template")
    fields += [(name, value) for name, value in (("text", message.text), ("html", message.html)) if value]
    return HttpCall(
        "POST",
        f"{optional(values, 'api_url', API)}/v3/{quote(domain, safe='')}/messages",
        {
            "authorization": "Basic " + b64encode(f"api:{key}".encode()).decode(),
            "content-type": "application/x-www-form-urlencoded",
        },
        urlencode(fields).encode(),
    )


def read_response(response: Response) -> Outcome:
    """Read 200 with `id`, in angle brackets that webhooks omit; an error has `message` in JSON, or is plain text."""
    body = answer_of(response)
    if 200 <= response.status < 300:
        return accepted(bare_id(body.get("id")))
    words = text(body.get("message")) or response.body[:200].decode("utf-8", "replace") or None
    reason = "rate" if response.status == 429 else "unknown"
    if response.status == 400 and words and "not a valid address" in words:
        reason = "invalid_address"
    account = (response.status == 404 and words is not None and "domain not found" in words.lower()) or None
    return refused(response, Error(str(response.status), words, reason), account=account)
