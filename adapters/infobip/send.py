"""Sends SMS (API v3) and WhatsApp messages by Infobip.

https://www.infobip.com/docs/api/channels/sms/outbound-sms/send-sms-messages,
https://www.infobip.com/docs/api/channels/whatsapp/whatsapp-outbound-messages. Reports return `callbackData`. Infobip
refuses a message id that it knows, so a retry would look like a failure; therefore none is given.
"""

from collections.abc import Mapping
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
    api_of,
    refused,
    required,
    sender_of,
)
from adapters.infobip.errors import ACCOUNT, SENDER, error_of
from adapters.reading.facts import text
from adapters.reading.shapes import answer_of, list_of, object_of
from schemas.events import Error

API = "https://api.infobip.com"
#: The API's resource by the main media type; all other types are sent as documents.
_KINDS = {"image": "image", "audio": "audio", "video": "video"}


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build the request: text by SMS; text, one medium or a template by WhatsApp. Raises Unsendable."""
    to, sender = message.to.value.removeprefix("+"), sender_of(message, values).removeprefix("+")
    path, body = _sms(message, to, sender, now) if message.channel == "sms" else _whatsapp(message, to, sender)
    return HttpCall(
        "POST",
        f"{api_of(values, API)}{path}",
        {
            "authorization": f"App {required(values, 'api_key')}",
            "content-type": "application/json",
            "accept": "application/json",
        },
        orjson.dumps(body),
    )


def read_response(response: Response) -> Outcome:
    """Read 200 with the message, alone or in `messages`, which may still be rejected, or an error in either format."""
    answer = answer_of(response)
    if not 200 <= response.status < 300:
        return refused(response, _problem(answer, response.status))
    one = object_of(next(iter(list_of(answer.get("messages"))), None)) or answer
    status = object_of(one.get("status"))
    if text(status.get("groupName")) == "REJECTED":
        error = error_of(None, status)
        return refused(
            response, error, retryable=False, account=error.code in ACCOUNT or None, sender=error.code in SENDER
        )
    return accepted(text(one.get("messageId")))


def _problem(answer: dict[str, Any], status: int) -> Error:
    """Read an error: `errorCode` and `description` in newer APIs, `requestError.serviceException` in the others."""
    fault = object_of(object_of(answer.get("requestError")).get("serviceException"))
    code = text(answer.get("errorCode")) or text(fault.get("messageId"))
    words = text(answer.get("description")) or text(fault.get("text"))
    return Error(code[:255] if code else None, words, "rate" if status == 429 else "unknown")


def _callback(message: Message) -> str | None:
    """Return the callback URL with the channel in it, as a report does not name its channel."""
    if not message.callback_url:
        return None
    mark = "&" if "?" in message.callback_url else "?"
    return f"{message.callback_url}{mark}channel={message.channel}"


def _sms(message: Message, to: str, sender: str, now: datetime) -> tuple[str, dict[str, Any]]:
    if message.media or message.template is not None or not message.text:
        raise Unsendable("an SMS by Infobip is text alone, without media or template")
    webhooks: dict[str, Any] = {"contentType": "application/json", "callbackData": message.echo}
    if url := _callback(message):
        webhooks["delivery"] = {"url": url, "intermediateReport": True}
    one = {
        "sender": sender,
        "destinations": [{"to": to}],
        "content": {"text": message.text},
        "webhooks": webhooks,
    }
    if message.expires_at is not None:
        minutes = max(1, round((message.expires_at - now).total_seconds() / 60))
        one["options"] = {"validityPeriod": {"amount": minutes, "timeUnit": "MINUTES"}}
    return "/sms/3/messages", {"messages": [one]}


def _whatsapp(message: Message, to: str, sender: str) -> tuple[str, dict[str, Any]]:
    one: dict[str, Any] = {"from": sender, "to": to, "callbackData": message.echo}
    if url := _callback(message):
        one["notifyUrl"] = url
    if message.template is not None:
        template = message.template
        one["content"] = {
            "templateName": template.name,
            "templateData": {"body": {"placeholders": _by_position(template.variables)}},
            "language": template.language or "en",
        }
        return "/whatsapp/1/message/template", {"messages": [one]}
    if len(message.media) > 1:
        raise Unsendable("Infobip sends one medium per message: send each as its own message")
    if message.media:
        kind, one["content"] = _medium(message.media[0], message.text)
        return f"/whatsapp/1/message/{kind}", one
    if not message.text:
        raise Unsendable("Infobip needs text, a medium or a template")
    one["content"] = {"text": message.text}
    return "/whatsapp/1/message/text", one


def _medium(media: Media, caption: str | None) -> tuple[str, dict[str, str]]:
    kind = _KINDS.get((media.type or "").partition("/")[0], "document")
    content = {"mediaUrl": media.url}
    if caption:
        if kind == "audio":
            raise Unsendable("WhatsApp audio has no caption: send the text as its own message")
        content["caption"] = caption
    if media.name and kind == "document":
        content["filename"] = media.name
    return kind, content


def _by_position(variables: Mapping[str, str]) -> list[str]:
    if not all([name.isascii() and name.isdigit() for name in variables]):
        raise Unsendable('Infobip fills a template by position: name its variables "1", "2" and so on')
    return [variables[name] for name in sorted(variables, key=int)]
