"""Simulates Postal: its webhooks, mail for an HTTP endpoint, and its API for sending.

https://docs.postalserver.io/developer/webhooks, https://docs.postalserver.io/developer/http-payloads,
https://docs.postalserver.io/developer/api.
"""

import base64
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, uuid5

import orjson
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
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
    "MessageDelivered": ("MessageSent", "Sent", "250 2.0.0 OK"),
    "MessageDelayed": ("MessageDelayed", "SoftFail", "451 4.7.1 try again later"),
    "MessageOpened": ("MessageLoaded", "", ""),
    "MessageClicked": ("MessageLinkClicked", "", ""),
    "MessageFailed": ("MessageDeliveryFailed", "HardFail", "550 5.1.1 no such user"),
    "MessageBounced": ("MessageBounced", "", ""),
}
_JSON = {"content-type": "application/json", "user-agent": "Postal/3.3.7"}
_ERRORS = {
    "invalid": ("NoRecipients", "There are no recipients defined to receive this message"),
    "unauthorized": ("InvalidServerAPIKey", "The API token provided in X-Server-API-Key was not valid."),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a webhook: …/developer/webhooks."""
    word, status_, output = _EVENTS[state]
    message: dict[str, Any] = {
        "id": int(sent.id) if sent.id.isdigit() else sent.id,
        "token": "abcdef123",
        "direction": "outgoing",
        "message_id": f"{sent.id}@rp.postal.example.com",
        "to": sent.to,
        "from": sent.sender,
        "subject": "Hello",
        "timestamp": at.timestamp(),
        "spam_status": "NotChecked",
        "tag": sent.reference,
    }
    data: dict[str, Any] = {"message": message}
    if status_:
        data |= {"status": status_, "details": "…", "output": output, "time": 0.2, "timestamp": at.timestamp()}
    if state == "MessageBounced":
        report = message | {"direction": "incoming", "subject": "Delivery Error", "tag": None}
        data = {"original_message": message, "bounce": report}
    if state in ("MessageOpened", "MessageClicked"):
        data |= {"ip_address": "203.0.113.8", "user_agent": "Mozilla/5.0"}
    if state == "MessageClicked":
        data |= {"url": "https://example.com/", "token": "VJzsFA0S"}
    uuid = str(uuid5(NAMESPACE_URL, f"{sent.id}{state}"))
    body = {"event": word, "timestamp": at.timestamp(), "payload": data, "uuid": uuid}
    return Post(url, orjson.dumps(body), dict(_JSON))


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build a processed mail as JSON: …/developer/http-payloads."""
    body = {
        "id": incoming.id,
        "rcpt_to": incoming.to,
        "mail_from": incoming.sender,
        "token": "rtmuzogUauKN",
        "subject": "Hello",
        "message_id": f"{incoming.id}@mail.example.com",
        "timestamp": at.timestamp(),
        "bounce": False,
        "to": incoming.to,
        "from": incoming.sender,
        "plain_body": incoming.text,
        "attachments": [],
    }
    return Post(url, orjson.dumps(body), dict(_JSON))


def keys() -> dict[str, str]:
    """Make a new key pair."""
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {"private_key": private, "public_key": base64.b64encode(public).decode()}


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the body by RSA with both digests; an older server (Postal/2) has the SHA-1 header alone."""
    key = load_pem_private_key(settings["private_key"].encode(), None)
    assert isinstance(key, rsa.RSAPrivateKey)
    made = {
        "X-Postal-Signature": key.sign(post.body, padding.PKCS1v15(), hashes.SHA1()),  # noqa: S303
        "X-Postal-Signature-256": key.sign(post.body, padding.PKCS1v15(), hashes.SHA256()),
    }
    if post.headers.get("user-agent", "").startswith("Postal/2."):
        del made["X-Postal-Signature-256"]
    headers = {name: base64.b64encode(signature).decode() for name, signature in made.items()}
    return replace(post, headers=post.headers | headers)


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a send request: …/developer/api#sending-a-message. Raises Refused."""
    if call.headers.get("x-server-api-key") != settings["api_key"]:
        raise Refused("unauthorized")
    mail = orjson.loads(call.body)
    if call.path != "/api/v1/send/message" or not mail.get("to") or not mail.get("from"):
        raise Refused("invalid", "There are no recipients defined to receive this message")
    if not (mail.get("plain_body") or mail.get("html_body")):
        raise Refused("invalid", "There is no content defined for this e-mail")
    number = str(int(id[:8], 16))
    return [Sent(number, "email", mail["to"][0], mail["from"], mail.get("plain_body"), mail.get("tag"))]


def reply(sent: list[Sent]) -> Reply:
    """Return 200 and `success`."""
    messages = {one.to: {"id": int(one.id), "token": "a4udnay1"} for one in sent}
    data = {"message_id": f"{sent[0].id}@rp.postal.example.com", "messages": messages}
    return Reply(200, orjson.dumps({"status": "success", "time": 0.02, "flags": {}, "data": data}))


def refuse(why: Refusal) -> Reply:
    """Return an error with status 200; a rate limit (of a proxy) and an outage have their own HTTP status."""
    if why in _ERRORS:
        code, words = _ERRORS[why]
        body = {"status": "error", "time": 0.0, "flags": {}, "data": {"code": code, "message": words}}
        return Reply(200, orjson.dumps(body))
    return Reply(429 if why == "rate" else 503, b"", {"content-type": "text/html", "retry-after": "1"})


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("email",),
        statuses=Statuses(states=tuple(_EVENTS), build=status),
        inbound=inbound,
        sign=sign,
        keys=keys,
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse),
)
