"""Decides about a message that is due: send it (by which account), hold it, or end it. Pure."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from app.sending.configuration import Client, Route
from app.sending.requests import Request
from app.sending.windows import Windows, next_open, worded
from app.sending.zones import Zone, zone_of
from schemas.events import Error, Handle

#: How long a message waits before it is looked at again, where the recipient's zone is not known.
LOOK_AGAIN = timedelta(hours=1)


@dataclass(slots=True)
class Known:
    """The state of a message beside its request. `tried`: the channels that were given up; `released`: a person
    released it before its window; `opted_out`: the channels that its recipient opted out of, `*` for all."""

    expires_at: datetime | None = None
    tried: Collection[str] = ()
    cancelled: bool = False
    released: bool = False
    opted_out: Collection[str] = ()
    profile_zone: str | None = None


def known(row: Mapping[str, Any]) -> Known:
    """Return the state in a row of the store: of `EventStore.message` with `waits`."""
    return Known(
        expires_at=row["expires_at"],
        tried=row["tried"],
        cancelled=row["cancelled"],
        released=row["released"],
        opted_out=row["opted_out"] or (),
        profile_zone=row["zone"],
    )


@dataclass(frozen=True, slots=True)
class Send:
    """Send it by this route, to this address."""

    route: Route
    handle: Handle


@dataclass(frozen=True, slots=True)
class Hold:
    """Hold it. `until`: when it is looked at again; `opens`: when its window opens, if that is the cause; `cause`: in
    words."""

    until: datetime
    cause: str
    route: Route
    opens: datetime | None = None


@dataclass(frozen=True, slots=True)
class End:
    """Do not send it. `state`: that it ends in (`expired`, `cancelled`, `failed`)."""

    state: str
    error: Error


Decision = Send | Hold | End
EXPIRED = End("expired", Error(None, "was not sent before it expired", "expired"))
CANCELLED = End("cancelled", Error(None, "cancelled by its client", "unknown"))


def decide(request: Request, client: Client, known: Known, now: datetime) -> Decision:
    """Return what to do with the message at `now` (aware, UTC)."""
    if known.cancelled:
        return CANCELLED
    if known.expires_at is not None and known.expires_at <= now:
        return EXPIRED
    found = _route(request, client, known)
    if isinstance(found, End):
        return found
    route, handle = found
    if request.not_before is not None and request.not_before > now and not known.released:
        return Hold(_sooner(request.not_before, known), "its notBefore has not been reached", route, request.not_before)
    if route.windows is None or known.released:
        return Send(route, handle)
    return _window(request, client, known, now, route, route.windows, handle)


def routes(request: Request, client: Client) -> list[Route]:
    """Return the client's routes that a request may take, in order."""
    if not request.channels:
        return [route for route in client.routes if request.handle(route.channel)]
    found = (client.route(channel) for channel in request.channels)
    return [route for route in found if route is not None and request.handle(route.channel)]


def refusal(request: Request, client: Client) -> Error | None:
    """Return why no route of the client can take a request, or None where one can."""
    if routes(request, client):
        return None
    has = ", ".join(route.channel for route in client.routes) or "none"
    if request.channels:
        text = f"the client has no channel {' or '.join(request.channels)} (it has: {has})"
    else:
        text = f"none of the client's channels ({has}) reaches this address"
    return Error(None, text, "invalid_address" if not request.channels else "unknown")


def _route(request: Request, client: Client, known: Known) -> tuple[Route, Handle] | End:
    """Return the first route that was not given up and whose channel the recipient did not opt out of."""
    exempt = request.document.get("category") in client.exempt
    stopped: str | None = None
    for route in routes(request, client):
        if route.channel in known.tried:
            continue
        if not exempt and ("*" in known.opted_out or route.channel in known.opted_out):
            stopped = stopped or route.channel
            continue
        handle = request.handle(route.channel)
        assert handle is not None
        return route, handle
    if stopped is not None:
        return End("failed", Error(None, f"the recipient opted out of {stopped}", "opted_out"))
    return End("failed", refusal(request, client) or Error(None, "no channel is left to try", "unknown"))


def _window(
    request: Request, client: Client, known: Known, now: datetime, route: Route, windows: Windows, handle: Handle
) -> Decision:
    zone = zone_of(request.document.get("zone"), known.profile_zone, handle, client.zone)
    if zone is None:
        cause = f"the recipient's time zone is not known, and {route.channel} has windows: give zone with the request, in the recipient's profile, or in the client's configuration"
        return Hold(_sooner(now + LOOK_AGAIN, known), cause, route)
    opens = next_open(windows, ZoneInfo(zone.name), now)
    if opens is None:
        return End("failed", Error(None, f"the client's windows for {route.channel} never open", "unknown"))
    if opens <= now:
        return Send(route, handle)
    return Hold(_sooner(opens, known), because(route, windows, zone, now, opens), route, opens)


def because(route: Route, windows: Windows, zone: Zone, now: datetime, opens: datetime) -> str:
    """Return in words why a message waits: the window, the local time, until when, and how the zone is known."""
    there = ZoneInfo(zone.name)
    until = opens.astimezone(there).strftime("%Y-%m-%d %H:%M")
    return (
        f"held until {until} {zone.name}: {route.channel} {worded(windows, there, now)}; "
        f"zone known from the {zone.known_from if zone.known_from != 'profile' else 'customer profile'}"
    )


def _sooner(until: datetime, known: Known) -> datetime:
    """Return when a message is looked at again: no later than it expires."""
    return until if known.expires_at is None else min(until, known.expires_at)
