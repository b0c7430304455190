"""Simulates Twilio: the Messages and Calls resources, a message's status callbacks, and inbound messages.

https://www.twilio.com/docs/messaging/api/message-resource, …/messaging/guides/track-outbound-message-status,
…/usage/webhooks/webhooks-security.
"""

import base64
import hashlib
import hmac
import re
from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

import orjson

from adapters.simulating import (
    Api,
    Call,
    Incoming,
    Post,
    Refusal,
    Refused,
    Reply,
    Sent,
    Settings,
    Simulator,
    Statuses,
    Webhooks,
)

ACCOUNT = "AC0123456789abcdef0123456789abcdef"
_STATUSES = {
    "MessageQueued": "queued",
    "UserMessageSent": "sent",
    "MessageDelivered": "delivered",
    "MessageRead": "read",
    "MessageFailed": "undelivered",
}
_FORM = {"content-type": "application/x-www-form-urlencoded; charset=UTF-8", "user-agent": "TwilioProxy/1.1"}
_REFUSALS: dict[Refusal, tuple[int, int, str]] = {
    "rate": (429, 20429, "Too Many Requests"),
    "invalid": (400, 21211, "Invalid 'To' Phone Number"),
    "unauthorized": (401, 20003, "Authenticate"),
    "unavailable": (503, 20503, "Service Unavailable"),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a status callback, which has no time: …/guides/track-outbound-message-status."""
    word = _STATUSES[state]
    fields = {
        "MessageSid": sent.id,
        "MessageStatus": word,
        "SmsSid": sent.id,
        "SmsStatus": word,
        "From": _prefixed(sent.sender, sent.channel),
        "To": _prefixed(sent.to, sent.channel),
        "AccountSid": ACCOUNT,
        "ApiVersion": "2010-04-01",
    }
    if state == "MessageFailed":
        fields["ErrorCode"] = "30003"
    return Post(sent.callback_url or url, urlencode(fields).encode(), dict(_FORM))


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build an inbound message: …/guides/webhook-request."""
    fields = {
        "MessageSid": incoming.id,
        "SmsSid": incoming.id,
        "SmsMessageSid": incoming.id,
        "AccountSid": ACCOUNT,
        "From": _prefixed(incoming.sender, incoming.channel),
        "To": _prefixed(incoming.to, incoming.channel),
        "Body": incoming.text,
        "NumMedia": "0",
        "NumSegments": "1",
        "SmsStatus": "received",
        "ApiVersion": "2010-04-01",
    }
    return Post(url, urlencode(fields).encode(), dict(_FORM))


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the URL and the sorted parameters by HMAC-SHA1, in base64."""
    data = post.url
    if post.method != "GET" and post.headers.get("content-type", "").startswith("application/x-www-form"):
        pairs = parse_qsl(post.body.decode(), keep_blank_values=True)
        data += "".join(name + value for name, value in sorted(set(pairs)))
    digest = hmac.new(settings["auth_token"].encode(), data.encode(), hashlib.sha1).digest()
    return replace(post, headers=post.headers | {"X-Twilio-Signature": base64.b64encode(digest).decode()})


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a send request: …/api/message-resource#create-a-message-resource. Raises Refused."""
    credentials = f"{settings.get('account_sid', ACCOUNT)}:{settings['auth_token']}"
    if call.headers.get("authorization") != "Basic " + base64.b64encode(credentials.encode()).decode():
        raise Refused("unauthorized")
    fields = dict(parse_qsl(call.body.decode()))
    if call.path.endswith("/Calls.json") and "To" in fields and "Twiml" in fields:
        return [
            Sent(f"CA{id}", "voice", fields["To"], fields.get("From", ""), None, None, fields.get("StatusCallback"))
        ]
    if not call.path.endswith("/Messages.json") or "To" not in fields:
        raise Refused("invalid", "no message")
    if "Body" not in fields and "MediaUrl" not in fields and "ContentSid" not in fields:
        raise Refused("invalid", "A text message body or media urls must be specified")
    channel = "whatsapp" if fields["To"].startswith("whatsapp:") else "sms"
    to, sender = (fields.get(name, "").removeprefix("whatsapp:") for name in ("To", "From"))
    sent = Sent(f"SM{id}", channel, to, sender, fields.get("Body"), None, fields.get("StatusCallback"))
    return [sent]


def reply(sent: list[Sent]) -> Reply:
    """Return 201 with the message in its present state."""
    one = sent[0]
    document = {
        "sid": one.id,
        "account_sid": ACCOUNT,
        "status": "queued",
        "to": _prefixed(one.to, one.channel),
        "from": _prefixed(one.sender, one.channel),
        "body": one.text,
        "error_code": None,
        "error_message": None,
        "uri": f"/2010-04-01/Accounts/{ACCOUNT}/Messages/{one.id}.json",
    }
    return Reply(201, orjson.dumps(document))


def erase(call: Call, settings: Settings) -> Reply | None:
    """Delete a message or a call: …/api/message-resource#delete-a-message-resource. Raises Refused."""
    if call.method != "DELETE":
        return None
    account = settings.get("account_sid", ACCOUNT)
    credentials = f"{account}:{settings['auth_token']}"
    if call.headers.get("authorization") != "Basic " + base64.b64encode(credentials.encode()).decode():
        raise Refused("unauthorized")
    found = re.fullmatch(r"/2010-04-01/Accounts/([^/]+)/(Messages/(?:SM|MM)|Calls/CA)[^/]+\.json", call.path)
    if found is None or found[1] != account:
        body = {"code": 20404, "message": "The requested resource was not found", "status": 404}
        return Reply(404, orjson.dumps(body))
    return Reply(204)


def refuse(why: Refusal) -> Reply:
    """Return an error response: https://www.twilio.com/docs/usage/twilios-response#response-formats-exceptions."""
    status, code, text = _REFUSALS[why]
    more_info = f"https://www.twilio.com/docs/errors/{code}"
    answer = Reply(status, orjson.dumps({"code": code, "message": text, "more_info": more_info, "status": status}))
    if why == "rate":
        answer.headers["retry-after"] = "1"
    return answer


def _prefixed(address: str, channel: str) -> str:
    return f"whatsapp:{address}" if channel == "whatsapp" else address


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms", "whatsapp"),
        statuses=Statuses(states=tuple(_STATUSES), build=status, absent={"sms": ("MessageRead",)}),
        inbound=inbound,
        sign=sign,
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse, erase=erase),
)
