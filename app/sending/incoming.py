"""Makes a request into a message for the store: with the route it will try first, and the event of its acceptance. Pure."""

from dataclasses import asdict
from datetime import datetime, timedelta

from app.sending.configuration import Client, Route
from app.sending.decide import refusal, routes
from app.sending.events import ended, requested
from app.sending.requests import Request, handles, too_late
from schemas.events import Error, Event
from sql import NewMessage
from sql.messages import Lane


def new_message(request: Request, client: Client, at: datetime) -> NewMessage | Error:
    """Return the message of a request received at `at`, or the error if no route can ever take it."""
    found = routes(request, client)
    error = too_late(request, at) if found else refusal(request, client)
    if error is not None:
        return error
    expires = request.expires_at
    if expires is None and client.expires_after is not None:
        expires = at + timedelta(seconds=client.expires_after)
    event = requested(request, tuple(route.channel for route in found))
    return _message(request, event, at, found[0].channel, lane=lane_of(client, found[0]), expires=expires)


def failed_message(request: Request, error: Error, at: datetime) -> NewMessage:
    """Return a message that has failed already, for a request that can never be sent: so its client is notified."""
    event = ended(request, "MessageRejected", None, error)
    return _message(request, event, at, (request.channels or ("",))[0], error=error)


def traced(message: NewMessage, trace: str | None) -> NewMessage:
    """Return the message and its event with the `traceparent` of its request; None leaves it as it is."""
    if trace is None:
        return message
    message.event.trace = trace
    return message._replace(trace=trace)


def lane_of(client: Client, route: Route) -> Lane:
    """Return the lane of a route's account."""
    return (client.id, route.account, route.rate, route.burst, route.concurrency)


def _message(
    request: Request, event: Event, at: datetime, channel: str, *,
    lane: Lane | None = None, expires: datetime | None = None, error: Error | None = None,
) -> NewMessage:  # fmt: skip
    return NewMessage(
        event=event,
        received_at=at,
        lane=lane,
        client_id=request.client_id,
        message_id=request.message_id,
        priority=request.priority,
        due_at=None,
        not_before=request.not_before,
        expires_at=expires,
        channel=channel,
        account=lane[1] if lane is not None else "",
        state="failed" if error else "queued",
        error=asdict(error) if error else None,
        request=request.document,
        fingerprint=request.fingerprint.hex(),
        handles=handles(request),
        key=request.key,
    )
