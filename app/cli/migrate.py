"""`threadline migrate`: apply the missing migrations."""

import asyncio

import psycopg

from app.cli.support.connecting import ADVICE, cause
from app.cli.support.terminal import print_error
from app.embedded.running import resolve
from app.settings.loading import load
from sql.migrate import MigrationError
from sql.migrate import migrate as apply


def owner_dsn() -> str:
    """Return the connection URI of the role that owns the schema, by default that of the embedded database.

    Kafka need not be configured. Ends the command (SystemExit) where there is no such role."""
    settings = load()
    if settings.postgres.owner_dsn is None and settings.postgres.dsn is None:
        settings = resolve(settings)
    if settings.postgres.owner_dsn is None:
        raise SystemExit("This needs the role that owns the schema: set THREADLINE_POSTGRES__OWNER_DSN.")
    return settings.postgres.owner_dsn.get_secret_value()


def migrate() -> int:
    """Apply the missing migrations to the database's schema and roles. Safe to repeat."""
    try:
        applied = asyncio.run(apply(owner_dsn()))
    except MigrationError as error:
        return print_error(f"Not migrated: {error}")
    except psycopg.OperationalError as error:
        return print_error(f"Not migrated: {cause(error)}. {ADVICE}")
    print("\n".join(f"applied {name}" for name in applied) or "The database is up to date.")
    return 0
