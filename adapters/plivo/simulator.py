"""Simulates Plivo: the Message resource, its status callbacks and inbound messages, signed by V2 and V3.

https://www.plivo.com/docs/messaging/concepts/signature-validation, …/voice/concepts/signature-validation
"""

import base64
import hashlib
import hmac
import secrets
from dataclasses import replace
from datetime import datetime
from urllib.parse import parse_qsl, urlencode, urlsplit
from uuid import UUID

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

_STATUSES = {
    "MessageQueued": "queued",
    "UserMessageSent": "sent",
    "MessageDelivered": "delivered",
    "MessageRead": "read",
    "MessageFailed": "undelivered",
    "MessageRejected": "rejected",
}
_FORM = {"content-type": "application/x-www-form-urlencoded"}
_REFUSALS: dict[Refusal, tuple[int, str]] = {
    "rate": (429, "Rate limit exceeded"),
    "invalid": (400, "dst parameter is invalid"),
    "unauthorized": (401, "authentication failed"),
    "unavailable": (503, "service unavailable"),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a status callback, which has no time: …/message-status-callbacks."""
    fields = {
        "From": sent.sender,
        "To": sent.to,
        "Status": _STATUSES[state],
        "MessageUUID": sent.id,
        "ParentMessageUUID": sent.id,
        "PartInfo": "1 of 1",
        "Type": sent.channel,
        "Units": "1",
        "TotalAmount": "0.00350",
    }
    if state in ("MessageFailed", "MessageRejected"):
        fields["ErrorCode"] = "80" if state == "MessageFailed" else "200"
    return Post(sent.callback_url or url, urlencode(fields).encode(), dict(_FORM))


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build an inbound message: …/receive-messages."""
    text = "Text" if incoming.channel == "sms" else "Body"
    fields = {
        "From": incoming.sender,
        "To": incoming.to,
        "Type": incoming.channel,
        text: incoming.text,
        "MessageUUID": incoming.id,
    }
    return Post(url, urlencode(fields).encode(), dict(_FORM))


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign V3 over URL, parameters and nonce, and V2 over the bare URL and nonce."""
    nonce, key = f"{secrets.randbelow(10**20):020d}", settings["auth_token"].encode()
    parts = urlsplit(post.url)
    bare = f"{parts.scheme}://{parts.netloc}{parts.path}"
    query = "&".join(f"{name}={value}" for name, value in sorted(parse_qsl(parts.query, keep_blank_values=True)))
    form = "".join(name + value for name, value in sorted(parse_qsl(post.body.decode(), keep_blank_values=True)))
    if form:
        base = f"{bare}?{query}{'.' if query else ''}{form}"
    else:
        base = f"{bare}?{query}" if query else bare
    signatures = {"V3": f"{base}.{nonce}", "V2": f"{bare}{nonce}"}
    headers = dict(post.headers)
    for version, message in signatures.items():
        digest = hmac.new(key, message.encode(), hashlib.sha256).digest()
        headers[f"X-Plivo-Signature-{version}"] = base64.b64encode(digest).decode()
        headers[f"X-Plivo-Signature-{version}-Nonce"] = nonce
    return replace(post, headers=headers)


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a send request: …/send-a-message. Raises Refused."""
    basic = base64.b64encode(f"{settings['auth_id']}:{settings['auth_token']}".encode()).decode()
    if call.headers.get("authorization") != f"Basic {basic}":
        raise Refused("unauthorized")
    request = orjson.loads(call.body)
    content = request.get("text") or request.get("media_urls") or request.get("template")
    if not call.path.endswith("/Message/") or not request.get("dst") or not content:
        raise Refused("invalid")
    channel = "whatsapp" if request.get("type") == "whatsapp" else "sms"
    return [
        Sent(
            str(UUID(id)),
            channel,
            request["dst"],
            request.get("src", ""),
            request.get("text"),
            None,
            request.get("url"),
        )
    ]


def reply(sent: list[Sent]) -> Reply:
    """Return 202 with the ids."""
    document = {"api_id": sent[0].id, "message": "message(s) queued", "message_uuid": [one.id for one in sent]}
    return Reply(202, orjson.dumps(document))


def refuse(why: Refusal) -> Reply:
    """Return an error response."""
    status, text = _REFUSALS[why]
    answer = Reply(status, orjson.dumps({"api_id": "0", "error": text}))
    if why == "rate":
        answer.headers["retry-after"] = "1"
    return answer


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms", "whatsapp"),
        statuses=Statuses(states=tuple(_STATUSES), build=status, absent={"sms": ("MessageRead",)}),
        inbound=inbound,
        sign=sign,
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse),
)
