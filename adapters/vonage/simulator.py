"""Simulates Vonage: the Messages API, and its webhooks with their tokens.

Of the SMS and Voice APIs it only signs webhooks. https://developer.vonage.com/en/api/messages,
…/getting-started/concepts/webhooks#decoding-signed-webhooks, …/getting-started/concepts/signing-messages.
"""

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, quote_plus

import jwt
import orjson
from cryptography.hazmat.primitives.serialization import load_pem_private_key

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

CUSTOMERS = {"chat": "messenger:0123456789012345"}
SENDERS = {"chat": "9876543210987654", "rcs": "ShopAgent"}
API_KEY = "abcd1234"
_STATUSES = {
    "UserMessageSent": "submitted",
    "MessageDelivered": "delivered",
    "MessageRead": "read",
    "MessageFailed": "rejected",
}
_NAMES = {
    "sms": "sms",
    "mms": "sms",
    "whatsapp": "whatsapp",
    "rcs": "rcs",
    "messenger": "chat",
    "viber_service": "chat",
}
_ERRORS = "https://developer.vonage.com/api-errors/messages"
_REFUSALS: dict[Refusal, tuple[int, str, str, str]] = {
    "rate": (429, f"{_ERRORS}#1000", "Throttled", "You have exceeded the submission capacity allowed on this account."),
    "invalid": (422, f"{_ERRORS}#1150", "Invalid params", "The value of one or more parameters is invalid."),
    "unauthorized": (
        401,
        "https://developer.vonage.com/api-errors#unauthorized",
        "Unauthorized",
        "You did not provide correct credentials.",
    ),
    "unavailable": (500, f"{_ERRORS}#1030", "Internal error", "There was an error processing your request."),
}


def status(sent: Sent, state: str, at: datetime, url: str) -> Post:
    """Build a status: …/messages/concepts/messages-status-callbacks."""
    document: dict[str, Any] = {
        "message_uuid": sent.id,
        "to": _bare(sent.to),
        "from": _bare(sent.sender),
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "status": _STATUSES[state],
        "channel": _channel(sent.channel),
    }
    if sent.reference:
        document["client_ref"] = sent.reference
    if state == "MessageFailed":
        document["error"] = {"type": f"{_ERRORS}#1260", "title": "1260", "detail": "Destination unreachable"}
    return _post(sent.callback_url or url, document)


def inbound(incoming: Incoming, at: datetime, url: str) -> Post:
    """Build an inbound message: …/api/messages#inbound-message."""
    document = {
        "message_uuid": incoming.id,
        "to": _bare(incoming.to),
        "from": _bare(incoming.sender),
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "channel": _channel(incoming.channel),
        "message_type": "text",
        "text": incoming.text,
    }
    return _post(url, document)


def sign(post: Post, settings: Settings, at: datetime) -> Post:
    """Sign the SMS API's parameters by `sig`, anything else by a token."""
    secret, address, query = settings["signature_secret"], *post.url.partition("?")[::2]
    if post.method == "GET":
        pairs = parse_qsl(query, keep_blank_values=True)
        if dict(pairs).get("msisdn") is None:
            return _with_token(post, orjson.dumps(dict(pairs)), secret, at)
        return replace(post, url=f"{address}?{_encoded(_signed(pairs, settings, at))}")
    if post.body[:1] != b"{":
        form = parse_qsl(post.body.decode(), keep_blank_values=True)
        return replace(post, body=_encoded(_signed(form, settings, at)).encode())
    document = orjson.loads(post.body)
    if "msisdn" not in document:
        return _with_token(post, post.body, secret, at)
    return replace(post, body=orjson.dumps(dict(_signed(list(document.items()), settings, at))))


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read a send request: …/api/messages#SendMessage. Raises Refused."""
    scheme, _, given = call.headers.get("authorization", "").partition(" ")
    if scheme == "Bearer":
        _check_token(given, settings)
    elif given != base64.b64encode(f"{settings.get('api_key')}:{settings.get('api_secret')}".encode()).decode():
        raise Refused("unauthorized")
    document = orjson.loads(call.body)
    kind, channel = document.get("message_type"), _NAMES.get(document.get("channel"))
    if not call.path.endswith("/v1/messages") or channel is None or not document.get("to") or kind not in document:
        raise Refused("invalid")
    to = f"messenger:{document['to']}" if document["channel"] == "messenger" else f"+{document['to']}"
    words = document.get("text") or (document[kind].get("caption") if isinstance(document[kind], dict) else None)
    return [
        Sent(
            id,
            channel,
            to,
            document["from"],
            words,
            document.get("client_ref"),
            document.get("webhook_url"),
        )
    ]


