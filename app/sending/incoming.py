"""Requests as the store takes them: each with the route it will try first, and the event that says it was asked for."""

from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta

from app.clients.configured import Client, Route
from app.sending.decide import refusal, routes
from app.sending.events import ended, requested
from app.sending.requests import Request, handles, too_late
from schemas.events import Error
from sql import NewMessage, Row
from sql.messages import Lane


@dataclass(slots=True)
class Incoming:
    """Requests as `EventStore.accept` takes them, in order."""

    messages: list[NewMessage] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)
    _lanes: dict[tuple[str, str], Lane] = field(default_factory=dict)

    @property
    def lanes(self) -> list[Lane]:
        """The accounts that they will leave by."""
        return list(self._lanes.values())

    def add(self, request: Request, client: Client, at: datetime) -> Error | None:
        """Add one; why it can never be sent, where that is so: it is not added then."""
        found = routes(request, client)
        if not found:
            return refusal(request, client)
        if late := too_late(request, at):
            return late
        expires = request.expires_at
        if expires is None and client.expires_after is not None:
            expires = at + timedelta(seconds=client.expires_after)
        self._add(request, found[0].channel, found[0].account, "queued", None, expires)
        self._lane(client, found[0])
        event = requested(request, tuple(route.channel for route in found))
        self.rows.append((event, client.id, at, None))
        return None

    def join(self, other: "Incoming") -> None:
        """Add those of another, after these."""
        self.messages += other.messages
        self.rows += other.rows
        self._lanes |= other._lanes

    def reject(self, request: Request, error: Error, at: datetime) -> None:
        """Add one that can never be sent, as failed, so that its client is told."""
        self._add(request, (request.channels or ("",))[0], "", "failed", error, None)
        self.rows.append((ended(request, "MessageRejected", None, error), request.client_id, at, None))

    def _add(
        self, request: Request, channel: str, account: str, state: str, error: Error | None, expires: datetime | None
    ) -> None:
        self.messages.append(
            NewMessage(
                client_id=request.client_id,
                message_id=request.message_id,
                priority=request.priority,
                due_at=None,
                not_before=request.not_before,
                expires_at=expires,
                channel=channel,
                account=account,
                state=state,
                error=asdict(error) if error else None,
                request=request.document,
                fingerprint=request.fingerprint.hex(),
                handles=handles(request),
                key=request.key,
            )
        )

    def _lane(self, client: Client, route: Route) -> None:
        self._lanes[client.id, route.account] = lane_of(client, route)


def lane_of(client: Client, route: Route) -> Lane:
    """The lane of a route's account."""
    return (client.id, route.account, route.rate, route.burst, route.concurrency)
