"""Our message ids in what a provider lets a sender attach to a message (metadata, tags, variables, a callback's URL) and
repeats in its webhooks.

Other senders of the same account attach ids of their own, often under names such as `messageId`. So ours has a name and a
form that nobody uses by accident: `tl_`, the CRC-32 of the id as eight hexadecimal digits, `_`, and the id. The form has
only characters that every provider accepts, if the id has.
"""

import re
from typing import Any
from urllib.parse import quote
from zlib import crc32

from adapters.contract import Request
from adapters.reading.bodies import query_of
from schemas.events import Event

NAME = "threadline_message_id"

_MARKED = re.compile(r"tl_([0-9a-f]{8})_(.+)", re.DOTALL)


def marked(message_id: str) -> str:
    """Return our message id in the form that is attached to a message."""
    return f"tl_{_checksum(message_id)}_{message_id}"


def own_id(value: Any) -> str | None:
    """Return our message id of an attached value, or None if the value is not one that `marked` made."""
    found = _MARKED.fullmatch(value) if isinstance(value, str) else None
    return found[2] if found is not None and _checksum(found[2]) == found[1] else None


def _checksum(message_id: str) -> str:
    return f"{crc32(message_id.encode('utf-8', 'replace')):08x}"


def relayed(event: Event) -> Event:
    """Return an event of a relay with its ids as they count. A single id is the provider's, so that the provider's own
    webhooks about the message match it; it is ours too if we sent that message to this recipient."""
    if event.provider_message_id is None:
        event.provider_message_id = event.echoed_message_id = event.message_id
        event.message_id = None
    return event


def callback_url(url: str, message_id: str) -> str:
    """Return the callback URL with our message id in its query, before a fragment (which holds Twilio's connection
    overrides)."""
    address, mark, fragment = url.partition("#")
    return f"{address}{'&' if '?' in address else '?'}{NAME}={quote(marked(message_id), safe='')}{mark}{fragment}"


def own_id_in_url(request: Request) -> str | None:
    """Return our message id in the URL of a callback, or None."""
    return own_id(dict(query_of(request)).get(NAME)) if f"{NAME}=" in request.url else None
