"""Keeps a process from starting on a restored database that does not know erasures of the ledger."""

import asyncio
import sys
from itertools import islice
from pathlib import Path

import psycopg
import structlog

from app.auditing.anchors import private_key
from app.erasing.ledger import read_ledger
from app.settings import Settings
from sql import EventStore
from sql.sealing import Seal

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
        unknown = asyncio.run(_unknown(settings, file, dsn.get_secret_value()))
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


async def _unknown(settings: Settings, file: Path, dsn: str) -> int:
    """Return how many erasures of the ledger the database does not know."""
    keys = [private_key(settings.audit.key.get_secret_value()).public_key()] if settings.audit.key else None
    lines, unknown = read_ledger(file, keys), 0
    async with await EventStore.open(dsn, Seal(()), pool=1) as store:
        while some := list(islice(lines, AT_ONCE)):
            unknown += len(await store.erasures_unknown([line.erasure for line in some]))
    return unknown


def _refused(words: str) -> bool:
    log.critical("erasures_unknown", reason=words)
    print(words, file=sys.stderr)
    return False
