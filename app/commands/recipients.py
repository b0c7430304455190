"""`threadline recipients show|opt-out|opt-in|zone`: what a recipient wants, and the zone, straight in the store."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import uuid4

from rich.console import Console
from rich.text import Text

from app.clients.shown_recipients import recipient_json, recipient_of
from app.commands.acting import client_of
from app.commands.opened import in_store, user
from app.commands.terminal import MISUSED, add_row, minute, printable, say, table
from app.sending.consent import ALL, consent_event
from app.sending.zones import zone_named
from schemas import SchemaError
from schemas.events import CHANNELS, Handle
from sql import EventStore


def show(text: str, *, client: str | None) -> int:
    """Print what is known; 2 where the text is no handle."""
    return _with(text, None, client, _print)


def consent(text: str, channel: str, state: str, *, client: str | None) -> int:
    """Opt the recipient `out` or `in`, by an event that names who did; 2 where the handle or the channel is none."""
    if channel != ALL and channel not in CHANNELS:
        return say(f"There is no channel {channel}. The channels: {', '.join(CHANNELS)}, or {ALL} for all.", MISUSED)

    async def append(store: EventStore, client: str, handle: Handle) -> int:
        now = datetime.now(UTC)
        event = consent_event(handle, channel, state, _agent(), now, str(uuid4()))
        await store.append([(event, client, now, None)])
        return await _print(store, client, handle)

    return _with(text, None if channel == ALL else channel, client, append)


def zone(text: str, name: str | None, *, client: str | None) -> int:
    """Note the recipient's zone, None to forget it; 2 where the handle or the zone is none."""
    try:
        if name is not None:
            zone_named(name, "zone")
    except SchemaError as error:
        return say(str(error), MISUSED)

    async def note(store: EventStore, client: str, handle: Handle) -> int:
        await store.set_profile(client, handle, zone=name)
        return await _print(store, client, handle)

    return _with(text, None, client, note)


def _with(
    text: str, channel: str | None, client: str | None, work: Callable[[EventStore, str, Handle], Awaitable[int]]
) -> int:
    """Do it for the recipient, of the client that is meant."""
    try:
        handle = recipient_of(text, channel)
    except ValueError as error:
        return say(f"{text!r} names no recipient: {error}.", MISUSED)

    async def within(store: EventStore) -> int:
        return await work(store, await client_of(store, client), handle)

    return in_store(within)


async def _print(store: EventStore, client: str, handle: Handle) -> int:
    known = await recipient_json(store, client, handle)
    title = f"{handle.kind}:{handle.value} of client {client}, zone {known['zone'] or 'not known'}"
    consents = table("channel", "state", "out since", "in again", "basis", title=Text(printable(title)))
    for one in known["consents"]:
        add_row(consents, one["channel"], one["state"], minute(one["since"]), minute(one["until"]), one["basis"])
    console = Console()
    console.print(consents if consents.row_count else Text(printable(f"{title}: no word of consent.")))
    return 0


def _agent() -> str:
    return f"command line, {name}" if (name := user()) else "command line"
