"""The registry of adapters, and the one way from a request to its events, of the live worker and of `explain`.

A provider is one word here: its module, its default source name and its fixture folder.
"""

from importlib import import_module
from typing import Any, cast

import orjson

from adapters.base import Adapter, Normalized, Request, Unprocessable
from adapters.parts.bodies import NUL, scrub
from schemas import SchemaError, validate
from schemas.events import Event

PROVIDERS = (
    "envelope",
    # SMS, WhatsApp, voice
    "zenvia",
    "gupshup",
    "clickatell",
    "kaleyra",
    "twilio",
    "whatsapp_cloud",
    "vonage",
    "africastalking",
    "infobip",
    "bandwidth",
    "jasmin",
    "telnyx",
    "plivo",
    "turn_whatsapp",
    "messagebird",
    "sinch",
    # E-mail
    "mailgun",
    "postmark",
    "amazon_ses",
    "mailjet",
    "brevo",
    "sparkpost",
    "sendgrid",
    "resend",
    "mailersend",
    "mandrill",
    "postal",
    "mailtrap",
    "unisender_go",
    "customerio",
    "smtp",
    # Push
    "onesignal",
    "pusher_beams",
    "fcm",
    "apns",
    "webpush",
    # Chat
    "slack",
    "telegram",
    "line",
    "viber",
    "intercom",
    "freshchat",
    "facebook_messenger",
    "instagram",
    # Devices
    "emqx",
    "the_things_stack",
    "mqtt",
    # Any
    "standard_webhooks",
)

#: Levels of nesting that a payload may have, at the least.
MAX_LEVELS = 200

ADAPTERS: dict[str, Adapter] = {name: cast(Adapter, import_module(f"adapters.{name}")) for name in PROVIDERS}


def interpret(request: Request, adapter_name: str) -> Normalized:
    """The events of a request, each held to its type's schema; what does not fit it is among the unprocessable.

    Raises Unprocessable where the whole of it cannot be read, KeyError where there is no such adapter.
    """
    try:
        found = ADAPTERS[adapter_name].normalize(request)
    except RecursionError as error:
        raise Unprocessable("the body is nested too deeply") from error
    # PostgreSQL has no NUL in text. Seldom are these bytes there at all, and finding that out costs next to nothing.
    body = request.body
    nul = b"\x00" in body or b"\\u0000" in body or b"%00" in body or "%00" in request.url or "\x00" in request.url
    # orjson writes 254 levels and reads more. As seldom are there so many brackets that there could be so many levels.
    deep = body.count(b"{") + body.count(b"[") > MAX_LEVELS
    events = []
    unprocessable = [(_showable(item), reason) for item, reason in found.unprocessable]
    for event in found.events:
        if nul:
            _scrub(event)
        try:
            validate(event.type, event.payload)
            if deep and not _writable(event.payload):
                raise SchemaError("$", "is nested too deeply to be kept")
        except SchemaError as error:
            unprocessable.append((_showable(event.payload), f"{event.type} {error}"))
        else:
            events.append(event)
    return Normalized(events, unprocessable)


def _scrub(event: Event) -> None:
    event.payload = scrub(event.payload, NUL)
    for name in ("source_event_id", "provider_message_id", "message_id"):
        setattr(event, name, scrub(getattr(event, name), NUL))
    for part in (event.handle, event.error):
        for name in part.__slots__ if part is not None else ():
            setattr(part, name, scrub(getattr(part, name), NUL))


def _showable(item: Any) -> Any:
    """The item if JSON and PostgreSQL can hold it: the dead letter has the whole webhook besides."""
    return scrub(item, NUL) if _writable(item) else None


def _writable(item: Any) -> bool:
    """Whether it can be written as JSON, inside of what it is put into."""
    try:
        orjson.dumps([[[[[[[[item]]]]]]]])
    except orjson.JSONEncodeError:
        return False
    return True
