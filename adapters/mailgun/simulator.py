"""Simulates Mailgun: the messages endpoint, event webhooks, and a route's posts.

https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/webhook-payloads, …/securing-webhooks,
…/user-manual/receive-forward-store/receive-http, …/api-reference/send/mailgun/messages.
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

DOMAIN = "mg.example.com"
_EVENTS = {
    "MessageQueued": "accepted",
    "MessageDelayed": "failed",
    "MessageDelivered": "delivered",
    "MessageOpened": "opened",
    "MessageClicked": "clicked",
    "MessageBounced": "failed",
    "MessageComplained": "complained",
    "RecipientUnsubscribed": "unsubscribed",
}
_REFUSALS: dict[Refusal, tuple[int, str]] = {
    "rate": (429, '{"message": "Too many requests"}'),
    "invalid": (400, '{"message": "to parameter is not a valid address. please check documentation"}'),
    "unauthorized": (401, "Forbidden"),
    "unavailable": (503, '{"message": "Service unavailable"}'),
}
#: The fields of a signature.
_SIGNED = ("timestamp", "token", "signature")
_SIGNATURE = re.compile(rb'("signature":\s*)\{[^{}]*\}')


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build an event webhook: …/webhook-payloads. The message's id has no angle brackets here."""
    word = _EVENTS[state]
    data = {
        "event": word,
        "id": hashlib.sha256(f"{sent.id}{state}".encode()).hexdigest()[:22],
        "timestamp": at.timestamp(),
        "recipient": sent.to,
        "recipient-domain": sent.to.partition("@")[2],
        "envelope": {"sender": sent.sender, "targets": sent.to, "transport": "smtp"},
        "message": {"headers": {"message-id": _id(sent), "from": sent.sender, "to": sent.to}},
        "user-variables": {"reference": sent.reference} if sent.reference else {},
    }
    if state == "MessageDelayed":
        data |= {"severity": "temporary", "reason": "generic"}
        data["delivery-status"] = {"code": 452, "message": "4.2.2 mailbox full", "retry-seconds": 600}
    elif state == "MessageBounced":
        data |= {"severity": "permanent", "reason": "bounce"}
        data["delivery-status"] = {"code": 550, "message": "5.1.1 no such user", "enhanced-code": "5.1.1"}
    elif word in ("opened", "clicked", "unsubscribed"):
        data |= {"ip": "198.51.100.7", "client-info": {"user-agent": "Mozilla/5.0", "device-type": "desktop"}}
    if word == "clicked":
        data["url"] = "https://example.com/orders/1"
    return Post(url, orjson.dumps({"signature": {}, "event-data": data}), {"content-type": "application/json"})


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build a route's post of a mail without attachments: …/receive-http."""
    fields = {
        "recipient": incoming.to,
        "sender": incoming.sender,
        "from": f"Ana <{incoming.sender}>",
        "subject": "A question",
        "body-plain": incoming.text,
        "stripped-text": incoming.text,
        "Message-Id": f"<{incoming.id}@mail.example.com>",
        "timestamp": str(int(at.timestamp())),
    }
    return Post(url, urlencode(fields).encode(), {"content-type": "application/x-www-form-urlencoded"})


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the timestamp and a token by HMAC-SHA256; all three are in the body. Retries of a webhook share its
    token, which is derived from the content so that fixtures are signed the same each time."""
    stamped = _stamped(post, dict.fromkeys(_SIGNED, ""))
    token = hashlib.sha256(post.url.encode() + stamped).hexdigest()[:50]
    timestamp = str(int(at.timestamp()))
    digest = hmac.new(settings["signing_key"].encode(), (timestamp + token).encode(), hashlib.sha256).hexdigest()
    return replace(post, body=_stamped(post, dict(zip(_SIGNED, (timestamp, token, digest), strict=True))))


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a send request, POST /v3/{domain}/messages. Raises Refused."""
    credentials = base64.b64encode(f"api:{settings['api_key']}".encode()).decode()
    if call.headers.get("authorization") != f"Basic {credentials}":
        raise Refused("unauthorized")
    fields = dict(parse_qsl(call.body.decode()))
    if not re.fullmatch(r"/v3/[^/]+/messages", call.path) or "@" not in fields.get("to", "") or "from" not in fields:
        raise Refused("invalid", "to parameter is not a valid address")
    if not {"text", "html", "template"} & fields.keys():
        raise Refused("invalid", "Need at least one of 'text', 'html', 'amp-html' or 'template' parameters specified")
    return [Sent(id, "email", fields["to"], fields["from"], fields.get("text"), fields.get("v:reference"))]


def reply(sent: list[Sent]) -> Reply:
    """Return 200 with the id, in angle brackets."""
    return Reply(200, orjson.dumps({"id": f"<{_id(sent[0])}>", "message": "Queued. Thank you."}))


def refuse(why: Refusal) -> Reply:
    """Return an error response: JSON, except for 401."""
    code, body = _REFUSALS[why]
    return Reply(code, body.encode())


def _id(sent: Sent) -> str:
    return f"{sent.id}@{DOMAIN}"


def _stamped(post: Post, made: dict[str, str]) -> bytes:
    """Return the body with its signature replaced by the given fields."""
    kind = post.headers.get("content-type", "")
    if kind.startswith("multipart/"):
        body = post.body
        for name, value in made.items():
            body = re.sub(rb'(name="%s"\r\n\r\n)[^\r]*' % name.encode(), rb"\g<1>" + value.encode(), body)
        return body
    if kind.startswith("application/x-www-form"):
        fields = [pair for pair in parse_qsl(post.body.decode(), keep_blank_values=True) if pair[0] not in made]
        return urlencode([*fields, *made.items()]).encode()
    return _SIGNATURE.sub(lambda found: found[1] + orjson.dumps(made), post.body, count=1)


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("email",), statuses=Statuses(states=tuple(_EVENTS), build=status), inbound=inbound, sign=sign
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse),
)
