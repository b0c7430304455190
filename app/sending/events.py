"""The events that sending records. Their ids are made of the message's, so that the same fact is recorded once."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from adapters.contract import names_a_job
from app.sending.requests import Request
from schemas.event_data import OURS
from schemas.events import Error, Event, Handle

SOURCE = OURS


def requested(request: Request, channels: tuple[str, ...]) -> Event:
    """Return the event of a new request. It names the channel if there is only one; otherwise the event of the send
    does."""
    only = channels[0] if len(channels) == 1 else None
    handle = request.handle(channels[0]) if channels else None
    document = request.document
    content = dict(document.get("content", {}))
    content |= {name: document[name] for name in ("template", "variables") if name in document}
    payload: dict[str, Any] = {"channels": list(channels), "content": content}
    if handle is not None:
        payload["to"] = handle.value
    if "sendBefore" in document:
        payload["expiresAt"] = document["sendBefore"]
    payload |= {
        name: document[name] for name in ("reference", "customerId", "category", "notBefore") if name in document
    }
    return _event("MessageRequested", request, "requested", only, payload, handle)


def held(request: Request, channel: str, cause: str, opens: datetime | None, what: str) -> Event:
    """Return the event of a message that waits. `what` identifies the reason: waiting longer for the same reason is not
    a new event."""
    payload: dict[str, Any] = {"cause": cause[:1024]} | ({"until": opens.isoformat()} if opens else {})
    return _event("MessageHeld", request, f"held:{what}", channel, payload, request.handle(channel))


def sent(
    request: Request, channel: str, handle: Handle, provider: str, their_id: str | None, number: int,
    *, job_ids: frozenset[str] = frozenset(), known_as: Sequence[Handle] = (),
) -> Event:  # fmt: skip
    """Return the event of a message that the provider took, under `their_id`. `number`: of the attempt; `job_ids`: the
    channels on which the provider's ids are those of jobs; `known_as`: the addresses by which the provider calls the
    recipient."""
    others = [{"kind": other.kind, "value": other.value} for other in known_as if other != handle]
    payload = {"to": handle.value} | ({"handles": others} if others else {})
    event = _event("UserMessageSent", request, f"sent:{number}", channel, payload, handle)
    event.provider, event.provider_message_id = provider, their_id
    event.per_recipient = names_a_job(event, job_ids)
    return event


def delayed(request: Request, channel: str, error: Error | None, number: int, next: str | None = None) -> Event:
    """Return the event of a try that failed and will be repeated: by the same channel, or by the `next` one in its place."""
    event = _failing("MessageDelayed", request, f"delayed:{number}", channel, error)
    if next is not None:
        event.payload["givenUpFor"] = next
    return event


#: The ends of event ids (after the message's id), by the type of the event that ends a message.
_ENDS = {
    "MessageFailed": "failed",
    "MessageRejected": "rejected",
    "MessageExpired": "expired",
    "MessageCancelled": "cancelled",
}


def ended(request: Request, type: str, channel: str | None, error: Error | None) -> Event:
    """Return the event of a message that ends without being sent: MessageFailed, MessageRejected (by the provider or by us),
    MessageExpired or MessageCancelled."""
    return _failing(type, request, _ENDS[type], channel, error)


def cancelled(client_message_id: str) -> Event:
    """Return the event of a message that its client cancelled while it waited."""
    return Event(
        "MessageCancelled",
        SOURCE,
        f"{client_message_id}:cancelled",
        direction="outbound",
        message_id=client_message_id,
        payload={"messageId": client_message_id},
    )


def _failing(type: str, request: Request, what: str, channel: str | None, error: Error | None) -> Event:
    payload: dict[str, Any] = {"error": _error(error)} if error is not None else {}
    event = _event(type, request, what, channel, payload, request.handle(channel) if channel else None)
    event.error = error
    return event


def _event(
    type: str, request: Request, what: str, channel: str | None, payload: Mapping[str, Any], handle: Handle | None
) -> Event:
    user = request.document.get("userId")
    named = {"messageId": request.message_id} | ({"channel": channel} if channel else {})
    named |= {"userId": user} if user else {}
    return Event(
        type,
        SOURCE,
        f"{request.message_id}:{what}",
        channel=channel,
        direction="outbound",
        message_id=request.message_id,
        # The request has the client's own id of the recipient; the other events have the address.
        handle=Handle("user_id", user) if user and type == "MessageRequested" else handle,
        payload=named | dict(payload),
    )


def _error(error: Error) -> dict[str, Any]:
    members = {"code": error.code, "text": error.text, "reason": error.reason}
    return {name: value[:1024] for name, value in members.items() if value is not None}
