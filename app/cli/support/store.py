"""The database as commands use it: opened by the settings, with errors that say what to do, and the name of the user."""

import asyncio
import os
import pwd
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg

from app.cli.support.connecting import ADVICE, attempts, cause
from app.embedded.running import resolve
from app.keys import seal_of
from app.settings import Settings
from app.settings.loading import load
from sql import EventStore
from sql.audited import Entry
from sql.origin import ORIGIN, Origin


@asynccontextmanager
async def opened(settings: Settings | None = None) -> AsyncIterator[EventStore]:
    """Open the store. Ends the command (SystemExit) with a message where nothing runs or PostgreSQL cannot be reached."""
    resolved = settings or resolve(load())
    assert resolved.postgres.dsn is not None  # `resolve` sees to that
    ORIGIN.set(Origin(actor()))
    with attempts() as failed:
        store = await EventStore.open(
            resolved.postgres.dsn.get_secret_value(), seal_of(resolved), pool=2, direct=resolved.postgres.direct
        )
        try:
            yield store
        except psycopg.errors.UndefinedTable as error:
            raise SystemExit("The database has no tables yet. Make them: threadline migrate") from error
        except psycopg.OperationalError as error:
            raise SystemExit(f"PostgreSQL cannot be reached: {failed.last or cause(error)}. {ADVICE}") from error
        finally:
            await store.close()


def in_store(work: Callable[[EventStore], Awaitable[int]]) -> int:
    """Run `work` with the store open and return its exit code."""

    async def run() -> int:
        async with opened() as store:
            return await work(store)

    return asyncio.run(run())


def user() -> str | None:
    """Return the name of the account that runs the command, by the system and not by a variable that says so; None for one without a
    name, as in containers."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None


def actor() -> str:
    """Return the name that the audit records for changes by a command."""
    return f"cli:{user() or 'unknown'}"


async def note(store: EventStore, action: str, client: str, subject: str) -> None:
    """Write an entry of a command that reads personal data to the audit, before it prints them; likewise of a change that the store
    does not audit itself."""
    await store.record_audit([Entry(actor(), action, client, subject)])
