"""Sends pushes to Android, Apple and web apps by Firebase Cloud Messaging (HTTP v1), which posts no webhooks.

https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages. An access token is valid for an hour and
comes from Google's token endpoint (`token_request`, `read_token`); the sender puts it into the values as `access_token`.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

import jwt
import orjson

from adapters.contract import (
    MAX_ID,
    HttpCall,
    Message,
    Outcome,
    Response,
    Send,
    Setting,
    Token,
    Unsendable,
    Values,
    WrongSetting,
    accepted,
    optional,
    refused,
    required,
    secrets_of,
)
from adapters.reading.facts import count, fact_id, text
from adapters.signing.silent import send_only
from schemas.events import Error


def _readable(text: str) -> object:
    return _account(text)


API = "https://fcm.googleapis.com"
TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105  # a URL, no password
SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
#: A message's longest time-to-live in seconds (four weeks), and a payload's maximum size in bytes:
#: https://firebase.google.com/docs/cloud-messaging/customize-messages/setting-message-lifespan and .../ErrorCode.
MAX_TTL = 2_419_200
MAX_PAYLOAD = 4096
#: The maximum size of an apns-collapse-id in bytes.
MAX_TAG = 64
_TOPIC = "/topics/"
_RESERVED = ("from", "message_type")
_RESERVED_PREFIXES = ("google.", "gcm.notification.")
#: https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode: our reason, and whether a retry may succeed.
_ERRORS: dict[str, tuple[str, bool]] = {
    "UNREGISTERED": ("invalid_address", False),
    "SENDER_ID_MISMATCH": ("invalid_address", False),
    "INVALID_ARGUMENT": ("content", False),
    "QUOTA_EXCEEDED": ("rate", True),
    "UNAVAILABLE": ("unknown", True),
    "INTERNAL": ("unknown", True),
    # FCM's certificate or key for Apple or for the browsers' push services is missing or invalid.
    "THIRD_PARTY_AUTH_ERROR": ("unknown", False),
    # The status of any Google API: https://cloud.google.com/apis/design/errors#error_codes
    "RESOURCE_EXHAUSTED": ("rate", True),
}


def token_request(values: Values, now: datetime) -> HttpCall:
    """Build the request for an access token by a signed assertion (RFC 7523) valid for an hour. Raises Unsendable.

    https://developers.google.com/identity/protocols/oauth2/service-account#httprest
    """
    account = _account(required(values, "service_account"))
    url, issued = account.get("token_uri") or TOKEN_URL, int(now.timestamp())
    claims = {"iss": account.get("client_email"), "scope": SCOPE, "aud": url, "iat": issued, "exp": issued + 3600}
    try:
        assertion = jwt.encode(claims, account["private_key"], "RS256", {"kid": account.get("private_key_id")})
    except (KeyError, ValueError, TypeError, jwt.PyJWTError) as error:
        raise WrongSetting("the service_account has no private_key that can be read") from error
    form = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": assertion}
    return HttpCall("POST", url, {"content-type": "application/x-www-form-urlencoded"}, urlencode(form).encode())


def read_token(response: Response) -> tuple[str, float] | None:
    """Return the access token and the seconds for which it is valid, or None if none was granted."""
    answer = _json(response.body)
    token, seconds = text(answer.get("access_token")), count(answer.get("expires_in"))
    if response.status != 200 or token is None:
        return None
    return token, float(seconds or 0)


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build the request for a message to a device token or a topic (`/topics/news`). Raises Unsendable."""
    project = optional(values, "project_id", "")
    if not project and secrets_of(values, "service_account"):
        project = text(_account(required(values, "service_account")).get("project_id")) or ""
    if not project:
        raise WrongSetting("the source has neither a project_id nor a service_account with one")
    body = orjson.dumps({"message": _target(message) | _content(message) | _options(message, now)})
    return HttpCall(
        "POST",
        f"{optional(values, 'api_url', API)}/v1/projects/{quote(project, safe='')}/messages:send",
        {"authorization": f"Bearer {required(values, 'access_token')}", "content-type": "application/json"},
        body,
    )


