"""Makes adapters of definition files (TOML or JSON), which say how to verify a request and where to find its parts.

`docs/declared.md` documents the format, with an example. A definition is data; no code in it is run.
"""

from base64 import b64encode
from typing import Any

from adapters.contract import (
    Adapter,
    Answer,
    InvalidSignature,
    Normalized,
    Request,
    Setting,
    Unprocessable,
    Values,
    secrets_of,
)
from adapters.declared.definition import Definition, Fields, InvalidDefinition, definition_of
from adapters.declared.places import filled, finder
from adapters.declared.send import DeclaredSending
from adapters.declared.values import body_of, content_of, time_of, type_of, word_of
from adapters.reading.addresses import handle, of_kind
from adapters.reading.facts import fact_id, identifier, text, unknown
from adapters.reading.remainder import keep_rest
from adapters.signing import unsigned
from adapters.signing.signatures import check_age, header, keyed, same, standard_key, verify_standard
from schemas.events import Error, Event, Handle

__all__ = ["InvalidDefinition", "adapter_of", "definition_of"]

_FAILURES = frozenset({"MessageDelayed", "MessageFailed", "MessageBounced", "MessageRejected", "CallFailed"})
_SECRET = Setting("secret", "The provider's signing secret, or the token that it sends.")
_SENDER = Setting("sender", "The sender, if a message names none.", secret=False)
_STANDARD = Setting("secret", "The provider's signing secret: whsec_ and base64, or any text.", reads=standard_key)


def adapter_of(definition: Definition) -> Adapter:
    """Make the adapter that a definition describes."""
    receiving, signature = _Receiving(definition), definition.signature
    channels = frozenset({definition.channel, *definition.channels.values()})
    sending = None if definition.send is None else DeclaredSending(definition.send)
    secret = _STANDARD if signature.scheme == "standard_webhooks" else _SECRET
    known = unsigned.SETTINGS if signature.scheme == "unsigned" else (secret,)
    settings = {one.name: one for one in (*known, *((_SENDER,) if sending is not None else ()))}
    settings |= {name: Setting(name, why) for name, why in definition.settings.items()}
    return Adapter(
        name=definition.name,
        title=definition.title,
        docs=definition.docs,
        channels=channels,
        events=frozenset({*definition.types.values(), "ProviderEventReceived"}),
        signature=_WORDS[signature.scheme].format(**signature.model_dump()),
        signs_body=signature.scheme in ("hmac", "standard_webhooks"),
        job_ids=definition.job_ids,
        settings=tuple(settings.values()),
        recognise=receiving.recognise,
        verify=receiving.verify,
        normalize=receiving.normalize,
        answer=receiving.answer,
        send=sending.capability(channels) if sending is not None else None,
    )


