"""Simulates Firebase Cloud Messaging: the token endpoint and `messages:send` of HTTP v1. It posts no webhooks.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages/send,
https://developers.google.com/identity/protocols/oauth2/service-account#httprest.
"""

import re
from hashlib import sha256
from urllib.parse import parse_qs

import jwt
import orjson
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from adapters.simulating import Api, Call, Refusal, Refused, Reply, Sent, Settings, Simulator

CUSTOMERS = {"push": "cV3xLq0TQkq1:APA91bFictionalRegistrationToken_0123456789-abcdefghijklmnopqrstuvwxyz"}
PROJECT = "example-shop"
_PATH = re.compile(r"/v1/projects/([a-z0-9-]+)/messages:send")
_REFUSALS: dict[Refusal, tuple[int, str, str, str]] = {
    "rate": (429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED", "Quota exceeded for quota metric 'Send requests'."),
    "invalid": (404, "NOT_FOUND", "UNREGISTERED", "Requested entity was not found."),
    "unauthorized": (401, "UNAUTHENTICATED", "", "Request had invalid authentication credentials."),
    "unavailable": (503, "UNAVAILABLE", "UNAVAILABLE", "The service is currently unavailable."),
}


def grant(call: Call, settings: Settings) -> Reply | None:
    """Grant a token for an assertion signed by the service account. Return None for other calls."""
    if not call.path.endswith("/token"):
        return None
    form = parse_qs(call.body.decode())
    account = orjson.loads(settings["service_account"])
    key = load_pem_private_key(account["private_key"].encode(), None)
    try:
        claims = jwt.decode(
            form["assertion"][0],
            key.public_key(),  # type: ignore[arg-type]  # an RSA key, as Google's are
            ["RS256"],
            audience=account["token_uri"],
            options={"verify_exp": False, "verify_iat": False, "require": ["iss", "aud", "iat", "exp"]},
        )
    except (KeyError, jwt.PyJWTError):
        return Reply(400, b'{"error":"invalid_grant","error_description":"Invalid JWT Signature."}')
    wrong_scope = claims.get("scope") != "https://www.googleapis.com/auth/firebase.messaging"
    if claims["iss"] != account["client_email"] or claims["exp"] - claims["iat"] > 3600 or wrong_scope:
        return Reply(400, b'{"error":"invalid_grant","error_description":"Invalid JWT."}')
    return Reply(200, orjson.dumps({"access_token": _token(settings), "expires_in": 3599, "token_type": "Bearer"}))


def _token(settings: Settings) -> str:
    """Return the setting `access_token`, or one derived from the account."""
    return settings.get("access_token") or "ya29." + sha256(settings["service_account"].encode()).hexdigest()


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Accept one message to a token, topic or condition. Raises Refused. …/projects.messages/send"""
    if call.headers.get("authorization") != f"Bearer {_token(settings)}":
        raise Refused("unauthorized")
    path = _PATH.fullmatch(call.path)
    message = orjson.loads(call.body).get("message")
    if path is None or call.method != "POST" or not isinstance(message, dict):
        raise Refused("invalid", "no message")
    targets = [name for name in ("token", "topic", "condition") if message.get(name)]
    if len(targets) != 1:
        raise Refused("invalid", "Exactly one of token, topic or condition is required")
    if not all(isinstance(value, str) for value in message.get("data", {}).values()):
        raise Refused("invalid", "Invalid value at 'message.data[0].value' (TYPE_STRING)")
    ttl = message.get("android", {}).get("ttl")
    if ttl is not None and not re.fullmatch(r"[0-9]+(\.[0-9]{1,9})?s", ttl):
        raise Refused("invalid", "Invalid value at 'message.android.ttl'")
    text = message.get("notification", {}).get("body")
    return [Sent(f"projects/{path[1]}/messages/0:{id}", "push", message[targets[0]], path[1], text)]


def reply(sent: list[Sent]) -> Reply:
    """Return 200 with the message's name only."""
    return Reply(200, orjson.dumps({"name": sent[0].id}))


def refuse(why: Refusal) -> Reply:
    """Return an error. https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode"""
    status, name, code, text = _REFUSALS[why]
    details = [{"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}] if code else []
    answer = Reply(
        status, orjson.dumps({"error": {"code": status, "message": text, "status": name, "details": details}})
    )
    if why == "rate":
        answer.headers["retry-after"] = "60"
    return answer


SIMULATOR = Simulator(
    api=Api(accept=accept, reply=reply, refuse=refuse, grant=grant),
    customers=CUSTOMERS,
)
