"""`threadline callbacks list|show|rotate|enable|replay`: the callbacks of clients, read and changed in the database."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import typer
from rich.console import Console
from rich.text import Text

from app.api.callbacks import STATES, callback_json, delivery_json
from app.cli.support.client import client_of
from app.cli.support.json_output import AsJson, print_json
from app.cli.support.store import actor, opened
from app.cli.support.terminal import FAILED, MISUSED, entry, fields, minute, print_error, print_lines, print_note
from app.cli.support.times import FORMS, time_given
from app.clients.callbacks import ClientCallbacks
from app.clients.configured import Clients
from app.embedded.running import resolve
from app.keys import seal_of
from app.numbered import numbered
from app.settings.loading import load
from sql import EventStore
from sql.sealing import NoKey

callbacks = typer.Typer(
    name="callbacks",
    no_args_is_help=True,
    help="""Show and change callbacks: the webhooks that report to clients what became of their messages.

A client's configuration names the URL:

\b
  "callback": {"url": "https://shop.example.com/callback"}

\b
  threadline callbacks rotate shop    print a new signing secret, once
  threadline callbacks show shop      its state and latest deliveries
  threadline callbacks enable shop    deliver again after it was disabled
  threadline callbacks replay shop --since 2h
""",
)

ClientId = Annotated[str, typer.Argument(metavar="CLIENT", help="The client id.")]


@callbacks.command("list")
def list_(as_json: AsJson = False) -> int:
    """List all callbacks: URL, state, and how many deliveries wait."""

    async def read(store: EventStore, _: ClientCallbacks) -> int:
        rows = await store.callbacks()
        if as_json:
            return print_json([callback_json(row) | {"waiting": row["waiting"]} for row in rows])
        for row in rows:
            shown = callback_json(row)
            print(
                entry(
                    f"client {shown['clientId']}, {shown['state']}",
                    shown["url"],
                    fields(waiting=row["waiting"], since=minute(row["disabled_at"] or row["failing_since"])),
                    shown["disabledReason"] or "",
                )
            )
        if not rows:
            print_lines(
                'There are no callbacks yet. A client\'s configuration names one: "callback": {"url": "https://…"}.'
            )
        return 0

    return _run(read)


@callbacks.command()
def show(
    client: ClientId,
    state: Annotated[
        str | None, typer.Option(help="Only the deliveries in this state: waiting, delivered or failed.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, max=200, help="The number of deliveries, newest first.")] = 20,
    as_json: AsJson = False,
) -> int:
    """Show a client's callback and its latest deliveries."""
    if state is not None and state not in STATES:
        return print_error(f"A delivery's state is one of: {', '.join(STATES)}.", MISUSED)

    async def read(store: EventStore, callbacks: ClientCallbacks) -> int:
        row = await callbacks.of(client)
        if row is None:
            return _none(client)
        shown = callback_json(row)
        rows = await store.deliveries(client, state, limit)
        if as_json:
            return print_json(shown | {"deliveries": [delivery_json(each) for each in rows]})
        since = _time(row["disabled_at"] or row["failing_since"])
        why = " ".join(part for part in (since and f"since {since}", shown["disabledReason"]) if part)
        console = Console(soft_wrap=True)
        console.print(Text(f"{shown['url']}\n{shown['state']} {why}".strip()))
        types = ", ".join(shown["types"]) or "every type"
        console.print(
            Text(f"event types: {types}; at most {numbered(shown['concurrency'], 'delivery', 'deliveries')} at once")
        )
        for each in map(delivery_json, rows):
            print(
                entry(
                    f"{_time(each['recordedAt'])}  {each['type']}",
                    fields(message=each["messageId"], event=each["eventId"]),
                    fields(state=each["state"], tries=each["attempts"], status=each["status"], error=each["error"]),
                )
            )
        if not rows:
            print("No deliveries.")
        return 0

    return _run(read, client)


@callbacks.command()
def rotate(client: ClientId) -> int:
    """Make a new signing secret and print it, this once. The earlier ones keep signing for 24 hours."""

    async def make(_: EventStore, callbacks: ClientCallbacks) -> int:
        try:
            secret = await callbacks.rotate(client, actor())
        except NoKey as error:
            return print_error(str(error))
        if secret is None:
            return _none(client)
        print_note(f"The secret of {client}'s callback. It is shown this once; earlier ones keep signing for 24 hours.")
        print(secret)
        return 0

    return _run(make, client)


@callbacks.command()
def enable(client: ClientId) -> int:
    """Enable a callback that was disabled. Its waiting deliveries are due at once."""

    async def begin(store: EventStore, callbacks: ClientCallbacks) -> int:
        if await callbacks.of(client) is None or (waiting := await store.enable_callback(client, actor())) is None:
            return _none(client)
        due = numbered(waiting, "delivery is due", "deliveries are due")
        return print_note(f"The callback of {client} is enabled; {due}.")

    return _run(begin, client)


@callbacks.command()
def replay(
    client: ClientId,
    id: Annotated[list[UUID] | None, typer.Option(help="An event's id. Repeatable.")] = None,
    since: Annotated[str | None, typer.Option(help=f"Events recorded since: {FORMS}.")] = None,
    until: Annotated[str | None, typer.Option(help="… and before this; by default now.")] = None,
) -> int:
    """Deliver events to a callback again, by their ids or by when they were recorded."""
    if bool(id) == bool(since) or (until and not since):
        return print_error("Give either --id (repeatable), or --since and perhaps --until.", MISUSED)
    now = datetime.now(UTC)
    begins, ends = time_given("--since", since, now), time_given("--until", until, now)
    span = None if begins is None else (begins, ends or now)

    async def again(store: EventStore, _: ClientCallbacks) -> int:
        if span is None:
            return print_note(f"{_again(await store.replay_ids(client, id or []))}.")
        count, following = await store.replay_span(client, *span)
        rest = f" More are left: --since {following.isoformat()}" if following else ""
        return print_note(f"{_again(count)}.{rest}")

    return _run(again, client)


def _again(count: int) -> str:
    return numbered(count, "delivery waits again", "deliveries wait again")


def _run(work: Callable[[EventStore, ClientCallbacks], Awaitable[int]], client: str | None = None) -> int:
    """Run `work` with the store open, for a client whose key is checked first; return its exit code."""
    settings = resolve(load())

    async def run() -> int:
        async with opened(settings) as store:
            if client is not None:
                await client_of(store, client)
            return await work(store, ClientCallbacks(store, Clients(store, settings), seal_of(settings)))

    return asyncio.run(run())


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}" if time else ""


def _none(client: str) -> int:
    return print_error(
        f'{client} has no callback. Its configuration names one, as "callback": {{"url": "https://…"}}.', FAILED
    )
