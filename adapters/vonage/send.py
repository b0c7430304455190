"""Sends by version v1 of Vonage's Messages API: https://developer.vonage.com/en/api/messages.

It authenticates with a token signed by the application's key
(https://developer.vonage.com/en/getting-started/concepts/authentication), or with the account's key and secret in
basic auth. There is no idempotency key; callbacks repeat `client_ref`.
"""

from base64 import b64encode
from collections.abc import Mapping
from datetime import datetime
from typing import Any

import jwt
import orjson

from adapters.contract import (
    HttpCall,
    Media,
    Message,
    Outcome,
    Response,
    Unsendable,
    Values,
    WrongSetting,
    accepted,
    api_of,
    refused,
    required,
    secrets_of,
    sender_of,
)
from adapters.reading.facts import fact_id, text
from adapters.reading.shapes import answer_of, json_answer_of
from adapters.vonage.errors import ACCOUNT, SENDER, messages_error
from schemas.events import Error

API = "https://api.nexmo.com"
#: Seconds that a token is valid; Vonage's libraries use 15 minutes.
_TOKEN_LIFE = 900
_MOST_REFERENCE = 100
#: The kind of message for a media type, by its first half; any other is sent as a file.
_KINDS = {"image": "image", "audio": "audio", "video": "video"}
_CAPTIONED = frozenset({"image", "video", "file", "vcard"})


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a message of text, one medium with its caption, or a WhatsApp template. Raises Unsendable."""
    if len(message.echo) > _MOST_REFERENCE:
        raise Unsendable(f"Vonage takes a reference of at most {_MOST_REFERENCE} characters")
    channel = _channel(message)
    body: dict[str, Any] = {
        "channel": channel,
        "to": message.to.value.removeprefix("messenger:").removeprefix("+"),
        "from": sender_of(message, values).removeprefix("+"),
        "client_ref": message.echo,
        **_content(message, channel),
    }
    if message.callback_url:
        body |= {"webhook_url": message.callback_url, "webhook_version": "v1"}
    if message.expires_at is not None and channel == "sms":
        body["ttl"] = max(1, round((message.expires_at - now).total_seconds()))
    return HttpCall(
        "POST",
        f"{api_of(values, API)}/v1/messages",
        {"authorization": _authorization(message, values, now), "content-type": "application/json"},
        orjson.dumps(body),
    )


def read_response(response: Response) -> Outcome:
    """Read 202 with `message_uuid`; an error has `type`, `title` and `detail`."""
    if 200 <= response.status < 300:
        return accepted(text(answer_of(response).get("message_uuid")))
    error = messages_error(json_answer_of(response))
    if response.status == 429 and error.reason == "unknown":
        error = Error(error.code, error.text, "rate")
    return refused(response, error, account=error.code in ACCOUNT or None, sender=error.code in SENDER)


def _channel(message: Message) -> str:
    if message.channel == "sms":
        return "mms" if message.media else "sms"
    if message.channel == "chat":
        return "viber_service" if message.to.kind == "phone" else "messenger"
    return message.channel


def _content(message: Message, channel: str) -> dict[str, Any]:
    if message.template is not None:
        if channel != "whatsapp":
            raise Unsendable("Vonage has templates for WhatsApp only: give the text")
        template = message.template
        filled: dict[str, Any] = {"name": template.name, "parameters": _by_position(template.variables)}
        settings = {"policy": "deterministic", "locale": template.language or "en"}
        return {"message_type": "template", "template": filled, "whatsapp": settings}
    if len(message.media) > 1:
        raise Unsendable("Vonage sends one medium a message: send each of the others as its own message")
    if message.media:
        return _medium(message.media[0], message.text, channel)
    if not message.text:
        raise Unsendable("Vonage needs text, a medium or a template")
    return {"message_type": "text", "text": message.text}


def _medium(media: Media, caption: str | None, channel: str) -> dict[str, Any]:
    major, _, minor = (media.type or "").partition("/")
    kind = "vcard" if channel == "mms" and "vcard" in minor else _KINDS.get(major, "file")
    resource = {"url": media.url}
    if caption:
        if kind not in _CAPTIONED or channel not in ("whatsapp", "mms", "viber_service"):
            raise Unsendable(f"Vonage has no text beside {kind} by {channel}: send the text as its own message")
        resource["caption"] = caption
    if media.name and kind == "file" and channel in ("whatsapp", "viber_service"):
        resource["name"] = media.name
    return {"message_type": kind, kind: resource}


def _by_position(variables: Mapping[str, str]) -> list[str]:
    if not all([name.isascii() and name.isdigit() for name in variables]):
        raise Unsendable('Vonage fills a template by position: name its variables "1", "2" and so on')
    return [variables[name] for name in sorted(variables, key=int)]


def _authorization(message: Message, values: Values, now: datetime) -> str:
    keys = secrets_of(values, "private_key")
    if not keys:
        return "Basic " + b64encode(f"{required(values, 'api_key')}:{required(values, 'api_secret')}".encode()).decode()
    application, issued = required(values, "application_id"), int(now.timestamp())
    claims = {
        "application_id": application,
        "iat": issued,
        "exp": issued + _TOKEN_LIFE,
        "jti": fact_id("vonage", message.message_id, str(issued)),
    }
    try:
        return "Bearer " + jwt.encode(claims, keys[0].replace("\\n", "\n"), algorithm="RS256")
    except (ValueError, TypeError, jwt.PyJWTError) as error:
        raise WrongSetting("the source's private_key is not an RSA key in PEM") from error
