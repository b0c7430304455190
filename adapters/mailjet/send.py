"""Sends e-mail by Mailjet's Send API v3.1: https://dev.mailjet.com/email/reference/send-emails/.

There is no idempotency key: a request sent twice is delivered twice. Accepted messages can be looked up:
…/reference/messages/.
"""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from email.utils import parseaddr
from typing import Any
from urllib.parse import urlencode

import orjson

from adapters.calling.batches import joined, of_all, of_each
from adapters.calling.lookups import echoed_alone, found
from adapters.contract import (
    Found,
    HttpCall,
    Message,
    Outcome,
    Response,
    Setting,
    Unprocessable,
    Unsendable,
    Values,
    accepted,
    api_of,
    optional,
    refused,
    required,
    sender_of,
)
from adapters.reading.facts import identifier, text
from adapters.reading.own_ids import NAME, marked
from adapters.reading.shapes import answer_of, list_of, object_of
from schemas.events import Error

#: Maximum messages in a call: …/reference/send-emails/
BATCH = 50
#: Seconds. No page says how soon the list shows a message; the number is our estimate.
LOOKUP_AFTER = 300.0
API = "https://api.mailjet.com"
SETTINGS = (
    Setting("api_key", "The API key (Account, REST API), to send with.", secret=False),
    Setting("secret_key", "Its secret key."),
    Setting("sender", "The sender if a message names none: shop@example.com, or Shop <shop@…>.", secret=False),
    Setting("reply_to", "The address for replies, if not the sender's.", secret=False),
    Setting(
        "api_url",
        f"The URL of the API; {API} if not set, https://api.us.mailjet.com for an account in the US.",
        secret=False,
    ),
)
#: The error code of a sender that the account may not use.
_NO_SENDER = "send-0008"
#: The JSON before and after the messages of a call.
_BEFORE, _AFTER = b'{"Messages":[', b"]}"


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a call of one message as JSON. CustomID is the reference and EventPayload has both ids; every event
    repeats them. Raises Unsendable."""
    authorization = _authorization(values)
    if message.media:
        raise Unsendable("Mailjet takes files, not their addresses: put a link into the text instead")
    ours = {NAME: marked(message.message_id), "reference": message.echo}
    made: dict[str, Any] = {
        "From": _address(sender_of(message, values)),
        "To": [{"Email": message.to.value}],
        "CustomID": message.echo,
        "EventPayload": orjson.dumps(ours).decode(),
    }
    if answers := optional(values, "reply_to", ""):
        made["ReplyTo"] = _address(answers)
    parts = (("Subject", message.subject), ("TextPart", message.text), ("HTMLPart", message.html))
    made |= {key: value for key, value in parts if value}
    if (template := message.template) is not None:
        if not (template.name.isascii() and template.name.isdigit() and len(template.name) < 16):
            raise Unsendable("Mailjet's templates are named by their number")
        made |= {"TemplateID": int(template.name), "TemplateLanguage": True, "Variables": dict(template.variables)}
    elif not message.text and not message.html:
        raise Unsendable("Mailjet needs text, HTML or a template")
    return HttpCall(
        "POST",
        f"{api_of(values, API)}/v3.1/send",
        {"authorization": authorization, "content-type": "application/json"},
        _BEFORE + orjson.dumps(made) + _AFTER,
    )


def read_response(response: Response) -> Outcome:
    """Read the first message's `Status`: success with a `MessageID`, or error with `Errors`. An error of the whole
    call has `ErrorCode` and `ErrorMessage` at the top level."""
    body = answer_of(response)
    one = object_of(next(iter(list_of(body.get("Messages"))), None))
    return _outcome(one, body, response)


def build_batch(calls: Sequence[HttpCall]) -> HttpCall:
    """Build one call of all the messages."""
    return replace(calls[0], body=_BEFORE + joined(calls, _BEFORE, _AFTER) + _AFTER)


def read_batch(response: Response, count: int) -> list[Outcome]:
    """Read each message's `Status`, whatever the HTTP status: some may be accepted while others fail. A response
    without messages is about the whole call."""
    body = answer_of(response)
    items = list_of(body.get("Messages"))
    taken = 200 <= response.status < 300 or any([object_of(item).get("Status") == "success" for item in items])
    if len(items) == count or (taken and "ErrorMessage" not in body):
        return of_each(items, count, lambda one: _outcome(one, {}, _of_one(one, response)))
    return of_all(read_response(response), response, count)


def build_lookup(message: Message, values: Values, begun: datetime) -> HttpCall:
    """Build a search for the CustomID, which `ShowCustomID` adds to the items. Raises Unsendable."""
    query = urlencode({"CustomID": echoed_alone(message), "ShowCustomID": "true"})
    return HttpCall("GET", f"{api_of(values, API)}/v3/REST/message?{query}", {"authorization": _authorization(values)})


def read_lookup(response: Response, message: Message) -> Found:
    """Read 200 with `Data`, whose items have an `ID` and their `CustomID`."""
    ours = message.message_id
    return found(response, answer_of(response).get("Data"), "ID", lambda item: item.get("CustomID") == ours)


def _of_one(one: dict[str, Any], response: Response) -> Response:
    """Return the response as it would be to this message alone: with the status of its own error, or of success."""
    status = object_of(next(iter(list_of(one.get("Errors"))), None)).get("StatusCode")
    if one.get("Status") == "success":
        status = 200
    return replace(response, status=status) if type(status) is int else response


def _outcome(one: dict[str, Any], body: dict[str, Any], response: Response) -> Outcome:
    """Return one message's outcome; `body` holds the error of the whole call, if any."""
    if 200 <= response.status < 300 and one.get("Status") != "error" and "ErrorMessage" not in body:
        recipient = object_of(next(iter(list_of(one.get("To"))), None))
        try:
            return accepted(identifier(recipient.get("MessageID")))
        except Unprocessable:
            return accepted(None)
    error = object_of(next(iter(list_of(one.get("Errors"))), None)) or body
    code, words = text(error.get("ErrorCode")), text(error.get("ErrorMessage"))
    reason = "rate" if response.status == 429 else "unknown"
    if any(isinstance(place, str) and place.startswith("To") for place in list_of(error.get("ErrorRelatedTo"))):
        reason = "invalid_address"
    return refused(response, Error(code or str(response.status), words, reason), sender=code == _NO_SENDER)


def _authorization(values: Values) -> str:
    credentials = f"{required(values, 'api_key')}:{required(values, 'secret_key')}"
    return "Basic " + b64encode(credentials.encode()).decode()


def _address(written: str) -> dict[str, str]:
    """Return the address and name as the fields that Mailjet takes."""
    name, email = parseaddr(written)
    return {"Email": email or written, **({"Name": name} if name else {})}
