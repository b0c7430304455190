"""Sends by the WhatsApp Cloud API: text, media by link, templates; to a phone number or a business-scoped user id.

https://developers.facebook.com/documentation/business-messaging/whatsapp/reference/whatsapp-business-phone-number/message-api,
…/whatsapp/business-scoped-user-ids (`to` and `recipient`), …/whatsapp/messages/template-messages. There is no
idempotency key.
"""

from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from adapters.contract import (
    HttpCall,
    Media,
    Message,
    Outcome,
    Response,
    Template,
    Unsendable,
    Values,
    WrongSender,
    api_of,
    optional,
    required,
)
from adapters.meta.platform import GRAPH, VERSION, body_of, outcome
from adapters.reading.addresses import of_kind, phone
from adapters.reading.facts import text
from adapters.reading.shapes import answer_of
from adapters.whatsapp_cloud.errors import ACCOUNT, AGAIN, KNOWN, error_of
from schemas.events import Error, Handle

#: …/whatsapp/messages/: the maximum length of `biz_opaque_callback_data`.
_LONGEST_ECHO = 512
_KINDS = {"image": "image", "audio": "audio", "video": "video"}


def build_request(message: Message, values: Values, now: datetime) -> HttpCall:
    """Build a POST to the phone number's `messages`. Raises Unsendable."""
    token = required(values, "access_token")
    number = message.sender or required(values, "phone_number_id", "sender")
    if not (number.isascii() and number.isdigit()):
        raise WrongSender("Meta sends from a phone number's id, which is digits without a plus, not from the number")
    if len(message.echo) > _LONGEST_ECHO:
        raise Unsendable(f"WhatsApp takes a reference of at most {_LONGEST_ECHO} characters: give a shorter reference")
    body = {"messaging_product": "whatsapp", "recipient_type": "individual", **_recipient(message)}
    body |= _content(message) | {"biz_opaque_callback_data": message.echo}
    root, version = api_of(values, GRAPH), optional(values, "api_version", VERSION)
    return HttpCall(
        "POST",
        f"{root}/{quote(version, safe='')}/{number}/messages",
        {"authorization": f"Bearer {token}", "content-type": "application/json"},
        orjson.dumps(body),
    )


def read_response(response: Response) -> Outcome:
    """Read 200 with `messages[0].id`; an error has `error` with Meta's code."""
    read = outcome(response, _id, _error, ACCOUNT)
    if read.state == "accepted":
        read.known_as = _known_as(answer_of(response).get("contacts"))
    return read


def _known_as(contacts: Any) -> tuple[Handle, ...]:
    """Return the handles of the only contact: `wa_id`, which may be another spelling of the number in `input`, and the
    business-scoped user id."""
    only = contacts[0] if isinstance(contacts, list) and len(contacts) == 1 and isinstance(contacts[0], dict) else {}
    found = (phone(only.get("wa_id")), of_kind("whatsapp_user_id", only.get("user_id")))
    return tuple(one for one in found if one is not None and one.kind in ("phone", "whatsapp_user_id"))


def _id(body: dict[str, Any]) -> str | None:
    messages = body.get("messages")
    first = messages[0] if isinstance(messages, list) and messages else None
    return text(first.get("id")) if isinstance(first, dict) else None


def _error(problem: dict[str, Any]) -> tuple[Error, bool | None]:
    error = error_of([problem])
    return error, error.code in AGAIN if error.code in KNOWN else None


def _recipient(message: Message) -> dict[str, str]:
    """Return the recipient's field. `to` is for numbers only: Meta would read the digits of a user id as a number,
    and lose the message. Raises Unsendable."""
    if message.to.kind == "phone":
        return {"to": message.to.value}
    if message.to.kind == "whatsapp_user_id":
        return {"recipient": message.to.value}
    raise Unsendable(f"WhatsApp reaches a phone number or a business-scoped user id, not a {message.to.kind}")


def _content(message: Message) -> dict[str, Any]:
    if len(message.media) > 1:
        raise Unsendable("a WhatsApp message has one file at most: send each as its own message")
    media = message.media[0] if message.media else None
    if message.template is not None:
        return {"type": "template", "template": _template(message.template, media)}
    if media is not None:
        kind, part = _media(media)
        if message.text and kind == "audio":
            raise Unsendable("a WhatsApp audio message has no text beside it: send the text as its own message")
        return {"type": kind, kind: part | {"caption": message.text} if message.text else part}
    if not message.text:
        raise Unsendable("WhatsApp needs text, media or a template")
    return {"type": "text", "text": {"body": message.text, "preview_url": "://" in message.text}}


def _media(media: Media) -> tuple[str, dict[str, str]]:
    if not media.type:
        raise Unsendable("WhatsApp needs the media type of a file to know what to show it as")
    kind = _KINDS.get(media.type.partition("/")[0].lower(), "document")
    part = {"link": media.url}
    if kind == "document" and media.name:
        part["filename"] = media.name
    return kind, part


def _template(template: Template, media: Media | None) -> dict[str, Any]:
    """Return a template. Variables named "1", "2", … fill the body by position, others by name; a file fills its
    header. Raises Unsendable."""
    if not template.language:
        raise Unsendable("a WhatsApp template needs its language, e.g. en_US, as Meta keeps one of each")
    components: list[dict[str, Any]] = []
    if media is not None:
        kind, part = _media(media)
        components.append({"type": "header", "parameters": [{"type": kind, kind: part}]})
    components += body_of(template.variables)
    filled: dict[str, Any] = {"name": template.name, "language": {"code": template.language.replace("-", "_")}}
    return filled | {"components": components} if components else filled