class _Receiving:
    """Reads and verifies webhooks as a definition says."""

    def __init__(self, definition: Definition) -> None:
        self.definition = definition
        ends = dict.fromkeys(("sender", "recipient"), definition.handle_suffix)
        self._find = {
            n: finder(getattr(definition.event, n), ends.get(n, "")) for n in Fields.model_fields if n != "type"
        }
        named = definition.event.type
        self._type = [finder(path) for path in ((named,) if isinstance(named, str) else named)]
        self._items = None if definition.items is None else finder(f"body:{definition.items}")

    def recognise(self, request: Request) -> bool:
        """Recognise a webhook by all of the definition's marks; without marks, the URL must name the source."""
        marks = self.definition.recognise
        if marks is None or (marks.header is None and marks.user_agent is None and not marks.body):
            return False
        headers, head = request.headers, request.body[:4096]
        return (
            (marks.header is None or marks.header.lower() in headers)
            and (marks.user_agent is None or headers.get("user-agent", "").startswith(marks.user_agent))
            and all(mark.encode() in head for mark in marks.body)
        )

    def verify(self, request: Request, values: Values, *, fresh: bool = True) -> bool | None:
        """Verify by the definition's scheme. Raises InvalidSignature."""
        signature = self.definition.signature
        if signature.scheme == "unsigned":
            return unsigned.verify_unsigned(request, values)
        secrets = secrets_of(values, "secret")
        if not secrets:
            return None
        if signature.scheme == "standard_webhooks":
            verify_standard(request, secrets, fresh=fresh)
            return True
        given = header(request, (signature.header or "").lower()).removeprefix(signature.prefix)
        if signature.scheme == "token":
            made = [secret.encode() for secret in secrets]
        else:
            message = self._message(request)
            digests = [keyed(secret.encode(), signature.algorithm, message) for secret in secrets]
            hexadecimal = signature.encoding == "hex"
            given = given.lower() if hexadecimal else given
            made = [digest.hex().encode() if hexadecimal else b64encode(digest) for digest in digests]
        if not any([same(one, given.encode("utf-8", "replace")) for one in made]):
            raise InvalidSignature(f"no configured secret makes the value of {signature.header}")
        if fresh and signature.timestamp_header:
            check_age(header(request, signature.timestamp_header.lower()), request.received_at, signature.tolerance)
        return True

    def normalize(self, request: Request) -> Normalized:
        """Return one event per item. Raises Unprocessable."""
        body = body_of(request, self.definition.format == "form")
        items = body if self._items is None else self._items(None, body, request)
        if items is None:
            raise Unprocessable(f"it has no {self.definition.items}")
        found = Normalized()
        for item in items if isinstance(items, list) else [items]:
            try:
                found.events.append(self._event(item, body, request))
            except Unprocessable as error:
                found.unprocessable.append((item, str(error)))
        return found

    def answer(self, request: Request) -> Answer:
        """Return the definition's answer; 200 by default."""
        return Answer(self.definition.answer_status, self.definition.answer_body.encode())

    def _message(self, request: Request) -> bytes:
        """Return the signed bytes."""
        signature = self.definition.signature
        if signature.message == "{body}":
            return request.body
        parts: dict[str, str | None] = {"url": request.url, "method": request.method}
        if signature.timestamp_header:
            parts["timestamp"] = header(request, signature.timestamp_header.lower())
        if signature.id_header:
            parts["id"] = header(request, signature.id_header.lower())
        before, _, after = signature.message.partition("{body}")
        ends = [str(filled(end, parts)).encode("utf-8", "replace") for end in (before, after)]
        return ends[0] + request.body + ends[1]

    def _event(self, item: Any, body: Any, request: Request) -> Event:
        if not isinstance(item, dict):
            raise Unprocessable("an item is not an object")
        if left_out := self.definition.leave_out:
            item = {key: value for key, value in item.items() if key not in left_out}
        definition, read = self.definition, {name: find(item, body, request) for name, find in self._find.items()}
        words = [word for find in self._type if (word := word_of(find(item, body, request)))]
        word, message_id = ".".join(words), identifier(read["message_id"])
        type = type_of(words, definition.types)
        inbound = type == "MessageReceived"
        channel = definition.channels.get(text(read["channel"]) or "", definition.channel)
        sender, recipient = text(read["sender"]), text(read["recipient"])
        stamp = text(read["time"])
        event_id = identifier(read["id"]) or (
            fact_id(definition.name, message_id, word, sender, recipient, stamp) if message_id else None
        )
        if event_id is None and inbound:  # a message without an id is identified by its whole content
            event_id = unknown(request, item).source_event_id
        if type == "ProviderEventReceived":
            event = unknown(request, item, status=word or None, event_id=event_id)
        elif event_id is None:
            raise Unprocessable("an event has neither an id nor a message id")
        else:
            event = Event(type, request.source, event_id, payload={"providerStatus": word})
        event.channel, event.provider_message_id = channel, message_id
        # An unknown word does not say who wrote: of two addresses either may be ours.
        known = type != "ProviderEventReceived" or sender in (None, "", recipient)
        event.direction = None if not known else "inbound" if inbound else "outbound"
        event.handle = self._handle(sender if inbound else recipient, channel) if known else None
        event.occurred_at = time_of(read["time"])
        parts = {"from": sender, "to": recipient, "reference": text(read["reference"]), "url": text(read["url"])}
        event.payload |= {name: value for name, value in parts.items() if value}
        if content := content_of(read):
            event.payload["content"] = content
        if type in _FAILURES:
            code = text(read["error_code"])
            reason = definition.reasons.get(code or "", "unknown")
            event.error = Error(code, text(read["error_text"]), reason)
        return keep_rest(event, item)

    def _handle(self, address: str | None, channel: str) -> Handle | None:
        kind, prefix, suffix = self.definition.handle, self.definition.handle_prefix, self.definition.handle_suffix
        if not address or not address.endswith(suffix):
            return None
        ends = (suffix,) if isinstance(suffix, str) else suffix
        address = address.removesuffix(next((one for one in ends if address.endswith(one)), ""))
        return of_kind(kind, f"{prefix}{address}") if kind else handle(f"{prefix}{address}", channel)


_WORDS = {
    "hmac": "HMAC-{algorithm} over {message}",
    "standard_webhooks": "Standard Webhooks",
    "token": "a token in {header}",
    "unsigned": "signs nothing: basic auth or a secret in the URL",
}
