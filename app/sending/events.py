"""What sending says to the log, as events. Their ids are made of the message's, so that the same fact is told once."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.contract import Outcome
from app.sending.requests import Request
from schemas.event_data import OURS
from schemas.events import Error, Event, Handle

SOURCE = OURS


def requested(request: Request, channels: tuple[str, ...]) -> Event:
    """A client asks for it. The channel is told where there is no choice: which of several it will be, the send says."""
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
    """It waits. `what` names the reason, so that waiting on is not another fact."""
    payload: dict[str, Any] = {"cause": cause[:1024]} | ({"until": opens.isoformat()} if opens else {})
    return _event("MessageHeld", request, f"held:{what}", channel, payload, request.handle(channel))


def sent(request: Request, channel: str, handle: Handle, provider: str, outcome: Outcome, number: int) -> Event:
    """The provider took it."""
    event = _event("UserMessageSent", request, f"sent:{number}", channel, {"to": handle.value}, handle)
    event.provider, event.provider_message_id = provider, outcome.provider_message_id
    return event


def delayed(request: Request, channel: str, error: Error | None, number: int, next: str | None = None) -> Event:
    """It did not pass, and will be tried again: the same way, or by the `next` channel, this one being given up."""
    event = _failing("MessageDelayed", request, f"delayed:{number}", channel, error)
    if next is not None:
        event.payload["givenUpFor"] = next
    return event


#: The event that tells each state that a message ends in without being sent; `rejected` is a provider's or our own no.
ENDED = {
    "failed": "MessageFailed",
    "rejected": "MessageRejected",
    "expired": "MessageExpired",
    "cancelled": "MessageCancelled",
}


def ended(request: Request, how: str, channel: str | None, error: Error | None) -> Event:
    """It will not be sent: `how` is a key of ENDED."""
    return _failing(ENDED[how], request, how, channel, error)


def cancelled(client_message_id: str) -> Event:
    """Its client cancelled it while it waited."""
    return Event(
        "MessageCancelled",
        SOURCE,
        f"{client_message_id}:cancelled",
        direction="outbound",
        message_id=client_message_id,
        payload={"messageId": client_message_id},
    )


def _failing(type: str, request: Request, what: str, channel: str | None, error: Error | None) -> Event:
    payload: dict[str, Any] = {"error": _told(error)} if error is not None else {}
    event = _event(type, request, what, channel, payload, request.handle(channel) if channel else None)
    event.error = error
    return event


def _event(
    type: str, request: Request, what: str, channel: str | None, payload: Mapping[str, Any], handle: Handle | None
) -> Event:
    user = request.document.get("userId")
    said = {"messageId": request.message_id} | ({"channel": channel} if channel else {})
    said |= {"userId": user} if user else {}
    return Event(
        type,
        SOURCE,
        f"{request.message_id}:{what}",
        channel=channel,
        direction="outbound",
        message_id=request.message_id,
        # Of what a client says it is its word whose the message is; the others name the address.
        handle=Handle("user_id", user) if user and type == "MessageRequested" else handle,
        payload=said | dict(payload),
    )


def _told(error: Error) -> dict[str, Any]:
    told = {"code": error.code, "text": error.text, "reason": error.reason}
    return {name: value[:1024] for name, value in told.items() if value is not None}
