"""Sends pushes to Apple devices by the Apple Push Notification service, which posts no webhooks.

https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns (HTTP/2 only).
"""

import re
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import orjson

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
    WrongSender,
    WrongSetting,
    accepted,
    optional,
    refused,
    required,
    sender_of,
)
from adapters.reading.facts import text
from adapters.reading.shapes import answer_of
from adapters.reading.times import from_unix
from adapters.signing.jwt_es256 import private_key, token
from adapters.signing.silent import send_only
from schemas.events import Error

API = "https://api.push.apple.com"
#: A payload's maximum size in bytes: https://developer.apple.com/documentation/usernotifications/generating-a-remote-notification
MAX_PAYLOAD = 4096
#: Seconds for which a token is used. Apple refuses a token older than 60 minutes, and a second one within 20 minutes.
TOKEN_LIFE = 2400
#: https://developer.apple.com/documentation/usernotifications/handling-notification-responses-from-apns
_REASONS = {
    "invalid_address": "BadDeviceToken DeviceTokenNotForTopic ExpiredToken MissingDeviceToken Unregistered",
    "content": "PayloadEmpty PayloadTooLarge",
    "rate": "TooManyProviderTokenUpdates TooManyRequests",
    "expired": "BadExpirationDate",
}
#: Errors of the key, certificate or team; and (`_SENDER`) of the topic, which is the sender's bundle id.
_ACCOUNT = frozenset(
    "BadCertificate BadCertificateEnvironment BadEnvironmentKeyIdInToken Forbidden InvalidProviderToken"
    " MissingProviderToken UnrelatedKeyIdInToken".split()
)
_SENDER = frozenset({"BadTopic", "MissingTopic", "TopicDisallowed"})
_REASON_OF = {word: reason for reason, words in _REASONS.items() for word in words.split()}
_BY_STATUS = {410: "invalid_address", 413: "content", 429: "rate"}
#: A topic: a bundle id, with or without a suffix such as .voip. No character can end the header that holds it.
_BUNDLE_ID = re.compile("[A-Za-z0-9._-]{1,255}")
#: Errors that a retry, with a new token, can overcome whatever their status.
_RETRYABLE = frozenset({"ExpiredProviderToken", "IdleTimeout", "Shutdown", *_REASONS["rate"].split()})


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build the request for one notification to one device. Raises Unsendable."""
    payload, shown = _payload(message)
    own = notification_id(message.message_id)
    headers = {
        "authorization": f"bearer {_token(values, now)}",
        "apns-topic": _topic(sender_of(message, values)),
        "apns-push-type": "alert" if shown else "background",
        "apns-priority": "10" if shown else "5",
        "apns-id": own,
        "apns-collapse-id": own,
        "content-type": "application/json",
    }
    if message.expires_at is not None:
        headers["apns-expiration"] = str(max(0, int(message.expires_at.timestamp())))
    device = quote(message.to.value, safe="")
    return HttpCall("POST", f"{optional(values, 'api_url', API)}/3/device/{device}", headers, payload, http2=True)


def read_response(response: Response) -> Outcome:
    """Read 200 with the header `apns-id`, or `reason` and `timestamp` (when the device token became invalid)."""
    if 200 <= response.status < 300:
        given = response.headers.get("apns-id", "")
        return accepted(given if 0 < len(given) <= MAX_ID else None)
    answer = answer_of(response)
    word, invalid_at = text(answer.get("reason")), answer.get("timestamp")
    reason = _REASON_OF.get(word or "") or _BY_STATUS.get(response.status, "unknown")
    since = from_unix(invalid_at / 1000) if type(invalid_at) is int and abs(invalid_at) < 1 << 53 else None
    words = f"not valid since {since:%Y-%m-%dT%H:%M:%SZ}" if since else None
    retryable = True if word in _RETRYABLE else None
    error = Error(word or str(response.status), words, reason)
    return refused(response, error, retryable=retryable, account=word in _ACCOUNT or None, sender=word in _SENDER)


def notification_id(message_id: str) -> str:
    """Return the message's UUID at Apple (RFC 9562, version 8), derived from our id so that a retry has the same."""
    digits = sha256(message_id.encode("utf-8", "replace")).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


def _topic(bundle_id: str) -> str:
    """Return the topic. Raises WrongSender if it is no bundle id: it comes with the message and goes into a header."""
    if not _BUNDLE_ID.fullmatch(bundle_id):
        raise WrongSender("the sender is not a bundle id such as com.example.shop")
    return bundle_id


def _token(values: Values, now: datetime) -> str:
    """Return a signed token, the same one for `TOKEN_LIFE` seconds. Raises Unsendable.

    https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns
    """
    issued = int(now.timestamp()) // TOKEN_LIFE * TOKEN_LIFE
    key, header = required(values, "auth_key"), (("kid", required(values, "key_id")),)
    try:
        return token(key, header, (("iss", required(values, "team_id")), ("iat", issued)))
    except ValueError as error:
        raise WrongSetting(f"auth_key: {error}; it is the text of the .p8 file") from error


def _payload(message: Message) -> tuple[bytes, bool]:
    """Return the payload, and whether the user sees or hears it. Keys of `data.aps` override those made of the subject
    and text. Raises Unsendable."""
    if message.template is not None:
        raise Unsendable("APNs keeps no templates: send subject and text")
    if message.media:
        raise Unsendable(
            "APNs carries no media: put the address into data, for the app's notification service extension"
        )
    given = {"title": message.subject, "body": message.text}
    aps: dict[str, Any] = {}
    if alert := {key: value for key, value in given.items() if value}:
        aps = {"alert": alert, "sound": "default"}
    data = dict(message.data)
    if isinstance(own := data.pop("aps", {}), dict):
        aps |= own
    aps = {key: value for key, value in aps.items() if value is not None}
    shown = not aps.keys().isdisjoint(("alert", "badge", "sound"))
    if not shown:
        if not data:
            raise Unsendable("a push needs a subject, text or data")
        aps.setdefault("content-available", 1)
    payload = orjson.dumps({"aps": aps, **data})
    if len(payload) > MAX_PAYLOAD:
        raise Unsendable(f"a push by APNs has at most {MAX_PAYLOAD} bytes: send less text or data, or a link")
    return payload, shown


ADAPTER = send_only(
    name="apns",
    title="Apple Push Notification service",
    docs="https://developer.apple.com/documentation/usernotifications/sending-notification-requests-to-apns",
    settings=(
        Setting("auth_key", "The text of the signing key that Apple gives, AuthKey_….p8 (PEM).", reads=private_key),
        Setting("key_id", "The key's id, ten characters.", secret=False),
        Setting("team_id", "The developer account's team id, ten characters.", secret=False),
        Setting("sender", "The topic: the app's bundle id, e.g. com.example.shop.", secret=False),
        Setting(
            "api_url",
            "https://api.push.apple.com by default; for development https://api.sandbox.push.apple.com.",
            False,
        ),
    ),
    send=Send(
        channels=frozenset({"push"}),
        build_request=build_request,
        read_response=read_response,
    ),
)
