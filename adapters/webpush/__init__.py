"""Builds pushes to browsers, for the push service that each subscription names. There are no webhooks.

RFC 8030 (the request), RFC 8291 (encryption), RFC 8292 (VAPID, the sender's identity). The recipient is the
PushSubscription as the browser's `JSON.stringify` writes it: `{"endpoint": "https://…", "keys": {"p256dh": "…",
"auth": "…"}}`.
"""

import re
import secrets
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

import orjson
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from adapters.contract import (
    MAX_ID,
    HttpCall,
    Message,
    Outcome,
    Response,
    Send,
    Setting,
    Unsendable,
    Values,
    WrongSetting,
    accepted,
    optional,
    refused,
    required,
)
from adapters.reading.facts import fact_id, text
from adapters.reading.shapes import answer_of
from adapters.signing.jwt_es256 import from_base64url, private_key, to_base64url, token
from adapters.signing.silent import send_only
from adapters.webpush.encryption import MAX_PLAINTEXT, encrypt, point
from schemas.events import Error

#: Seconds that a message without an expiry is kept for a browser that is offline: four weeks, the maximum of push
#: services.
MAX_TTL = 2_419_200
#: Seconds that a VAPID token is used, and that it is valid from its first use (RFC 8292 section 2: 24 hours at most).
_HOUR, _VALID = 3600, 12 * 3600
#: A URL of printable ASCII, as a browser writes it.
_HTTPS = re.compile("https://[!-~]{1,2000}")
#: Maximum characters of a response that are kept as the error's text.
_MAX_WORDS = 500
#: RFC 8030 sections 5 and 7.3, RFC 8292 section 4; 404 and 410 mean that the subscription no longer exists.
_REASONS = {404: "invalid_address", 410: "invalid_address", 413: "content", 429: "rate"}


@dataclass(frozen=True, slots=True)
class Subscription:
    """A browser's subscription: its URL at the push service, and the keys to encrypt with."""

    endpoint: str
    p256dh: bytes
    auth: bytes

    @property
    def origin(self) -> str:
        """Return the scheme, host and port of the push service."""
        return "://".join(urlsplit(self.endpoint)[:2])


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build an encrypted message for one subscription. Raises Unsendable."""
    to = subscription(message.to.value)
    plaintext = _payload(message)
    key = generate_private_key(SECP256R1())
    try:
        body = encrypt(plaintext, to.p256dh, to.auth, salt=secrets.token_bytes(16), private_key=key)
    except ValueError as error:
        raise Unsendable(f"the subscription's keys cannot be used: {error}") from error
    kept = MAX_TTL if message.expires_at is None else int((message.expires_at - now).total_seconds())
    headers = {
        "authorization": _vapid(to.origin, values, now),
        "content-encoding": "aes128gcm",
        "content-type": "application/octet-stream",
        "ttl": str(min(max(0, kept), MAX_TTL)),
        "urgency": optional(values, "urgency", "normal"),
        "topic": fact_id(message.message_id),
    }
    own = optional(values, "api_url", "").rstrip("/")
    return HttpCall("POST", (own or to.origin) + to.endpoint.removeprefix(to.origin), headers, body, foreign=not own)


def read_response(response: Response) -> Outcome:
    """Read 201 with the message's URL in Location; an error has a status, and a text of the push service's choice."""
    if 200 <= response.status < 300:
        place = response.headers.get("location", "")
        return accepted(place if 0 < len(place) <= MAX_ID else None)
    body = answer_of(response)
    words = (
        text(body.get("message")) or text(body.get("reason")) or response.body[:_MAX_WORDS].decode("utf-8", "replace")
    )
    reason = _REASONS.get(response.status, "unknown")
    # The recipient chose the push service, so its errors never concern our account.
    return refused(response, Error(str(response.status), words[:_MAX_WORDS].strip() or None, reason), account=False)


def subscription(value: str) -> Subscription:
    """Return the subscription that the handle's value holds. Raises Unsendable."""
    try:
        written = orjson.loads(value)
        endpoint, keys = written["endpoint"], written["keys"]
        if not isinstance(endpoint, str) or not _HTTPS.fullmatch(endpoint) or not urlsplit(endpoint).hostname:
            raise Unsendable("the subscription's endpoint is not an https URL")
        return Subscription(endpoint, from_base64url(keys["p256dh"]), from_base64url(keys["auth"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Unsendable(
            'the recipient is not the JSON of a PushSubscription: {"endpoint": …, "keys": {"p256dh": …, "auth": …}}'
        ) from error


def _vapid(origin: str, values: Values, now: datetime) -> str:
    """Return the header of RFC 8292 section 3. Its token changes hourly, so it is signed once per push service and
    hour. Raises WrongSetting."""
    text_of_key = required(values, "vapid_private_key")
    expires = int(now.timestamp()) // _HOUR * _HOUR + _VALID
    claims = (("aud", origin), ("exp", expires), ("sub", required(values, "vapid_subject")))
    try:
        signed = token(text_of_key, (("typ", "JWT"),), claims)
        return f"vapid t={signed}, k={to_base64url(point(private_key(text_of_key)))}"
    except ValueError as error:
        raise WrongSetting(f"vapid_private_key: {error}") from error


def _payload(message: Message) -> bytes:
    """Return what the service worker receives, as JSON: `title`, and options of `showNotification` (`body`, `image`,
    `data`). Raises Unsendable."""
    if message.template is not None:
        raise Unsendable("web push has no templates: send subject and text")
    if len(message.media) > 1:
        raise Unsendable("a web push has one image, not several")
    image = message.media[0].url if message.media else None
    given = {"title": message.subject, "body": message.text, "image": image, "data": dict(message.data)}
    payload = {key: value for key, value in given.items() if value}
    if not payload:
        raise Unsendable("a push needs a subject, text or data")
    written = orjson.dumps(payload)
    if len(written) > MAX_PLAINTEXT:
        raise Unsendable(f"a web push has at most {MAX_PLAINTEXT} bytes: send less text or data, or a link")
    return written


ADAPTER = send_only(
    name="webpush",
    title="Web push",
    docs="https://www.rfc-editor.org/rfc/rfc8030",
    settings=(
        Setting(
            "vapid_private_key",
            "The application server's key: 32 bytes as base64url, or PEM (P-256).",
            reads=private_key,
        ),
        Setting("vapid_subject", "The sender's contact for the push service: mailto:… or https://….", secret=False),
        Setting("urgency", "very-low, low, normal or high (RFC 8030 section 5.3); normal by default.", secret=False),
        Setting("api_url", "A scheme and host instead of the endpoint's own; for tests.", secret=False),
    ),
    send=Send(
        channels=frozenset({"push"}),
        build_request=build_request,
        read_response=read_response,
        # The recipient's browser chooses the push service, so its failures do not concern the account.
        calls_recipient=True,
    ),
)
