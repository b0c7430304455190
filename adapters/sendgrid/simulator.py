"""Simulates SendGrid: Mail Send, the signed event webhook and inbound parse.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send, …/for-developers/tracking-events/event,
…/for-developers/parsing-email/setting-up-the-inbound-parse-webhook
"""

import base64
from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime, parseaddr
from typing import Any

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

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

_EVENTS = {
    "MessageQueued": "processed",
    "MessageDelivered": "delivered",
    "MessageOpened": "open",
    "MessageBounced": "bounce",
    "MessageDelayed": "deferred",
}
_REFUSALS: dict[Refusal, tuple[int, str, str | None]] = {
    "rate": (429, "too many requests", None),
    "invalid": (400, "Does not contain a valid address.", "personalizations.0.to.0.email"),
    "unauthorized": (401, "The provided authorization grant is invalid, expired, or revoked", None),
    "unavailable": (503, "Service unavailable", None),
}
_BOUNDARY = "xYzZY"


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a list of one event; `sg_event_id` is the same for the same event."""
    item = {
        "email": sent.to,
        "timestamp": int(at.timestamp()),
        "event": _EVENTS[state],
        "sg_event_id": base64.urlsafe_b64encode(f"{sent.id}{state}".encode()[-33:]).decode().rstrip("="),
        "sg_message_id": f"{sent.id}.recvd-5c8d4b7f-kq2xv-1-65A9F4D1-A.0",
        **sent.extra.get("custom_args", {}),
    }
    if sent.reference:
        item["reference"] = sent.reference
    if state == "MessageBounced":
        item |= {"type": "bounce", "status": "5.1.1", "reason": "550 5.1.1 no such user"}
    headers = {"content-type": "application/json;charset=utf-8", "user-agent": "SendGrid Event API"}
    return Post(url, orjson.dumps([item]), headers)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build an inbound parse of a mail of text only: …/parsing-email/setting-up-the-inbound-parse-webhook."""
    when = format_datetime(at)
    fields = {
        "headers": f"Received: by mx0047p1mdw1.sendgrid.net with SMTP id 6WCVv7KAWn {when} (UTC)\n"
        f"Message-ID: <{incoming.id}@mail.example.com>\nSubject: Question\nFrom: {incoming.sender}\nTo: {incoming.to}\n",
        "to": incoming.to,
        "from": incoming.sender,
        "subject": "Question",
        "text": incoming.text,
        "envelope": orjson.dumps({"to": [incoming.to], "from": incoming.sender}).decode(),
        "SPF": "pass",
        "charsets": '{"to":"UTF-8","from":"UTF-8","subject":"UTF-8","text":"UTF-8"}',
    }
    head = f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="'
    body = "".join([f'{head}{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()]) + f"--{_BOUNDARY}--\r\n"
    kind = f"multipart/form-data; boundary={_BOUNDARY}"
    return Post(url, body.encode(), {"content-type": kind, "user-agent": "Sendlib/1.0 server.sendgrid.net"})


def keys() -> dict[str, str]:
    """Make a new key pair."""
    key = ec.generate_private_key(ec.SECP256R1())
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {"private_key": private, "public_key": base64.b64encode(public).decode()}


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the timestamp and the body by ECDSA with SHA-256."""
    key = load_pem_private_key(settings["private_key"].encode(), None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    timestamp = str(int(at.timestamp()))
    signature = key.sign(timestamp.encode() + post.body, ec.ECDSA(hashes.SHA256()))
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": base64.b64encode(signature).decode(),
        "X-Twilio-Email-Event-Webhook-Timestamp": timestamp,
    }
    return replace(post, headers=post.headers | headers)


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a send request: …/mail-send. Each recipient of each personalization is a message; all share one
    X-Message-Id. Raises Refused."""
    if call.headers.get("authorization") != f"Bearer {settings['api_key']}":
        raise Refused("unauthorized")
    body = orjson.loads(call.body)
    if call.path != "/v3/mail/send" or "@" not in body.get("from", {}).get("email", ""):
        raise Refused("invalid", "The from object must be provided for every email send.")
    content: dict[str, str] = {part["type"]: part["value"] for part in body.get("content", ())}
    if not body.get("template_id") and (not content or not body.get("subject")):
        raise Refused("invalid", "Unless a valid template_id is provided, the content parameter is required.")
    if list(content) != sorted(content, reverse=True):
        raise Refused("invalid", "text/plain must come first, then text/html")
    one = base64.urlsafe_b64encode(bytes.fromhex(id)).decode().rstrip("=")
    sent = []
    for whom in body.get("personalizations", ()):
        arguments: dict[str, Any] = {**body.get("custom_args", {}), **whom.get("custom_args", {})}
        for to in whom["to"]:
            address, text = parseaddr(to["email"])[1], content.get("text/plain")
            reference = arguments.get("reference")
            extra = {"custom_args": arguments}
            sent.append(Sent(one, "email", address, body["from"]["email"], text, reference, None, extra))
    if not sent:
        raise Refused("invalid", "The personalizations field is required and must have at least one personalization.")
    return sent


def reply(sent: list[Sent]) -> Reply:
    """Return 202 without a body, with the id in a header."""
    return Reply(202, b"", {"x-message-id": sent[0].id})


def erase(call: Call, settings: Settings) -> Reply | None:
    """Take the addresses of recipients to be erased: …/recipients-data-erasure. Raises Refused."""
    if call.path != "/v3/recipients/erasejob":
        return None
    if call.headers.get("authorization") != f"Bearer {settings['api_key']}":
        raise Refused("unauthorized")
    addresses = orjson.loads(call.body).get("email_addresses", ())
    if call.method != "POST" or not 1 <= len(addresses) <= 5000 or len(call.body) > 256 << 10:
        raise Refused("invalid", "email_addresses has 1 to 5,000 addresses.")
    if any("@" not in address for address in addresses):
        raise Refused("invalid", "Does not contain a valid address.")
    return Reply(202, orjson.dumps({"job_id": "f3a1c2"}))


def refuse(why: Refusal) -> Reply:
    """Return an error response: …/how-to-use-the-sendgrid-v3-api/errors."""
    status, text, field = _REFUSALS[why]
    return Reply(status, orjson.dumps({"errors": [{"message": text, "field": field, "help": None}]}))


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("email",),
        statuses=Statuses(states=tuple(_EVENTS), build=status),
        inbound=inbound,
        sign=sign,
        keys=keys,
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse, erase=erase),
)
