"""Sends by Sinch: SMS and MMS in batches of one, WhatsApp by the Conversation API.

https://developers.sinch.com/docs/sms/api-reference/sms/tag/Batches/,
https://developers.sinch.com/docs/conversation/api-reference/conversation/tag/Messages/. Callbacks repeat
`client_reference` of an SMS and `message_metadata` of the Conversation API. Accepted SMS can be looked up by it:
…/tag/Batches/#tag/Batches/operation/ListBatches.
"""

from base64 import b64encode
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, urlencode

import orjson

from adapters.calling.lookups import echoed_alone, found
from adapters.contract import (
    Found,
    HttpCall,
    Message,
    Outcome,
    Response,
    Unsendable,
    Values,
    accepted,
    api_of,
    optional,
    refused,
    required,
    sender_of,
)
from adapters.reading.facts import text
from adapters.reading.shapes import answer_of, object_of
from schemas.events import Error

#: Seconds. No page says how soon the list shows a batch; the number is our estimate.
LOOKUP_AFTER = 60.0
#: How long before the first call the search begins, for differences between clocks. Without a date it begins a day
#: ago.
_BEFORE = timedelta(hours=1)
REGION = "us"


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build an SMS of text, or one medium with text; a WhatsApp message of text, one medium, or a template. Raises
    Unsendable."""
    if message.channel == "sms":
        url, authorization = _batches(values)
        body = _batch(message, values)
    else:
        project = quote(required(values, "project_id"), safe="")
        base = api_of(values, f"https://{optional(values, 'region', REGION)}.conversation.api.sinch.com")
        url, body = f"{base}/v1/projects/{project}/messages:send", _conversation(message, values, now)
        key = f"{required(values, 'key_id')}:{required(values, 'key_secret')}"
        authorization = "Basic " + b64encode(key.encode()).decode()
    return HttpCall(
        "POST", url, {"authorization": authorization, "content-type": "application/json"}, orjson.dumps(body)
    )


def read_response(response: Response) -> Outcome:
    """Read 2xx with the batch's `id` or the `message_id`; an error has `code` and `text`, or an `error` with
    `status` and `message`."""
    body = answer_of(response)
    if 200 <= response.status < 300:
        return accepted(text(body.get("message_id")) or text(body.get("id")))
    fault = object_of(body.get("error"))
    code = text(fault.get("status")) or text(fault.get("code")) or text(body.get("code"))
    words = text(fault.get("message")) or text(body.get("text"))
    reason = "rate" if response.status == 429 else "content" if (code or "").startswith("syntax_") else "unknown"
    return refused(response, Error(code[:255] if code else None, words, reason))


def build_lookup(message: Message, values: Values, begun: datetime) -> HttpCall:
    """Build a search for batches with our `client_reference`. Raises Unsendable for the Conversation API, which has
    no search by `message_metadata`."""
    if message.channel != "sms":
        raise Unsendable("Sinch's Conversation API has no search for a message by our id")
    url, authorization = _batches(values)
    since = (begun - _BEFORE).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    query = urlencode({"client_reference": echoed_alone(message), "start_date": since})
    return HttpCall("GET", f"{url}?{query}", {"authorization": authorization})


def read_lookup(response: Response, message: Message) -> Found:
    """Read 200 with `batches`."""
    ours = message.message_id
    return found(response, answer_of(response).get("batches"), "id", lambda item: item.get("client_reference") == ours)


def _batches(values: Values) -> tuple[str, str]:
    """Return the URL of the plan's batches, and the authorization header."""
    base = api_of(values, f"https://{optional(values, 'region', REGION)}.sms.api.sinch.com")
    plan = quote(required(values, "service_plan_id"), safe="")
    return f"{base}/xms/v1/{plan}/batches", f"Bearer {required(values, 'api_token')}"


def _batch(message: Message, values: Values) -> dict[str, Any]:
    if message.template is not None:
        raise Unsendable("an SMS by Sinch has no template: give the text")
    if len(message.media) > 1 or not (message.media or message.text):
        raise Unsendable("an SMS by Sinch needs text, or one medium with or without text")
    body: dict[str, Any] = {
        "from": sender_of(message, values).removeprefix("+"),
        "to": [message.to.value.removeprefix("+")],
        "delivery_report": "per_recipient",
        "client_reference": message.echo,
    }
    if message.media:
        media = {"url": message.media[0].url} | ({"message": message.text} if message.text else {})
        body |= {"type": "mt_media", "body": media}
    else:
        body |= {"type": "mt_text", "body": message.text}
    if message.callback_url:
        body["callback_url"] = message.callback_url
    if message.expires_at is not None:
        body["expire_at"] = message.expires_at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    return body


def _conversation(message: Message, values: Values, now: datetime) -> dict[str, Any]:
    identity = {"channel": "WHATSAPP", "identity": message.to.value.removeprefix("+")}
    body: dict[str, Any] = {
        "app_id": required(values, "app_id"),
        "recipient": {"identified_by": {"channel_identities": [identity]}},
        "message": _message(message),
        "channel_priority_order": ["WHATSAPP"],
        "message_metadata": message.echo,
    }
    if message.callback_url:
        body["callback_url"] = message.callback_url
    if message.expires_at is not None:
        body["ttl"] = f"{max(1, round((message.expires_at - now).total_seconds()))}s"
    return body


def _message(message: Message) -> dict[str, Any]:
    if message.template is not None:
        template = message.template
        channel_template = {
            "template_id": template.name,
            "language_code": template.language or "en",
            "parameters": {_parameter(name): value for name, value in template.variables.items()},
        }
        return {"template_message": {"channel_template": {"WHATSAPP": channel_template}}}
    if len(message.media) > 1:
        raise Unsendable("Sinch sends one medium a message: send each of the others as its own message")
    if message.media:
        if message.text:
            raise Unsendable("Sinch has no text beside a medium: send the text as its own message")
        media = message.media[0]
        return {"media_message": {"url": media.url} | ({"filename_override": media.name} if media.name else {})}
    if not message.text:
        raise Unsendable("Sinch needs text, a medium or a template")
    return {"text_message": {"text": message.text}}


def _parameter(name: str) -> str:
    """Return Sinch's name of a WhatsApp template's variable: "1" is the body's first; any other name is used as
    given."""
    return f"body[{name}]text" if name.isascii() and name.isdigit() else name
