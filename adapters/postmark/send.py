"""Sends e-mail by Postmark: https://postmarkapp.com/developer/api/email-api and …/templates-api.

There is no idempotency key: a request sent twice is delivered twice. Accepted messages can be looked up:
…/messages-api, https://postmarkapp.com/support/article/1125-custom-metadata-faq.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

import orjson

from adapters.calling.batches import joined, of_all, of_each
from adapters.calling.lookups import found
from adapters.contract import (
    Found,
    HttpCall,
    Message,
    Outcome,
    Response,
    Setting,
    Unsendable,
    Values,
    accepted,
    api_of,
    optional,
    refused,
    required,
    sender_of,
)
from adapters.reading.facts import text
from adapters.reading.mime import bare_id
from adapters.reading.own_ids import marked
from adapters.reading.shapes import answer_of, json_answer_of, object_of
from schemas.events import Error

#: Maximum messages in a call, and 50 MB:
#: https://postmarkapp.com/developer/user-guide/send-email-with-api/batch-emails.
BATCH = 500
#: Seconds. No page says how soon a search shows a message; the number is our estimate.
LOOKUP_AFTER = 300.0
API = "https://api.postmarkapp.com"
SETTINGS = (
    Setting("server_token", "The server's API token (Servers, a server, API Tokens), to send with."),
    Setting("sender", "The sender if a message names none: shop@example.com, or Shop <shop@…>.", secret=False),
    Setting("reply_to", "The address for replies, if not the sender's.", secret=False),
    Setting("message_stream", "The message stream; Postmark's default, outbound, if not set.", secret=False),
    Setting("api_url", f"The URL of the API; {API} if not set.", secret=False),
)
#: Maximum characters of a Metadata value. Not confirmed by a page.
_MOST_METADATA = 80
#: The Metadata field of our id, which a look-up searches. A name has at most 20 characters
#: (https://postmarkapp.com/support/article/1125-custom-metadata-faq). Postmark documents only searches by lower-case
#: names; a search that failed because of a capital letter would be read as "not sent".
OWN = "threadline_id"
#: https://postmarkapp.com/developer/api/overview#error-codes; 406 is a recipient that bounced, complained or
#: unsubscribed.
_REASONS = {
    "300": "content",
    "402": "content",
    "403": "content",
    "406": "opted_out",
    "429": "rate",
    "1101": "content",
}
#: Codes of the account (token, no credit left, not approved, not allowed to send) and of an unconfirmed sender.
_ACCOUNT, _SENDER = frozenset({"10", "405", "412", "413"}), frozenset({"400", "401"})
#: Codes after which a retry may succeed, whatever the HTTP status: maintenance, and the rate limit.
_LATER = ("100", "429")
#: The batch endpoint of each resource.
_BATCHES = {"/email": "/email/batch", "/email/withTemplate": "/email/batchWithTemplates"}


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build JSON to /email or /email/withTemplate. Webhooks repeat our id and `reference` as Metadata. Raises
    Unsendable."""
    token = required(values, "server_token")
    if message.media:
        raise Unsendable("Postmark takes files, not their addresses: put a link into the text instead")
    echoed = {OWN: marked(message.message_id), "reference": message.echo}
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
        body |= {key: value for key, value in parts if value}
    else:
        raise Unsendable("Postmark needs text, HTML or a template")
    return HttpCall(
        "POST",
        f"{api_of(values, API)}/email{'/withTemplate' if message.template is not None else ''}",
        {"accept": "application/json", "content-type": "application/json", "x-postmark-server-token": token},
        orjson.dumps(body),
    )


def read_response(response: Response) -> Outcome:
    """Read 200 with a `MessageID` and the `ErrorCode` 0; an error has another `ErrorCode` and a `Message`."""
    return _outcome(answer_of(response), response)


def build_batch(calls: Sequence[HttpCall]) -> HttpCall:
    """Build one call of a list of messages; templated messages are in `Messages`."""
    base, _, resource = calls[0].url.rpartition("/email")
    items = b"[" + joined(calls) + b"]"
    body = b'{"Messages":' + items + b"}" if resource else items
    return replace(calls[0], url=f"{base}{_BATCHES[f'/email{resource}']}", body=body)


def read_batch(response: Response, count: int) -> list[Outcome]:
    """Read 200 with a list in the order of the messages, each with its own `ErrorCode`; an error of the whole call
    is an object, as for one message."""
    if not 200 <= response.status < 300:
        return of_all(read_response(response), response, count)
    return of_each(json_answer_of(response), count, lambda item: _outcome(item, response))


def build_lookup(message: Message, values: Values, begun: datetime) -> HttpCall:
    """Build a search for our id in Metadata; Postmark searches by one field at a time. Raises Unsendable."""
    token = required(values, "server_token")
    ours = marked(message.message_id)
    if len(ours) > _MOST_METADATA:
        raise Unsendable(f"Postmark did not receive this id in Metadata: it has more than {_MOST_METADATA} characters")
    query = {"count": 10, "offset": 0, f"metadata_{OWN}": ours}
    # By default only the stream `outbound` is searched.
    if stream := optional(values, "message_stream", ""):
        query["messagestream"] = stream
    url = f"{api_of(values, API)}/messages/outbound?{urlencode(query)}"
    return HttpCall("GET", url, {"accept": "application/json", "x-postmark-server-token": token})


def read_lookup(response: Response, message: Message) -> Found:
    """Read 200 with `Messages`, each with its Metadata."""
    ours = marked(message.message_id)
    return found(
        response,
        answer_of(response).get("Messages"),
        "MessageID",
        lambda item: object_of(item.get("Metadata")).get(OWN) == ours,
    )


def _outcome(body: dict[str, Any], response: Response) -> Outcome:
    code, words = text(body.get("ErrorCode")), text(body.get("Message"))
    if 200 <= response.status < 300 and code in (None, "0"):
        return accepted(bare_id(body.get("MessageID")))
    reason = "rate" if response.status == 429 else _REASONS.get(code or "", "unknown")
    if code == "300" and words and "'To'" in words:
        reason = "invalid_address"
    return refused(
        response,
        Error(code or str(response.status), words, reason),
        retryable=code in _LATER or None,
        account=code in _ACCOUNT or None,
        sender=code in _SENDER,
    )
