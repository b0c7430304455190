"""Keeps a process from starting on a restored database that does not know erasures of the ledger."""

import sys
from collections.abc import Iterator
from itertools import islice
from uuid import UUID

import psycopg
import structlog

from app.auditing.anchors import private_key
from app.erasing.ledger import read_ledger
from app.settings import Settings
from sql.pool import vigilant
from sql.statements import statement

#: Erasures that are asked for at once.
AT_ONCE = 1000

log = structlog.get_logger(__name__)


def ledger_known(settings: Settings) -> bool:
    """Return whether the process may start: the database knows each erasure of the ledger, or there is no ledger, or the database is
    away, so that nothing can be read from it either. Why not is printed."""
    file, dsn = settings.erasure.ledger, settings.postgres.dsn
    if file is None or dsn is None or not file.exists():
        return True
    try:
        unknown = sum(1 for _ in _unknown(settings, dsn.get_secret_value()))
    except psycopg.OperationalError as error:
        log.warning("erasures_not_compared", error=type(error).__name__)
        return True
    except (OSError, ValueError) as error:
        return _refused(f"the ledger of erasures cannot be read: {error}")
    if unknown:
        return _refused(
            f"the ledger {file} has {unknown} erasures that this database does not know: it was restored to a time before them. "
            f"Repeat them first: threadline erasure replay {file}"
        )
    return True


def _unknown(settings: Settings, dsn: str) -> Iterator[UUID]:
    keys = [private_key(settings.audit.key.get_secret_value()).public_key()] if settings.audit.key else None
    given = {"connect_timeout": 5, **vigilant(dsn)}
    with psycopg.connect(dsn, autocommit=True, **given) as connection:
        connection.execute(statement("session"))
        assert settings.erasure.ledger is not None
        lines = read_ledger(settings.erasure.ledger, keys)
        while some := list(islice(lines, AT_ONCE)):
            ids = [line.erasure for line in some]
            known = {row[0] for row in connection.execute(statement("erasures_known"), {"ids": ids})}
            yield from set(ids) - known


def _refused(words: str) -> bool:
    log.critical("erasures_unknown", reason=words)
    print(words, file=sys.stderr)
    return False
