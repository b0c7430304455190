"""Simulates a browser's push service: it accepts encrypted messages with a valid VAPID token, and posts no webhooks.

RFC 8030 sections 5 and 5.2 to 5.4, RFC 8188 section 2.1, RFC 8292 sections 2 and 4.2.
"""

import base64
import re

import jwt
import orjson
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from adapters.simulating import Api, Call, Refusal, Refused, Reply, Sent, Settings, Simulator

ORIGIN = "https://push.example.com"
_PATH = "/wpush/v2/gAAAAABnfictionalSubscription0123456789"
#: The subscription of the example in RFC 8291, appendix A, as a browser writes it.
CUSTOMERS = {
    "push": f'{{"endpoint":"{ORIGIN}{_PATH}","keys":{{"p256dh":"BCVxsr7N_eNgVRqvHtD0zTZsEc6-VV-JvLexhqUzORcxaOzi6-AYWXvTBHm4'
    'bjyPjs7Vd8pZGH6SRpkNtoIAiw4","auth":"BTBZMqHH6r4Tts7J_aSIgg"}}'
}
_VAPID = re.compile(r"vapid t=([\w.-]+), ?k=([\w-]+)")
_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")
_REFUSALS: dict[Refusal, tuple[int, int, str]] = {
    "rate": (429, 201, "Too many requests"),
    "invalid": (410, 106, "Request did not validate: subscription has expired"),
    "unauthorized": (401, 109, "Request did not validate: invalid token"),
    "unavailable": (503, 201, "Service unavailable"),
}


def accept(call: Call, settings: Settings, id: str) -> list[Sent]:
    """Read one message, which only the browser can decrypt. Raises Refused."""
    match = _VAPID.fullmatch(call.headers.get("authorization", ""))
    if match is None:
        raise Refused("unauthorized", "no VAPID token")
    raw = _decode(settings["vapid_private_key"])
    if len(raw) != 32:
        raise Refused("unauthorized", "the application server has another key")
    key = ec.derive_private_key(int.from_bytes(raw, "big"), ec.SECP256R1()).public_key()
    own = key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    try:
        options = {"require": ["aud", "exp"], "verify_exp": False}
        claims = jwt.decode(match[1], key, ["ES256"], audience=ORIGIN, options=options)  # type: ignore[arg-type]
    except jwt.PyJWTError as error:
        raise Refused("unauthorized", str(error)) from error
    if _decode(match[2]) != own or not re.match("mailto:|https:", str(claims.get("sub"))):
        raise Refused("unauthorized", "the subscription is restricted to another key")
    headers, body = call.headers, call.body
    if call.method != "POST" or not headers.get("ttl", "").isdigit() or headers.get("content-encoding") != "aes128gcm":
        raise Refused("invalid", "no TTL, or not encrypted")
    if not _TOPIC.fullmatch(headers.get("topic", "x")) or len(body) > 4096:
        raise Refused("invalid", "Topic or size")
    if len(body) < 86 + 18 or int.from_bytes(body[16:20], "big") < 18 or body[20] != 65 or body[21] != 4:
        raise Refused("invalid", "no header of aes128gcm")
    to = CUSTOMERS["push"] if call.path == _PATH else orjson.dumps({"endpoint": ORIGIN + call.path}).decode()
    return [Sent(f"{ORIGIN}/m/{id}", "push", to, str(claims["sub"]))]


def reply(sent: list[Sent]) -> Reply:
    """Return 201 with the message's own URL."""
    return Reply(201, b"", {"location": sent[0].id, "ttl": "2419200"})


def refuse(why: Refusal) -> Reply:
    """Return an error response (RFC 8030 sections 7.3 and 8.4); the body is that of Mozilla's push service."""
    status, errno, text = _REFUSALS[why]
    answer = Reply(status, orjson.dumps({"code": status, "errno": errno, "error": text, "message": text}))
    if why == "rate":
        answer.headers["retry-after"] = "30"
    return answer


def _decode(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


SIMULATOR = Simulator(
    api=Api(accept=accept, reply=reply, refuse=refuse),
    customers=CUSTOMERS,
)
