"""Sending by Mailjet's Send API v3.1: https://dev.mailjet.com/email/reference/send-emails/. Sent twice, it arrives
twice; accepted messages can be looked up: …/reference/messages/.
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
from adapters.reading.shapes import answer_of, list_of, object_of
from schemas.events import Error

#: …/reference/send-emails/
BATCH = 50
#: No page says how soon the list shows a message: the number is ours.
LOOKUP_AFTER = 300.0
API = "https://api.mailjet.com"
SETTINGS = (
    Setting("api_key", "The API key (Account, REST API), to send with.", secret=False),
    Setting("secret_key", "Its secret key."),
    Setting("sender", "Who sends where a message does not say: shop@example.com, or Shop <shop@…>.", secret=False),
    Setting("reply_to", "Where answers go, where not to the sender.", secret=False),
    Setting("api_url", f"{API} if not set; of an account in the US https://api.us.mailjet.com.", secret=False),
)
#: The sender is none that the account may use.
_NO_SENDER = "send-0008"
#: Around the messages of a call.
_BEFORE, _AFTER = b'{"Messages":[', b"]}"


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build one message as JSON, with the reference as CustomID and both ids in EventPayload, which every event has
    again. Raises Unsendable."""
    authorization = _authorization(values)
    if message.media:
        raise Unsendable("Mailjet takes files, not their addresses: put a link into the text instead")
    ours = {"messageId": message.message_id, "reference": message.echo}
    made: dict[str, Any] = {
        "From": _address(sender_of(message, values)),
        "To": [{"Email": message.to.value}],
        "CustomID": message.echo,
        "EventPayload": orjson.dumps(ours).decode(),
    }
    if answers := optional(values, "reply_to", ""):
        made["ReplyTo"] = _address(answers)
    parts = (("Subject", message.subject), ("TextPart", message.text), ("HTMLPart", message.html))
    made |= {key: said for key, said in parts if said}
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
    """The first message's `Status`: success with a `MessageID`, or error with `Errors`; an error of the whole call has
    `ErrorCode` and `ErrorMessage` itself."""
    said = answer_of(response)
    one = object_of(next(iter(list_of(said.get("Messages"))), None))
    return _outcome(one, said, response)


def build_batch(calls: Sequence[HttpCall]) -> HttpCall:
    """The same call with all of the messages."""
    return replace(calls[0], body=_BEFORE + joined(calls, _BEFORE, _AFTER) + _AFTER)


def read_batch(response: Response, count: int) -> list[Outcome]:
    """Each message has its own `Status`, whatever the answer's: one is taken though another is at fault. An answer
    without them is about the whole call."""
    said = answer_of(response)
    items = list_of(said.get("Messages"))
    taken = 200 <= response.status < 300 or any([object_of(item).get("Status") == "success" for item in items])
    if len(items) == count or (taken and "ErrorMessage" not in said):
        return of_each(items, count, lambda one: _outcome(one, {}, _of_one(one, response)))
    return of_all(read_response(response), response, count)


def build_lookup(message: Message, values: Values, begun: datetime) -> HttpCall:
    """A search for the CustomID, which the items have where it is asked for. Raises Unsendable."""
    query = urlencode({"CustomID": echoed_alone(message), "ShowCustomID": "true"})
    return HttpCall("GET", f"{api_of(values, API)}/v3/REST/message?{query}", {"authorization": _authorization(values)})


def read_lookup(response: Response, message: Message) -> Found:
    """200 with `Data`, whose items have an `ID` and their `CustomID`."""
    ours = message.message_id
    return found(response, answer_of(response).get("Data"), "ID", lambda item: item.get("CustomID") == ours)


def _of_one(one: dict[str, Any], response: Response) -> Response:
    """The answer as it would be to this message alone: with the status of its own fault, or of success."""
    status = object_of(next(iter(list_of(one.get("Errors"))), None)).get("StatusCode")
    if one.get("Status") == "success":
        status = 200
    return replace(response, status=status) if type(status) is int else response


def _outcome(one: dict[str, Any], said: dict[str, Any], response: Response) -> Outcome:
    """Return one message's outcome; `said` is the error of the whole call."""
    if 200 <= response.status < 300 and one.get("Status") != "error" and "ErrorMessage" not in said:
        recipient = object_of(next(iter(list_of(one.get("To"))), None))
        try:
            return accepted(identifier(recipient.get("MessageID")))
        except Unprocessable:
            return accepted(None)
    error = object_of(next(iter(list_of(one.get("Errors"))), None)) or said
    code, words = text(error.get("ErrorCode")), text(error.get("ErrorMessage"))
    reason = "rate" if response.status == 429 else "unknown"
    if any(isinstance(place, str) and place.startswith("To") for place in list_of(error.get("ErrorRelatedTo"))):
        reason = "invalid_address"
    return refused(response, Error(code or str(response.status), words, reason), sender=code == _NO_SENDER)


def _authorization(values: Values) -> str:
    credentials = f"{required(values, 'api_key')}:{required(values, 'secret_key')}"
    return "Basic " + b64encode(credentials.encode()).decode()


def _address(written: str) -> dict[str, str]:
    """An address with its name, as Mailjet takes them apart."""
    name, email = parseaddr(written)
    return {"Email": email or written, **({"Name": name} if name else {})}
