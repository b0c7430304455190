"""Applies the files of `migrations/` to a database, in order, each once."""

from hashlib import sha256

import psycopg
from psycopg import AsyncConnection

from sql.statements import migrations, statement

#: Creates the role that all other migrations run as, so it runs as the role that connects.
ROLES = "0000_roles"


class MigrationError(Exception):
    """The database cannot be migrated; the message says why, and what to do."""


#: The oldest release of PostgreSQL that has all features which the migrations use (`ALTER COLUMN … SET EXPRESSION`, in 0016).
OLDEST = 17


async def migrate(owner_dsn: str) -> list[str]:
    """Apply the missing migrations, each in a transaction of its own; return their names.

    `owner_dsn` connects as the database's owner, or as a role that may create roles and schemas in it. Concurrent calls
    wait for one another. Raises MigrationError if a released migration was edited, the database is newer than this
    code, the server is older than `OLDEST`, the role lacks a privilege, or a migration refuses what the database has; psycopg.OperationalError if the server is
    away.
    """
    async with await AsyncConnection.connect(owner_dsn, autocommit=True) as connection:
        _check_release(connection)
        await connection.execute(statement("migrations_lock"))
        applied = await _applied(connection)
        known = migrations()
        _compare(applied, known)
        missing = [name for name in known if name not in applied]
        for name in missing:
            await _apply(connection, name, known[name], as_owner=name != ROLES)
        return missing


async def pending(dsn: str) -> list[str]:
    """Return the names of the missing migrations; any of our roles may call it. Raises as `migrate` does."""
    async with await AsyncConnection.connect(dsn, autocommit=True) as connection:
        _check_release(connection)
        applied = await _applied(connection)
    known = migrations()
    _compare(applied, known)
    return [name for name in known if name not in applied]


async def _applied(connection: AsyncConnection) -> dict[str, str]:
    exists = await (await connection.execute(statement("migrations_exist"))).fetchone()
    if exists is None or not exists[0]:
        return {}
    return dict(await (await connection.execute(statement("migrations_applied"))).fetchall())


def _check_release(connection: AsyncConnection) -> None:
    found = connection.info.server_version // 10000
    if found < OLDEST:
        raise MigrationError(
            f"this PostgreSQL is release {found}; Threadline needs {OLDEST} or newer (it is tested on 18): upgrade the "
            "server, or leave THREADLINE_POSTGRES__DSN out to use the embedded one"
        )


def _compare(applied: dict[str, str], known: dict[str, bytes]) -> None:
    for name, checksum in applied.items():
        if name not in known:
            raise MigrationError(f"the database has the migration {name}, which this version does not know: upgrade it")
        if checksum != _checksum(known[name]):
            raise MigrationError(
                f"migrations/{name}.sql was edited after it was applied: restore it, and add a new one"
            )


async def _apply(connection: AsyncConnection, name: str, text: bytes, *, as_owner: bool) -> None:
    try:
        async with connection.transaction():
            if as_owner:
                await connection.execute(statement("become_owner"))
            await connection.execute(text)
            recorded = {"name": name, "checksum": _checksum(text)}
            await connection.execute(statement("migrations_record"), recorded)
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.RaiseException) as error:
        hint = f" ({error.diag.message_hint})" if error.diag.message_hint else ""
        raise MigrationError(f"{name}: {error.diag.message_primary}{hint}") from error
    except psycopg.ProgrammingError as error:
        raise MigrationError(f"{name}: {error}") from error


def _checksum(text: bytes) -> str:
    return sha256(text).hexdigest()
