"""Sends text, one file by its URL or a utility template to a page-scoped id, by Messenger's Send API.

https://developers.facebook.com/documentation/business-messaging/messenger-platform/reference/send-api,
…/messenger-platform/send-messages/utility-messages, errors: …/messenger-platform/error-codes. Meta takes no idempotency
key.
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from adapters.contract import HttpCall, Message, Outcome, Response, Unsendable, Values, optional, required, secrets_of
from adapters.meta.platform import GRAPH, VERSION, body_of, outcome
from adapters.reading.facts import text
from schemas.events import Error

#: …/send-api: `metadata` is shorter than a thousand characters.
_LONGEST_ECHO = 999
_PREFIX = "messenger:"
_KINDS = {"image": "image", "audio": "audio", "video": "video"}
#: …/error-codes, by code, or by code and subcode where the subcode matters.
_REASONS = {
    "4": "rate",
    "613": "rate",
    "80006": "rate",
    "10": "blocked",
    "190": "blocked",
    "200": "blocked",
    "230": "blocked",
    "368": "blocked",
    "2022": "blocked",
    "100": "content",
    "100/2018001": "invalid_address",
    "551": "unreachable",
    "10/2018108": "unreachable",
    "200/1545041": "unreachable",
    "2": "unknown",
    "1200": "unknown",
}
#: Errors of permissions and the access token. With other subcodes the same codes may concern the recipient.
_ACCOUNT = frozenset(
    {"10", "190", "200", "230", *(f"190/{subcode}" for subcode in (458, 459, 460, 463, 464, 467, 492))}
)
_AGAIN = frozenset({"2", "4", "613", "1200", "80006"})


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a POST to the Page's `messages`. Raises Unsendable."""
    token = required(values, "access_token")
    if message.to.kind != "chat_id" or not message.to.value.startswith(_PREFIX):
        raise Unsendable("Messenger reaches a page-scoped id: a chat_id that begins with messenger:")
    if len(message.echo) > _LONGEST_ECHO:
        raise Unsendable(f"Messenger echoes at most {_LONGEST_ECHO} characters: give a shorter reference")
    body: dict[str, Any] = {"recipient": {"id": message.to.value.removeprefix(_PREFIX)}, **_type(message, values)}
    body["message"] = _content(message) | {"metadata": message.echo}
    page = message.sender or next(iter(secrets_of(values, "page_id", "sender")), "me")
    root, version = optional(values, "api_url", GRAPH), optional(values, "api_version", VERSION)
    return HttpCall(
        "POST",
        f"{root}/{quote(version, safe='')}/{quote(page, safe='')}/messages",
        {"authorization": f"Bearer {token}", "content-type": "application/json"},
        orjson.dumps(body),
    )


def read_response(response: Response) -> Outcome:
    """Read 200 with `message_id`, or `error` with Meta's code and, usually, its subcode."""
    return outcome(response, lambda body: text(body.get("message_id")), _error, _ACCOUNT)


def _error(problem: dict[str, Any]) -> tuple[Error, bool | None]:
    code, subcode = text(problem.get("code")), text(problem.get("error_subcode"))
    whole = f"{code}/{subcode}" if code and subcode else code
    reason = _REASONS.get(whole or "") or _REASONS.get(code or "")
    again = (code in _AGAIN) if reason else None
    return Error(whole[:255] if whole else None, text(problem.get("message")), reason or "unknown"), again


def _type(message: Message, values: Values) -> dict[str, str]:
    if message.template is not None:
        return {"messaging_type": "UTILITY"}
    if tag := optional(values, "tag", ""):
        return {"messaging_type": "MESSAGE_TAG", "tag": tag}
    return {"messaging_type": "RESPONSE"}


def _content(message: Message) -> dict[str, Any]:
    if (template := message.template) is not None:
        if not template.language:
            raise Unsendable("a Messenger template needs its language, e.g. en")
        named: dict[str, Any] = {"name": template.name, "language": {"code": template.language.replace("-", "_")}}
        return {"template": named | {"components": body_of(template.variables)}}
    if len(message.media) + bool(message.text) > 1:
        raise Unsendable("a Messenger message is a text or one file: send each as its own message")
    for media in message.media:
        kind = _KINDS.get((media.type or "").partition("/")[0].lower(), "file")
        return {"attachment": {"type": kind, "payload": {"url": media.url}}}
    if not message.text:
        raise Unsendable("Messenger needs text, a file or a template")
    return {"text": message.text}
