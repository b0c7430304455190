"""Sending by Twilio: SMS, MMS and WhatsApp by the Messages resource, calls by the Calls resource.

https://www.twilio.com/docs/messaging/api/message-resource, https://www.twilio.com/docs/voice/api/call-resource,
errors: https://www.twilio.com/docs/api/errors. Twilio has no idempotency key, and echoes nothing but the callback URL's
query, into which our message's id goes.
"""

from base64 import b64encode
from datetime import datetime
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

import orjson

from adapters.base import Values
from adapters.facts import text
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
from adapters.twilio.errors import error_of

IDEMPOTENT = False
API = "https://api.twilio.com"


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """A form posted to Messages or Calls, under basic auth with an API key or the auth token. Raises Unsendable."""
    account = required(values, "account_sid")
    user, password = optional(values, "api_key", account), optional(values, "api_secret", "")
    password = password or required(values, "auth_token")
    fields = [("To", _address(message.to.value, message.channel))]
    sender = sender_of(message, values)
    service = sender.startswith("MG") and message.channel != "voice"
    fields.append(("MessagingServiceSid", sender) if service else ("From", _address(sender, message.channel)))
    if message.callback_url:
        mark = "&" if "?" in message.callback_url else "?"
        told = f"{message.callback_url}{mark}messageId={quote(message.message_id, safe='')}"
        fields.append(("StatusCallback", told))
    if message.channel == "voice":
        fields += _call(message)
    else:
        fields += _content(message)
    resource = "Calls" if message.channel == "voice" else "Messages"
    return HttpCall(
        "POST",
        f"{optional(values, 'api_url', API)}/2010-04-01/Accounts/{quote(account, safe='')}/{resource}.json",
        {
            "authorization": "Basic " + b64encode(f"{user}:{password}".encode()).decode(),
            "content-type": "application/x-www-form-urlencoded",
        },
        urlencode(fields).encode(),
    )


def read_response(response: Response) -> Outcome:
    """201 with a `sid`; else `code` and `message`."""
    try:
        body = orjson.loads(response.body)
    except orjson.JSONDecodeError:
        body = None
    said = body if isinstance(body, dict) else {}
    if 200 <= response.status < 300:
        return accepted(text(said.get("sid")))
    return refused(response, error_of(text(said.get("code")), text(said.get("message"))))


def _address(value: str, channel: str) -> str:
    return f"whatsapp:{value}" if channel == "whatsapp" and not value.startswith("whatsapp:") else value


def _content(message: Message) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    if message.template is not None:
        fields.append(("ContentSid", message.template.name))
        if message.template.variables:
            fields.append(("ContentVariables", orjson.dumps(dict(message.template.variables)).decode()))
        return fields
    if message.text:
        fields.append(("Body", message.text))
    fields += [("MediaUrl", media.url) for media in message.media]
    if not fields:
        raise Unsendable("Twilio needs text, media or a template")
    return fields


def _call(message: Message) -> list[tuple[str, str]]:
    """What the call says, as TwiML: its recordings, then its text read aloud."""
    said = "".join(f"<Play>{escape(media.url)}</Play>" for media in message.media)
    if message.text:
        said += f"<Say>{escape(message.text)}</Say>"
    if not said:
        raise Unsendable("a call by Twilio needs text to say, or media to play")
    return [("Twiml", f"<Response>{said}</Response>")]
