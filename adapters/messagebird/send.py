"""Sends by MessageBird: SMS by its REST API, WhatsApp by Conversations.

https://developers.messagebird.com/api/sms-messaging/#send-outbound-sms,
https://developers.messagebird.com/api/conversations/#send-message. Webhooks repeat `reference` of an SMS and
`source` of a conversation's message.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from adapters.contract import (
    HttpCall,
    Message,
    Outcome,
    Response,
    Unsendable,
    Values,
    accepted,
    api_of,
    refused,
    required,
    sender_of,
)
from adapters.reading.facts import text
from adapters.reading.own_ids import NAME, marked
from adapters.reading.shapes import answer_of, list_of, object_of
from schemas.events import Error

REST = "https://rest.messagebird.com"
CONVERSATIONS = "https://conversations.messagebird.com"
#: The kind of message for a media type, by its first half; any other is sent as a file.
_KINDS = {"image": "image", "audio": "audio", "video": "video"}
#: https://developers.messagebird.com/api/#api-errors: codes that concern the account, and reasons by code.
_ACCOUNT = frozenset({"2", "25"})
_REASONS = {"9": "content", "10": "content", "21": "content"}


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build an SMS of text, or a WhatsApp message of text, one medium or a template. Raises Unsendable."""
    if message.channel == "sms":
        url, body = f"{api_of(values, REST)}/messages", _sms(message, values, now)
    else:
        url, body = f"{api_of(values, CONVERSATIONS)}/v1/send", _whatsapp(message, values)
    headers = {"authorization": f"AccessKey {required(values, 'access_key')}", "content-type": "application/json"}
    return HttpCall("POST", url, headers, orjson.dumps(body))


def read_response(response: Response) -> Outcome:
    """Read 2xx with the message's `id`; an error has `errors`, the first of which is used."""
    body = answer_of(response)
    if 200 <= response.status < 300:
        return accepted(text(body.get("id")) or text(object_of(body.get("message")).get("id")))
    first = object_of(next(iter(list_of(body.get("errors"))), None))
    code, parameter = text(first.get("code")), text(first.get("parameter"))
    reason = "rate" if response.status == 429 else _REASONS.get(code or "", "unknown")
    if reason == "content" and parameter in ("recipient", "recipients", "to"):
        reason = "invalid_address"
    error = Error(code[:255] if code else None, text(first.get("description")), reason)
    return refused(
        response,
        error,
        account=code in _ACCOUNT or None,
        sender=reason == "content" and parameter in ("originator", "from"),
    )


def _sms(message: Message, values: Values, now: datetime) -> dict[str, Any]:
    if message.media or message.template is not None or not message.text:
        raise Unsendable("an SMS by MessageBird is text alone, without media or template")
    body: dict[str, Any] = {
        "originator": sender_of(message, values).removeprefix("+"),
        "recipients": [message.to.value.removeprefix("+")],
        "body": message.text,
        "datacoding": "auto",
        "reference": message.echo,
    }
    if message.callback_url:
        body["reportUrl"] = message.callback_url
    if message.expires_at is not None:
        body["validity"] = max(1, round((message.expires_at - now).total_seconds()))
    return body


def _whatsapp(message: Message, values: Values) -> dict[str, Any]:
    source = {NAME: marked(message.message_id)} | ({"reference": message.reference} if message.reference else {})
    kind, content = _content(message)
    body: dict[str, Any] = {
        "to": message.to.value,
        "from": sender_of(message, values, "channel_id"),
        "type": kind,
        "content": content,
        "source": source,
    }
    if message.callback_url:
        body["reportUrl"] = message.callback_url
    return body


def _content(message: Message) -> tuple[str, dict[str, Any]]:
    if message.template is not None:
        namespace, colon, name = message.template.name.partition(":")
        if not colon:
            raise Unsendable("MessageBird names a template with its namespace: write it as namespace:name")
        hsm = {
            "namespace": namespace,
            "templateName": name,
            "language": {"policy": "deterministic", "code": message.template.language or "en"},
            "params": [{"default": value} for value in _by_position(message.template.variables)],
        }
        return "hsm", {"hsm": hsm}
    if len(message.media) > 1:
        raise Unsendable("MessageBird sends one medium a message: send each of the others as its own message")
    if message.media:
        media = message.media[0]
        kind = _KINDS.get((media.type or "").partition("/")[0], "file")
        part = {"url": media.url}
        if message.text:
            if kind == "audio":
                raise Unsendable("WhatsApp has no text beside audio: send the text as its own message")
            part["caption"] = message.text
        return kind, {kind: part}
    if not message.text:
        raise Unsendable("MessageBird needs text, a medium or a template")
    return "text", {"text": message.text}


def _by_position(variables: Mapping[str, str]) -> list[str]:
    if not all([name.isascii() and name.isdigit() for name in variables]):
        raise Unsendable('MessageBird fills a template by position: name its variables "1", "2" and so on')
    return [variables[name] for name in sorted(variables, key=int)]
