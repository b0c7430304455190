"""`threadline migrate`."""

import asyncio
import sys

import psycopg

from app.settings import Settings
from sql.migrate import MigrationError, migrate


def run() -> int:
    """Migrate, and say what was done; 1 where it cannot be done."""
    from app.embedded.running import resolve

    dsn = resolve(Settings()).postgres.owner_dsn
    if dsn is None:
        print("No database is configured: set THREADLINE_POSTGRES__OWNER_DSN, or run `threadline up`.", file=sys.stderr)
        return 1
    try:
        applied = asyncio.run(migrate(dsn.get_secret_value()))
    except (MigrationError, psycopg.OperationalError) as error:
        print(f"Not migrated: {error}", file=sys.stderr)
        return 1
    print("\n".join(f"applied {name}" for name in applied) or "The database is up to date.")
    return 0
