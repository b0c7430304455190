"""`threadline migrate`."""

import asyncio
import sys

import psycopg

from app.embedded.running import resolve
from app.settings import Settings
from sql.migrate import MigrationError, migrate


def owner_dsn() -> str:
    """The connection URI of the role that owns the schema: as configured, or the embedded database's where nothing is.
    Kafka need not be configured. Ends the command (SystemExit) with a message where there is none."""
    settings = Settings()
    if settings.postgres.owner_dsn is None and settings.postgres.dsn is None:
        settings = resolve(settings)
    if settings.postgres.owner_dsn is None:
        raise SystemExit("This needs the role that owns the schema: set THREADLINE_POSTGRES__OWNER_DSN.")
    return settings.postgres.owner_dsn.get_secret_value()


def run() -> int:
    """Migrate, and say what was done; 1 where it cannot be done."""
    try:
        applied = asyncio.run(migrate(owner_dsn()))
    except (MigrationError, psycopg.OperationalError) as error:
        print(f"Not migrated: {error}", file=sys.stderr)
        return 1
    print("\n".join(f"applied {name}" for name in applied) or "The database is up to date.")
    return 0
