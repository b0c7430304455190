"""The store as a command sees it: opened as the settings say, who changes it, and an error that a person can do something
about."""

import asyncio
import getpass
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg

from app.embedded.running import resolve
from app.settings import Settings
from sql import EventStore


@asynccontextmanager
async def opened(settings: Settings | None = None) -> AsyncIterator[EventStore]:
    """The store. Ends the command (SystemExit) with a message where nothing runs or PostgreSQL cannot be reached."""
    resolved = settings or resolve(Settings())
    assert resolved.postgres.dsn is not None  # `resolve` sees to that
    store = await EventStore.open(resolved.postgres.dsn.get_secret_value(), pool=1)
    try:
        yield store
    except psycopg.errors.UndefinedTable as error:
        raise SystemExit("The database has no tables yet. Make them: threadline migrate") from error
    except psycopg.OperationalError as error:
        raise SystemExit(f"PostgreSQL cannot be reached ({error}). What is wrong? threadline doctor") from error
    finally:
        await store.close()


def in_store(work: Callable[[EventStore], Awaitable[int]]) -> int:
    """Do it with the store open; returns the exit code."""

    async def run() -> int:
        async with opened() as store:
            return await work(store)

    return asyncio.run(run())


def user() -> str | None:
    """Who runs the command; None where the account has no name, as in containers."""
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return None


def actor() -> str:
    """Who changes something by a command, as the audit names it."""
    return f"cli:{user() or 'unknown'}"