def reply(sent: list[Sent]) -> Reply:
    """Return 202 with the id."""
    return Reply(202, orjson.dumps({"message_uuid": sent[0].id}))


def refuse(why: Refusal) -> Reply:
    """Return an error response: https://developer.vonage.com/en/api-errors."""
    status, kind, title, detail = _REFUSALS[why]
    return Reply(status, orjson.dumps({"type": kind, "title": title, "detail": detail, "instance": "bf0ca0bf927b3b52"}))


def _post(url: str, document: dict[str, Any]) -> Post:
    return Post(url, orjson.dumps(document), {"content-type": "application/json"})


def _bare(address: str) -> str:
    return address.removeprefix("messenger:").removeprefix("+")


def _channel(channel: str) -> str:
    return "messenger" if channel == "chat" else channel


def _signed(pairs: list[tuple[str, str]], settings: Settings, at: datetime) -> list[tuple[str, str]]:
    secret, method = settings["signature_secret"].encode(), settings.get("signature_method", "md5hash")
    parameters = dict(pairs) | {"timestamp": str(int(at.timestamp())), "nonce": "ec11dd3e-1e7f-4db5-9467-82b02cd223b9"}
    parameters.pop("sig", None)
    message = "".join(
        f"&{name}={parameters[name].replace('&', '_').replace('=', '_')}" for name in sorted(parameters)
    ).encode()
    if method == "md5hash":
        sig = hashlib.md5(message + secret).hexdigest()  # noqa: S324  it is Vonage's
    else:
        sig = hmac.new(secret, message, method).hexdigest().upper()
    return [*parameters.items(), ("sig", sig)]


def _encoded(pairs: list[tuple[str, str]]) -> str:
    return "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)


def _with_token(post: Post, hashed: bytes, secret: str, at: datetime) -> Post:
    claims = {
        "iat": int(at.timestamp()),
        "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5",
        "iss": "Vonage",
        "payload_hash": hashlib.sha256(hashed).hexdigest(),
        "api_key": API_KEY,
        "application_id": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
    }
    token = ".".join([_part({"alg": "HS256", "typ": "JWT"}), _part(claims)])
    signature = base64.urlsafe_b64encode(hmac.new(secret.encode(), token.encode(), "sha256").digest()).decode()
    return replace(post, headers=post.headers | {"Authorization": f"Bearer {token}.{signature.rstrip('=')}"})


def _part(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(orjson.dumps(document)).decode().rstrip("=")


def _check_token(token: str, settings: Settings) -> None:
    """Check a token with the public half of the application's key, which Vonage has. Raises Refused."""
    try:
        public: Any = load_pem_private_key(settings["private_key"].encode(), None).public_key()
        claims = jwt.decode(token, public, algorithms=["RS256"], options={"verify_exp": False, "verify_iat": False})
    except (KeyError, ValueError, jwt.InvalidTokenError) as error:
        raise Refused("unauthorized") from error
    if claims.get("application_id") != settings.get("application_id") or not claims.get("jti"):
        raise Refused("unauthorized")


SIMULATOR = Simulator(
    webhooks=Webhooks(
        channels=("sms", "whatsapp", "rcs", "chat"),
        statuses=Statuses(states=tuple(_STATUSES), build=status, absent={"sms": ("MessageRead",)}),
        inbound=inbound,
        sign=sign,
    ),
    api=Api(accept=accept, reply=reply, refuse=refuse),
    customers=CUSTOMERS,
    senders=SENDERS,
)
