"""Simulates the Apple Push Notification service: one notification to one device, with a token. It posts no webhooks.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns,
…/establishing-a-token-based-connection-to-apns, …/handling-notification-responses-from-apns.
"""

import base64
import re

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_private_key

from adapters.simulating import Api, Call, Refusal, Refused, Reply, Sent, Settings, Simulator

_PATH = re.compile(r"/3/device/([0-9a-fA-F]{64,200})")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_PUSH_TYPES = ("alert", "background", "location", "voip", "complication", "fileprovider", "mdm", "liveactivity")
_REFUSALS: dict[Refusal, tuple[int, dict[str, str | int]]] = {
    "rate": (429, {"reason": "TooManyRequests"}),
    "invalid": (410, {"reason": "Unregistered", "timestamp": 1772440200000}),
    "unauthorized": (403, {"reason": "InvalidProviderToken"}),
    "unavailable": (503, {"reason": "ServiceUnavailable"}),
}


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Accept one notification, whose id is the header `apns-id` or a new UUID. Raises Refused.

    The token's age is not checked, as a simulator has no clock.
    """
    headers = call.headers
    _authenticate(headers.get("authorization", ""), settings)
    path = _PATH.fullmatch(call.path)
    if path is None or call.method != "POST":
        raise Refused("invalid", "BadDeviceToken")
    given = headers.get("apns-id", f"{id[:8]}-{id[8:12]}-{id[12:16]}-{id[16:20]}-{id[20:]}")
    kind, priority = headers.get("apns-push-type"), headers.get("apns-priority", "10")
    payload = orjson.loads(call.body)
    checks = {
        "BadMessageId": _UUID.fullmatch(given),
        "MissingTopic": headers.get("apns-topic"),
        "InvalidPushType": kind in _PUSH_TYPES,
        "BadPriority": priority in ("1", "5", "10") and not (kind == "background" and priority == "10"),
        "BadCollapseId": len(headers.get("apns-collapse-id", "").encode()) <= 64,
        "BadExpirationDate": headers.get("apns-expiration", "0").isdigit(),
        "PayloadEmpty": isinstance(payload, dict) and payload.get("aps"),
        "PayloadTooLarge": len(call.body) <= 4096,
    }
    for reason, right in checks.items():
        if not right:
            raise Refused("invalid", reason)
    alert = payload["aps"].get("alert")
    text = alert.get("body") if isinstance(alert, dict) else alert
    return [Sent(given, "push", path[1], headers["apns-topic"], text)]


def reply(sent: list[Sent]) -> Reply:
    """Return 200 without a body; the id is in a header."""
    return Reply(200, b"", {"apns-id": sent[0].id})


def refuse(why: Refusal) -> Reply:
    """Return an error. …/handling-notification-responses-from-apns"""
    status, body = _REFUSALS[why]
    return Reply(status, orjson.dumps(body), {"content-type": "application/json"})


def _authenticate(authorization: str, settings: Settings) -> None:
    """Check the JSON Web Token (ES256, with `kid`, `iss` and `iat`). Raises Refused."""
    try:
        text = settings["auth_key"].strip()
        der = text.removeprefix("-----BEGIN PRIVATE KEY-----").removesuffix("-----END PRIVATE KEY-----")
        key = load_der_private_key(base64.b64decode("".join(der.split()), validate=True), None)
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        scheme, _, token = authorization.partition(" ")
        claims = jwt.decode(
            token,
            key.public_key(),
            ["ES256"],
            issuer=settings["team_id"],
            options={"require": ["iss", "iat"], "verify_iat": False},
        )
        if scheme.lower() != "bearer" or jwt.get_unverified_header(token).get("kid") != settings["key_id"]:
            raise Refused("unauthorized", "InvalidProviderToken")
    except (ValueError, jwt.PyJWTError) as error:
        raise Refused("unauthorized", "InvalidProviderToken") from error
    if not isinstance(claims["iat"], int):
        raise Refused("unauthorized", "InvalidProviderToken")


SIMULATOR = Simulator(
    api=Api(accept=accept, reply=reply, refuse=refuse),
)