def read_response(response: Response) -> Outcome:
    """Read 200 with the message's `name`, or an `error`, one of whose details has FCM's `errorCode`."""
    answer = _json(response.body)
    if 200 <= response.status < 300:
        name = text(answer.get("name"))
        return accepted(name if name and len(name) <= MAX_ID else None)
    given = answer.get("error")
    error = given if isinstance(given, dict) else {}
    listed = error.get("details")
    details = [item for item in listed if isinstance(item, dict)] if isinstance(listed, list) else []
    own = next((code for item in details if (code := text(item.get("errorCode")))), None)
    code, words = own or text(error.get("status")), text(error.get("message"))
    reason, retryable = _ERRORS.get(code or "", ("unknown", None))
    if code == "INVALID_ARGUMENT" and words and "registration token" in words:
        reason = "invalid_address"
    account = code == "THIRD_PARTY_AUTH_ERROR" or None
    return refused(response, Error(code or str(response.status), words, reason), retryable=retryable, account=account)


def _json(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}


@lru_cache(maxsize=64)
def _account(key_file: str) -> Mapping[str, Any]:
    """Parse a service account's key file (JSON). Raises WrongSetting."""
    if account := _json(key_file.encode("utf-8", "replace")):
        return account
    raise WrongSetting("the service_account is not the JSON text of a key file")


def _target(message: Message) -> dict[str, Any]:
    to = message.to.value
    return {"topic": to.removeprefix(_TOPIC)} if to.startswith(_TOPIC) else {"token": to}


def _content(message: Message) -> dict[str, Any]:
    """Return the notification and the data. Raises Unsendable for content that a push cannot carry."""
    if message.template is not None:
        raise Unsendable("FCM keeps no templates: send subject and text")
    if len(message.media) > 1:
        raise Unsendable("a push by FCM has one image, not several")
    image = message.media[0].url if message.media else None
    given = {"title": message.subject, "body": message.text, "image": image}
    notification = {key: value for key, value in given.items() if value}
    data = {
        key: value if isinstance(value, str) else orjson.dumps(value).decode() for key, value in message.data.items()
    }
    for key in data:
        if key in _RESERVED or key.startswith(_RESERVED_PREFIXES):
            raise Unsendable(f"data has the key {key!r}, which FCM keeps for itself: name it otherwise")
    if not notification and not data:
        raise Unsendable("a push needs a subject, text or data")
    parts = [*notification.items(), *data.items()]
    if sum(len(key.encode()) + len(value.encode("utf-8", "replace")) for key, value in parts) > MAX_PAYLOAD:
        raise Unsendable(f"a push by FCM has at most {MAX_PAYLOAD} bytes of text and data: send less, or a link")
    return {name: part for name, part in (("notification", notification), ("data", data)) if part}


def _options(message: Message, now: datetime) -> dict[str, Any]:
    """Return the time-to-live, and a tag by which a repeated message replaces the one on display."""
    own = message.message_id
    tag = own if len(own) <= MAX_TAG and own.isascii() and own.isprintable() else fact_id(own)
    shown = message.subject or message.text or message.media
    android: dict[str, Any] = {"notification": {"tag": tag}} if shown else {}
    apns = {"apns-collapse-id": tag}
    if message.expires_at is None:
        return {"apns": {"headers": apns}} | ({"android": android} if android else {})
    seconds = min(max(0, int((message.expires_at - now).total_seconds())), MAX_TTL)
    return {
        "android": android | {"ttl": f"{seconds}s"},
        "apns": {"headers": apns | {"apns-expiration": str(int(message.expires_at.timestamp()))}},
        "webpush": {"headers": {"TTL": str(seconds)}},
    }


ADAPTER = send_only(
    name="fcm",
    title="Firebase Cloud Messaging",
    docs="https://firebase.google.com/docs/reference/fcm/rest/v1/projects.messages",
    settings=(
        Setting(
            "service_account",
            "The text of the service account's key file (JSON), from the project's settings.",
            reads=_readable,
        ),
        Setting("access_token", "An OAuth 2 access token, instead of the service account; it is valid for an hour."),
        Setting("project_id", "The Firebase project's id; that of the service account by default.", secret=False),
        Setting("api_url", "URL of the API; https://fcm.googleapis.com by default.", secret=False),
    ),
    send=Send(
        channels=frozenset({"push"}),
        build_request=build_request,
        read_response=read_response,
        token=Token(build=token_request, read=read_token),
    ),
)
