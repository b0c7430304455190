"""Checks connection strings of PostgreSQL."""

from pydantic import SecretStr


def readable(dsn: SecretStr | None) -> SecretStr | None:
    """Return a connection string that libpq can read. Raises ValueError, which has nothing of it: it may hold a password."""
    from psycopg import (
        ProgrammingError,  # imported here, since psycopg takes long to import and many commands need no database
    )
    from psycopg.conninfo import conninfo_to_dict

    try:
        conninfo_to_dict(dsn.get_secret_value() if dsn else "")
    except ProgrammingError:
        raise ValueError(
            "must be a connection string of PostgreSQL: postgresql://USER:PASSWORD@HOST/DATABASE"
        ) from None
    return dsn
