"""Sends by Twilio: SMS, MMS and WhatsApp by the Messages resource, calls by the Calls resource.

https://www.twilio.com/docs/messaging/api/message-resource, https://www.twilio.com/docs/voice/api/call-resource,
errors: https://www.twilio.com/docs/api/errors. There is no idempotency key. Callbacks repeat only their URL, so its
query holds our message's id.
"""

from base64 import b64encode
from datetime import datetime
from urllib.parse import quote, urlencode
from xml.sax.saxutils import escape

import orjson

from adapters.contract import (
    HttpCall,
    Message,
    Outcome,
    Response,
    TooLate,
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
from adapters.reading.own_ids import callback_url
from adapters.reading.shapes import answer_of
from adapters.twilio.errors import ACCOUNT, SENDER, error_of

API = "https://api.twilio.com"
#: …/voice/api/call-resource#statuscallbackevent
_CALL_EVENTS = ("initiated", "answered", "completed")
#: …/api/message-resource, ValidityPeriod; https://www.twilio.com/docs/api/errors/21624.
_LONGEST_VALIDITY = 36_000
_MOST_MEDIA = 10
_LONGEST_TWIML = 4000
#: Errors after which a retry may succeed, whatever the HTTP status: rate limits, a full queue, Twilio's own faults.
_AGAIN = frozenset({"20429", "20500", "20503", "21611", "30001", "30022", "63018"})


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a POST of a form to Messages or Calls, with an API key or the auth token in basic auth. Raises
    Unsendable."""
    account = required(values, "account_sid")
    voice = message.channel == "voice"
    fields = [("To", _address(message.to.value, message.channel))]
    sender = sender_of(message, values)
    service = sender.startswith("MG") and not voice
    fields.append(("MessagingServiceSid", sender) if service else ("From", _address(sender, message.channel)))
    if message.callback_url:
        fields.append(("StatusCallback", callback_url(message.callback_url, message.message_id)))
        # By default Twilio reports only the end of a call.
        fields += [("StatusCallbackEvent", event) for event in _CALL_EVENTS if voice]
    fields += _call(message) if voice else _content(message) + _validity(message, now)
    return HttpCall(
        "POST",
        f"{api_of(values, API)}/2010-04-01/Accounts/{quote(account, safe='')}/{'Calls' if voice else 'Messages'}.json",
        {
            "authorization": authorization(values),
            "content-type": "application/x-www-form-urlencoded",
        },
        urlencode(fields).encode(),
    )


def authorization(values: Values) -> str:
    """Return basic auth with an API key or the auth token. Raises Unsendable where they are missing."""
    key = optional(values, "api_key", "")
    user, password = (
        (key, required(values, "api_secret"))
        if key
        else (required(values, "account_sid"), required(values, "auth_token"))
    )
    return "Basic " + b64encode(f"{user}:{password}".encode()).decode()


def read_response(response: Response) -> Outcome:
    """Read 201 with a `sid`; an error has `code` and `message`."""
    body = answer_of(response)
    if 200 <= response.status < 300:
        return accepted(text(body.get("sid")))
    code = text(body.get("code"))
    return refused(
        response,
        error_of(code, text(body.get("message"))),
        retryable=True if code in _AGAIN else None,
        account=code in ACCOUNT or None,
        sender=code in SENDER,
    )


def _validity(message: Message, now: datetime) -> list[tuple[str, str]]:
    """Return ValidityPeriod, the seconds that the message may wait in Twilio's queue, if below Twilio's own limit of
    ten hours. Raises TooLate."""
    if message.expires_at is None:
        return []
    seconds = int((message.expires_at - now).total_seconds())
    if seconds < 1:
        raise TooLate("the message has expired")
    return [("ValidityPeriod", str(seconds))] if seconds < _LONGEST_VALIDITY else []


def _address(value: str, channel: str) -> str:
    return f"whatsapp:{value}" if channel == "whatsapp" and not value.startswith("whatsapp:") else value


def _content(message: Message) -> list[tuple[str, str]]:
    fields: list[tuple[str, str]] = []
    if message.template is not None:
        if message.media:
            raise Unsendable("a template by Twilio has its own media: leave out the message's")
        fields.append(("ContentSid", message.template.name))
        if message.template.variables:
            fields.append(("ContentVariables", orjson.dumps(dict(message.template.variables)).decode()))
        return fields
    if len(message.media) > _MOST_MEDIA:
        raise Unsendable(f"a message by Twilio has {_MOST_MEDIA} files at most")
    if message.text:
        fields.append(("Body", message.text))
    fields += [("MediaUrl", media.url) for media in message.media]
    if not fields:
        raise Unsendable("Twilio needs text, media or a template")
    return fields


def _call(message: Message) -> list[tuple[str, str]]:
    """Return the call's TwiML: its recordings, then its text read aloud. Raises Unsendable."""
    verbs = "".join(f"<Play>{escape(media.url)}</Play>" for media in message.media)
    if message.text:
        verbs += f"<Say>{escape(message.text)}</Say>"
    if not verbs:
        raise Unsendable("a call by Twilio needs text to say, or media to play")
    twiml = f"<Response>{verbs}</Response>"
    if len(twiml) > _LONGEST_TWIML:
        raise Unsendable(f"the text of a call by Twilio has {_LONGEST_TWIML} characters at most, its TwiML included")
    return [("Twiml", twiml)]
