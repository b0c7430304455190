"""Reads a service's request for one message: the same document over HTTP and on Kafka (`schemas/request.json`)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import uuid4

import orjson

from adapters.reading.lines import HEADERS, faults
from app.sending.zones import zone_named
from schemas import SchemaError
from schemas.chosen_ids import address_in, refusal_of
from schemas.documents import check
from schemas.events import Error, Handle
from schemas.faults import Faults
from schemas.handles import handle_of
from schemas.times import instant

PRIORITIES = {"high": 0, "normal": 1, "low": 2}

#: The kinds of address that each channel reaches. Push tokens, chat ids and device ids have any form.
REACHED_BY: dict[str, frozenset[str]] = {
    "sms": frozenset({"phone", "short_code"}),
    "rcs": frozenset({"phone"}),
    "voice": frozenset({"phone", "sip"}),
    "whatsapp": frozenset({"phone", "whatsapp_user_id"}),
    "email": frozenset({"email"}),
    "push": frozenset({"device_token", "other"}),
    "chat": frozenset({"chat_id", "other"}),
    "iot": frozenset({"device_id", "other"}),
}


@dataclass(frozen=True, slots=True)
class Request:
    """A request for one message.

    `document`: the request without its client and ids, as it is stored; `fingerprint`: 32 bytes, equal for equal requests;
    `channels`: those asked for, in order (empty: the client's).
    """

    client_id: str
    message_id: str
    document: dict[str, Any]
    fingerprint: bytes
    channels: tuple[str, ...]
    to: dict[str, Handle]
    priority: int
    not_before: datetime | None
    expires_at: datetime | None
    #: Its idempotency key: a second request with it is the first.
    key: str | None = None

    def handle(self, channel: str) -> Handle | None:
        """Return the recipient's address on a channel, or None if the recipient has none that the channel reaches."""
        return self.to.get(channel)


def read_request(
    document: Any,
    *,
    client_id: str | None = None,
    channel: str | None = None,
    key: str | None = None,
) -> Request:
    """Return the request in a JSON document. `client_id`: who asks, where that is known; `channel`: the only one allowed;
    `key`: its Idempotency-Key, the same as its member `idempotencyKey`. A message without an id of its own gets a new one, also
    under a key: by that the store finds the first one. Raises SchemaError with all errors and their paths."""
    check("request", document)
    wrong, channels, client = Faults(), tuple[str, ...](), ""
    with wrong:
        client = _same(document, "clientId", client_id)
    with wrong:
        channels = _channels(document, channel)
    own_key = document.get("idempotencyKey")
    if own_key is not None and key is not None and own_key != key:
        wrong.add("$.idempotencyKey", "differs from the header Idempotency-Key: give one of the two")
    key = own_key if key is None else key
    kept = {name: value for name, value in document.items() if name not in ("clientId", "messageId", "idempotencyKey")}
    if "body" in kept:
        if "content" in kept:
            wrong.add("$.body", "is short for content.text: give one of the two")
        kept["content"] = {"text": kept.pop("body")}
    if "variables" in kept and "template" not in kept:
        wrong.add("$.variables", "belong to a template: give the template, or leave them out")
    for path, why in faults(_short(document)):
        wrong.add(path, why)
    with wrong:
        if "zone" in document:
            zone_named(document["zone"], "$.zone")
    if isinstance(kept.get("template"), str):
        kept["template"] = {"name": kept["template"]}
    kept.pop("channel", None)
    if channels:
        kept["channels"] = list(channels)
    fingerprint = sha256(orjson.dumps(kept, option=orjson.OPT_SORT_KEYS)).digest()
    with wrong:
        to, id = _addresses(document["to"], channels), document.get("messageId")
        if id is not None and (found := address_in(id, to.values())):
            wrong.add("$.messageId", refusal_of(found))
    wrong.refuse()
    return replace(_request(client, id or str(uuid4()), kept, fingerprint, to), key=key)


def too_late(request: Request, at: datetime) -> Error | None:
    """Return why a request made at that time can never be sent in time, or None."""
    if request.expires_at is None or request.expires_at > at:
        return None
    until = request.document["sendBefore"]
    return Error(None, f"sendBefore is in the past ({until}): give a later time, or leave it out", "expired")


def kept_request(
    client_id: str,
    message_id: str,
    document: dict[str, Any],
    handles: Iterable[Sequence[str]],
    fingerprint: bytes = b"",
) -> Request:
    """Return the request in a stored document, with the `handles` that were stored beside it."""
    pairs = [(channel, *address.split("\x1f", 1)) for channel, address, *_ in handles if channel in REACHED_BY]
    to = {channel: Handle(kind, value) for channel, kind, value in pairs}
    return _request(client_id, message_id, document, fingerprint, to)


def handles(request: Request) -> list[tuple[str, Handle]]:
    """Return the addresses to store beside the document: a channel and the address on it, as it is dialled; and `user` and the
    service's own id of the recipient, if the request names it."""
    user = request.document.get("userId")
    return [*request.to.items(), *([("user", Handle("user_id", user))] if user else [])]


def _request(client: str, message: str, document: dict[str, Any], fingerprint: bytes, to: dict[str, Handle]) -> Request:
    return Request(
        client_id=client,
        message_id=message,
        document=document,
        fingerprint=fingerprint,
        channels=tuple(document.get("channels", ())),
        to=to,
        priority=PRIORITIES[document.get("priority", "normal")],
        not_before=_time(document, "notBefore"),
        expires_at=_time(document, "sendBefore"),
    )


def _same(document: Mapping[str, Any], name: str, known: str | None) -> str:
    given: str | None = document.get(name)
    if given is not None and known is not None and given != known:
        raise SchemaError(f"$.{name}", "is not the client of the API key")
    if (found := known or given) is None:
        raise SchemaError(f"$.{name}", "is required")
    return found


def _short(document: Mapping[str, Any]) -> dict[str, object]:
    """Return the texts of a request that must be one line, by their paths. The subject is not among them: its line ends
    become spaces."""
    content, template = document.get("content", {}), document.get("template")
    named = template if isinstance(template, dict) else {"name": template}
    found = {"$.sender": document.get("sender")}
    found |= {f"$.template.{name}": named.get(name) for name in ("name", "language")}
    found |= {f"$.content.data.{name}": content.get("data", {}).get(name) for name in HEADERS}
    for index, each in enumerate(content.get("media", ())):
        found |= {f"$.content.media[{index}].{name}": each.get(name) for name in ("url", "type", "name")}
    return found


def _channels(document: Mapping[str, Any], only: str | None) -> tuple[str, ...]:
    one, several = document.get("channel"), document.get("channels")
    if one is not None and several is not None:
        raise SchemaError("$.channel", "give channel or channels, not both")
    asked: tuple[str, ...] = (one,) if one is not None else tuple(several or ())
    if only is None:
        return asked
    if asked and asked != (only,):
        raise SchemaError("$.channel" if one is not None else "$.channels", f"this is where {only} is asked for")
    return (only,)


def _addresses(to: str | Mapping[str, str], channels: tuple[str, ...]) -> dict[str, Handle]:
    """Return the address for each channel. Raises SchemaError where no channel reaches it."""
    if isinstance(to, str):
        found = {}
        for channel in channels or REACHED_BY:
            handle = _handle(to, channel, "$.to")
            if handle.kind in REACHED_BY[channel]:
                found[channel] = handle
        if not found:
            raise SchemaError("$.to", f"is no address for {' or '.join(channels) if channels else 'any channel'}")
        return found
    given = {channel: _handle(text, channel, f"$.to.{channel}") for channel, text in to.items()}
    for channel, handle in given.items():
        if handle.kind not in REACHED_BY[channel]:
            raise SchemaError(f"$.to.{channel}", f"is no address for {channel}")
    if channels and not set(channels) & set(given):
        raise SchemaError("$.to", f"has no address for {' or '.join(channels)}")
    return given


def _handle(text: str, channel: str, path: str) -> Handle:
    try:
        return handle_of(text, channel)
    except ValueError as error:
        raise SchemaError(path, str(error)) from error


def _time(document: Mapping[str, Any], name: str) -> datetime | None:
    if name not in document:
        return None
    try:
        return instant(document[name])
    except ValueError as error:
        raise SchemaError(f"$.{name}", str(error)) from error
