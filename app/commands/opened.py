"""The store as a command sees it: opened as the settings say, and an error that a person can do something about."""

from collections.abc import AsyncIterator
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
