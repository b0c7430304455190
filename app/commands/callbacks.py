"""`threadline callbacks list|show|rotate|enable|replay`: straight in the store."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from uuid import UUID

from rich.console import Console
from rich.text import Text

from app.api.callbacks import STATES, callback_json, delivery_json
from app.clients.callbacks import Callbacks
from app.clients.configured import Clients
from app.clients.seal import NoKey, Seal
from app.commands.acting import client_of
from app.commands.opened import actor, opened
from app.commands.terminal import FAILED, MISUSED, add_row, entry, said, say, table
from app.declared import register
from app.embedded.running import resolve
from app.settings import Settings
from schemas.times import instant
from sql import EventStore


def show_all() -> int:
    """Print every callback that was ever told of."""

    async def read(store: EventStore, _: Callbacks) -> int:
        listed = table("client", "URL", "state", "since", "why", "waiting")
        for row in await store.callbacks():
            one = callback_json(row)
            since = _time(row["disabled_at"] or row["failing_since"])
            add_row(listed, one["clientId"], one["url"], one["state"], since, one["disabledReason"], row["waiting"])
        nothing = (
            'There are no callbacks yet. A client\'s configuration names one, as "callback": {"url": "https://…"}.'
        )
        Console().print(listed if listed.row_count else nothing)
        return 0

    return _run(read)


def show(client: str, *, state: str | None, limit: int) -> int:
    """Print one with its latest deliveries."""
    if state is not None and state not in STATES:
        return say(f"A delivery's state is one of: {', '.join(STATES)}.", MISUSED)

    async def read(store: EventStore, callbacks: Callbacks) -> int:
        row = await callbacks.of(client)
        if row is None:
            return _none(client)
        one = callback_json(row)
        since = _time(row["disabled_at"] or row["failing_since"])
        why = " ".join(part for part in (since and f"since {since}", one["disabledReason"]) if part)
        console = Console(soft_wrap=True)
        console.print(Text(f"{one['url']}\n{one['state']} {why}".strip()))
        console.print(Text(f"told: {', '.join(one['types']) or 'every type'}; at most {one['concurrency']} at once"))
        rows = await store.deliveries(client, state, limit)
        for each in map(delivery_json, rows):
            print(
                entry(
                    f"{_time(each['recordedAt'])}  {each['type']}",
                    said(message=each["messageId"], event=each["eventId"]),
                    said(state=each["state"], tries=each["attempts"], status=each["status"], error=each["error"]),
                )
            )
        if not rows:
            print("No deliveries.")
        return 0

    return _run(read, client)


def rotate(client: str) -> int:
    """Make a new secret and print it, this once, on standard output; what is said of it goes to standard error."""

    async def make(_: EventStore, callbacks: Callbacks) -> int:
        try:
            secret = await callbacks.rotate(client, actor())
        except NoKey as error:
            return say(str(error), FAILED)
        if secret is None:
            return _none(client)
        say(f"The secret of {client}'s callback. It is shown this once; those before it sign on for 24 hours.", 0)
        print(secret)
        return 0

    return _run(make, client)


def enable(client: str) -> int:
    """Begin again with it."""

    async def begin(store: EventStore, callbacks: Callbacks) -> int:
        if await callbacks.of(client) is None or (waiting := await store.enable_callback(client, actor())) is None:
            return _none(client)
        return say(f"The callback of {client} is enabled; {waiting} deliveries are due.", 0)

    return _run(begin, client)


def replay(client: str, *, ids: list[UUID], since: str | None, until: str | None) -> int:
    """Tell again what was told, or was to be."""
    if bool(ids) == bool(since) or (until and not since):
        return say("Give either --id (repeatable), or --since and perhaps --until.", MISUSED)
    try:
        span = (instant(since), instant(until) if until else datetime.now(UTC)) if since else None
    except ValueError as error:
        return say(f"A time {error}.", MISUSED)

    async def again(store: EventStore, _: Callbacks) -> int:
        if span is None:
            return say(f"{await store.replay_ids(client, ids)} deliveries wait again.", 0)
        count, following = await store.replay_span(client, *span)
        rest = f" More are left: --since {following.isoformat()}" if following else ""
        return say(f"{count} deliveries wait again.{rest}", 0)

    return _run(again, client)


def _run(work: Callable[[EventStore, Callbacks], Awaitable[int]], client: str | None = None) -> int:
    settings = resolve(register(Settings()))

    async def run() -> int:
        async with opened(settings) as store:
            if client is not None:
                await client_of(store, client)
            return await work(store, Callbacks(store, Clients(store, settings), Seal.of(settings)))

    return asyncio.run(run())


def _time(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d %H:%M:%S}" if time else ""


def _none(client: str) -> int:
    return say(f'{client} has no callback. Its configuration names one, as "callback": {{"url": "https://…"}}.', FAILED)
