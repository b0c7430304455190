"""Sending by Mailjet's Send API v3.1: https://dev.mailjet.com/email/reference/send-emails/. Sent twice, it arrives twice."""

from base64 import b64encode
from datetime import datetime
from email.utils import parseaddr
from typing import Any

import orjson

from adapters.base import Setting, Unprocessable, Values
from adapters.parts.facts import identifier, text
from adapters.parts.shapes import answer_of, list_of, object_of
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
API = "https://api.mailjet.com"
SETTINGS = (
    Setting("api_key", "The API key (Account, REST API), to send with.", secret=False),
    Setting("secret_key", "Its secret key."),
    Setting("sender", "Who sends where a message does not say: shop@example.com, or Shop <shop@…>.", secret=False),
    Setting("reply_to", "Where answers go, where not to the sender.", secret=False),
    Setting("api_url", f"{API} if not set; of an account in the US https://api.us.mailjet.com.", secret=False),
)


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """One message as JSON, with the reference as CustomID and both ids in EventPayload, which every event has again.
    Raises Unsendable."""
    credentials = f"{required(values, 'api_key')}:{required(values, 'secret_key')}"
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
        f"{optional(values, 'api_url', API)}/v3.1/send",
        {
            "authorization": "Basic " + b64encode(credentials.encode()).decode(),
            "content-type": "application/json",
        },
        orjson.dumps({"Messages": [made]}),
    )


def read_response(response: Response) -> Outcome:
    """The first message's `Status`: success with a `MessageID`, or error with `Errors`; an error of the whole call has
    `ErrorCode` and `ErrorMessage` itself."""
    said = answer_of(response)
    one = object_of(next(iter(list_of(said.get("Messages"))), None))
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
    return refused(response, Error(code or str(response.status), words, reason))


def _address(written: str) -> dict[str, str]:
    """An address with its name, as Mailjet takes them apart."""
    name, email = parseaddr(written)
    return {"Email": email or written, **({"Name": name} if name else {})}
