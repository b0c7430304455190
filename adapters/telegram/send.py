"""Sends text, one file or an album by Telegram, to a user who has started a chat with the bot.

https://core.telegram.org/bots/api#sendmessage and the methods after it; errors:
https://core.telegram.org/bots/api#making-requests. The bot's token is part of the URL, so an error must never
contain the URL. Telegram has no idempotency key, and repeats nothing of a request.
"""

from datetime import datetime
from typing import Any

import orjson

from adapters.contract import (
    HttpCall,
    Media,
    Message,
    Outcome,
    Response,
    Unsendable,
    Values,
    accepted,
    optional,
    refused,
    required,
)
from adapters.reading.facts import text
from adapters.reading.shapes import answer_of
from adapters.telegram.ids import message_id_of
from schemas.events import Error

API = "https://api.telegram.org"

#: Maximum characters of a message, and of a file's caption (…#sendmessage, …#sendphoto).
LONGEST, LONGEST_CAPTION = 4096, 1024
#: Maximum files of an album (…#sendmediagroup).
MOST = 10
#: The method and the field of the file's URL, by the main part of the media type.
_METHODS = {"image": ("sendPhoto", "photo"), "video": ("sendVideo", "video"), "audio": ("sendAudio", "audio")}
_DOCUMENT = ("sendDocument", "document")
_ANIMATION = ("sendAnimation", "animation")
#: Parts of `description`, in lower case. Telegram documents none and may change them: these are from its own server
#: (https://github.com/tdlib/telegram-bot-api/blob/master/telegram-bot-api/Client.cpp) and
#: https://github.com/TelegramBotAPI/errors.
_REASONS = {
    "blocked by the user": "opted_out",
    "user is deactivated": "invalid_address",
    "chat not found": "invalid_address",
    "user not found": "invalid_address",
    "peer_id_invalid": "invalid_address",
    "upgraded to a supergroup": "invalid_address",
    "to bots": "invalid_address",
    "can't initiate conversation": "blocked",
    "was kicked": "blocked",
    "not a member": "blocked",
    "not enough rights": "blocked",
    "have no rights": "blocked",
    "chat_write_forbidden": "blocked",
    "group chat was deactivated": "unreachable",
    "too many requests": "rate",
    "is too long": "content",
    "is empty": "content",
    "can't parse": "content",
    "wrong file": "content",
    "wrong type of the web page content": "content",
    "failed to get http url content": "content",
}


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a POST of JSON to the method for the content. Raises Unsendable."""
    if message.template is not None:
        raise Unsendable("Telegram has no templates: send the text itself")
    platform, _, chat = message.to.value.partition(":")
    if platform != "telegram" or not chat:
        raise Unsendable(
            "Telegram needs the chat's id, as chat_id telegram:12345678: the user must write to the bot first"
        )
    words, parse = (message.text, None) if message.text else (message.html, "HTML")
    limit = LONGEST_CAPTION if message.media else LONGEST
    if message.text and len(message.text) > limit:
        raise Unsendable(f"Telegram takes at most {limit} characters here: send it in several messages")
    fields: dict[str, Any] = {"chat_id": chat}
    formatting = {"parse_mode": parse} if words and parse else {}
    if not message.media:
        if not words:
            raise Unsendable("Telegram needs text or media")
        method = "sendMessage"
        fields |= {"text": words, **formatting}
    elif len(message.media) == 1:
        method, name = _method(message.media[0])
        fields |= {name: message.media[0].url, **({"caption": words} if words else {}), **formatting}
    else:
        method = "sendMediaGroup"
        fields["media"] = _album(message.media)
        fields["media"][0] |= {**({"caption": words} if words else {}), **formatting}
    token = required(values, "bot_token")
    return HttpCall(
        "POST",
        f"{optional(values, 'api_url', API).rstrip('/')}/bot{token}/{method}",
        {"content-type": "application/json"},
        orjson.dumps(fields),
    )


def read_response(response: Response) -> Outcome:
    """Read `ok` with the message as `result` (several for an album), or `error_code`, `description` and
    `parameters`."""
    body = answer_of(response)
    if 200 <= response.status < 300 and body.get("ok") is not False:
        result = body.get("result")
        first = result[0] if isinstance(result, list) and result else result
        return accepted(message_id_of(first) if isinstance(first, dict) else None)
    code, words = text(body.get("error_code")), text(body.get("description"))
    lowered = (words or "").lower()
    reason = next((reason for mark, reason in _REASONS.items() if mark in lowered), "unknown")
    if reason == "unknown" and response.status == 429:
        reason = "rate"
    # A wrong token is "Not Found", as it is part of the path. 403 concerns recipients, in words that may change.
    account = response.status == 401 or (response.status == 404 and lowered == "not found")
    retryable = False if response.status < 400 else None
    outcome = refused(response, Error(code, words, reason), retryable=retryable, account=account)
    parameters = body.get("parameters")
    wait = parameters.get("retry_after") if isinstance(parameters, dict) else None
    if outcome.state == "retryable" and type(wait) is int and 0 <= wait < 10_000_000:
        outcome.retry_after = float(wait)
    return outcome


def _method(media: Media) -> tuple[str, str]:
    if media.type == "image/gif":
        return _ANIMATION
    return _METHODS.get((media.type or "").partition("/")[0], _DOCUMENT)


def _album(media: tuple[Media, ...]) -> list[dict[str, str]]:
    """Return the files of an album: photos and videos may be mixed; documents and audio may not. Raises Unsendable."""
    if len(media) > MOST:
        raise Unsendable(f"Telegram takes at most {MOST} files in one message: send the rest in another")
    kinds = [_method(one)[1] for one in media]
    if "animation" in kinds or (len(set(kinds)) > 1 and not set(kinds) <= {"photo", "video"}):
        raise Unsendable("Telegram takes together photos and videos, or documents alone, or audio alone")
    return [{"type": kind, "media": one.url} for kind, one in zip(kinds, media, strict=True)]
