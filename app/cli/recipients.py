"""`threadline recipients show|opt-out|opt-in|zone`: a recipient's consent and time zone, in the database."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated
from uuid import uuid4

import typer

from app.cli.support.client import client_of
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.key_names import key_names, with_name
from app.cli.support.store import in_store, note, user
from app.cli.support.terminal import MISUSED, entry, fields, minute, print_error
from app.clients.shown_recipients import recipient_json, recipient_of
from app.sending.consent import ALL, consent_event
from app.sending.zones import zone_named
from schemas import SchemaError
from schemas.events import CHANNELS, Handle
from sql import EventStore

recipients = typer.Typer(
    name="recipients",
    no_args_is_help=True,
    help="Show and change recipients: consent by channel, and time zone.",
)

Recipient = Annotated[
    str,
    typer.Argument(metavar="HANDLE", help="The recipient: +15551234567, ana@example.com, or kind:value."),
]
Client = Annotated[
    str | None,
    typer.Option(help="The client id of the recipient; by default that of THREADLINE_API_KEY, else default."),
]
Channel = Annotated[str, typer.Option(help="sms, email, …; * means all channels.")]


@recipients.command()
def show(handle: Recipient, client: Client = None, as_json: AsJson = False) -> int:
    """Show a recipient's time zone, and consent by channel."""

    async def write(store: EventStore, client: str, handle: Handle) -> int:
        await note(store, "recipient.read", client, handle.kind)
        return (
            print_json(await recipient_json(store, client, handle)) if as_json else await _print(store, client, handle)
        )

    return _with(handle, None, client, write)


@recipients.command()
def opt_out(handle: Recipient, client: Client = None, channel: Channel = ALL) -> int:
    """Opt a recipient out: no more messages are sent to them."""
    return _consent(handle, channel, "out", client)


@recipients.command()
def opt_in(handle: Recipient, client: Client = None, channel: Channel = ALL) -> int:
    """Opt a recipient in again. Opting out of all channels and of one of them takes two opt-ins."""
    return _consent(handle, channel, "in", client)


@recipients.command()
def zone(
    handle: Recipient,
    name: Annotated[str | None, typer.Argument(help="Such as Europe/Lisbon; without it the zone is removed.")] = None,
    client: Client = None,
) -> int:
    """Set or remove a recipient's time zone."""
    try:
        if name is not None:
            zone_named(name, "zone")
    except SchemaError as error:
        return print_error(str(error), MISUSED)

    async def change(store: EventStore, client: str, handle: Handle) -> int:
        await store.set_profile(client, handle, zone=name)
        await note(store, "recipient.set", client, handle.kind)
        return await _print(store, client, handle)

    return _with(handle, None, client, change)


def _consent(text: str, channel: str, state: str, client: str | None) -> int:
    """Append an event that opts the recipient `out` or `in`, with the name of this user; return the exit code."""
    if channel != ALL and channel not in CHANNELS:
        return print_error(
            f"There is no channel {channel}. The channels: {', '.join(CHANNELS)}, or {ALL} for all.", MISUSED
        )

    async def append(store: EventStore, client: str, handle: Handle) -> int:
        now = datetime.now(UTC)
        event = consent_event(handle, channel, state, _agent(), now, str(uuid4()))
        await store.append([(event, client, now, None)])
        await note(store, "consent.set", client, event.source_event_id)
        return await _print(store, client, handle)

    return _with(text, None if channel == ALL else channel, client, append)


def _with(
    text: str, channel: str | None, client: str | None, work: Callable[[EventStore, str, Handle], Awaitable[int]]
) -> int:
    """Run `work` with the store open, the client id and the recipient's handle; return the exit code, 2 for no handle."""
    try:
        handle = recipient_of(text, channel)
    except ValueError as error:
        return print_error(f"{text!r} names no recipient: {error}.", MISUSED)

    async def within(store: EventStore) -> int:
        return await work(store, await client_of(store, client), handle)

    return in_store(within)


async def _print(store: EventStore, client: str, handle: Handle) -> int:
    known = await recipient_json(store, client, handle)
    title = f"{handle.kind}:{handle.value} of client {client}, zone {known['zone'] or 'not known'}"
    names = await key_names(store, [one["basis"] for one in known["consents"]])
    print(entry(title if known["consents"] else f"{title}: no consent on record."))
    for one in known["consents"]:
        times = fields(out_since=minute(one["since"]), in_again=minute(one["until"]))
        print(entry(f"{one['channel']} {one['state']}", times, fields(basis=with_name(one["basis"], names))))
    return 0


def _agent() -> str:
    return f"command line, {name}" if (name := user()) else "command line"
