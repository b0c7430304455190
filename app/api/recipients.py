"""/v1/recipients/{handle}: a recipient's consents and time zone."""

from datetime import UTC, datetime
from uuid import uuid4

from starlette.requests import Request
from starlette.responses import Response

from app.api.audited import about
from app.api.bodies import answer
from app.api.lookups import succeeds, tries
from app.api.parameters import read, refusal
from app.api.payload import json_of
from app.api.service import api_of, caller, sees_consents
from app.clients.shown_recipients import handle_json, recipient_json, recipient_of
from app.http.problems import Problem
from app.sending.consent import ALL, STATES, consent_event
from app.sending.zones import zone_named
from schemas import SchemaError
from schemas.events import CHANNELS, Handle

#: Most bytes of a body.
MOST = 4096


async def recipient(request: Request) -> Response:
    """Return the recipient's zone and consents; an unknown recipient has none. Raises Problem."""
    key = caller(request)
    read(request, ())
    handle = _handle(request)
    tries(request)
    found = await recipient_json(api_of(request).store, key.client, handle)
    if found["consents"] or found["zone"] is not None:
        succeeds(request)
    return answer(request, found)


async def put_recipient(request: Request) -> Response:
    """Set the recipient's zone. Raises Problem."""
    key = caller(request)
    read(request, ())
    handle = _handle(request)
    zone = await _member(request, "zone")
    if zone is not None:
        try:
            zone_named(zone, "zone")
        except SchemaError as error:
            raise refusal("zone", str(error)) from error
    await api_of(request).store.set_profile(key.client, handle, zone=zone)
    return await _changed(request, handle, zone)


async def put_consent(request: Request) -> Response:
    """Opt the recipient out or in, by an event in the log that names the API key. Raises Problem."""
    key = caller(request)
    read(request, ())
    channel = request.path_params["channel"]
    if channel != ALL and channel not in CHANNELS:
        raise refusal("channel", f"channel is one of: {', '.join(CHANNELS)}, or {ALL} for all of them.")
    handle = _handle(request, None if channel == ALL else channel)
    state = await _member(request, "state")
    if state not in STATES:
        raise refusal("state", f"state is one of: {', '.join(STATES)}.")
    now = datetime.now(UTC)
    event = consent_event(handle, channel, state, key.basis, now, str(uuid4()))
    about(request, event.source_event_id)
    await api_of(request).store.append([(event, key.client, now, None)])
    return await _changed(request, handle)


async def _changed(request: Request, handle: Handle, zone: str | None = None) -> Response:
    """Return the recipient; to who may change it but not read it, nothing beyond what he has set."""
    if not sees_consents(request):
        return answer(request, {"handle": handle_json(handle), "zone": zone, "consents": None})
    return answer(request, await recipient_json(api_of(request).store, caller(request).client, handle))


def _handle(request: Request, channel: str | None = None) -> Handle:
    try:
        handle = recipient_of(request.path_params["handle"], channel)
    except ValueError as error:
        raise refusal("handle", f"handle: {error}.") from error
    about(request, handle.kind)
    return handle


async def _member(request: Request, name: str) -> str | None:
    """Read the body's only member, text or null. Raises Problem."""
    body = await json_of(request, MOST)
    if not isinstance(body, dict) or set(body) != {name}:
        raise Problem(400, f'The body is an object with the one member {name!r}: {{"{name}": …}}.')
    value = body[name]
    if value is not None and not isinstance(value, str):
        raise refusal(name, f"{name} is text, or null where it is not known.")
    return value
