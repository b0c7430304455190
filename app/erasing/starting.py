"""Keeps a process from reading a restored database that does not know erasures of the ledger."""

import asyncio
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import psycopg
import structlog

from app.auditing.anchors import private_key
from app.erasing.ledger import read_ledger
from app.keys.starting import pause_only
from app.settings import Settings
from sql import EventStore
from sql.sealing import Seal
from webhooks.cancelled import rest

#: Erasures that are asked for at once.
AT_ONCE = 1000
#: Seconds between two tries while the database is away, or lacks erasures.
AGAIN = 2.0

log = structlog.get_logger(__name__)


def ledger_known(settings: Settings, pause: Callable[[float], bool] | None = pause_only) -> bool:
    """Return whether the process may start: the database knows each erasure of the ledger, or there is no ledger. Why not is printed.
    While the database is away it is waited for: `pause` waits for so many seconds, and returns whether the process is to end. None: the
    process starts then, and has to see to it that nothing is read before (`Compared`)."""
    while True:
        try:
            why = lacks(settings)
        except psycopg.OperationalError as error:
            log.warning("erasures_not_compared", error=type(error).__name__)
            if pause is None:
                return True
            if pause(AGAIN):
                return False
            continue
        if why is not None:
            log.critical("erasures_unknown", reason=why)
            print(why, file=sys.stderr)
        return why is None


class Compared:
    """Whether the database of a process that runs already was found to know the ledger's erasures. `why` says why not yet, in words;
    None: it does."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.why: str | None = "the database was not compared with the ledger of erasures yet"
        if settings.erasure.ledger is None:
            self.why = None

    async def run(self) -> None:
        """Compare until the database knows each erasure, as it does once they were repeated."""
        while self.why is not None:
            try:
                why = await asyncio.to_thread(lacks, self._settings)
            except psycopg.Error as error:  # away, or without a schema
                log.warning("erasures_not_compared", error=type(error).__name__)
            else:
                if why is not None and why != self.why:
                    log.critical("erasures_unknown", reason=why)
                self.why = why
            if self.why is not None:
                await rest(AGAIN)


def lacks(settings: Settings) -> str | None:
    """Return why the database may not be read: it lacks erasures of the ledger, or that cannot be read; None where it may. Raises
    psycopg.OperationalError while the database is away. Not to be called by a task: it runs a loop of its own."""
    file, dsn = settings.erasure.ledger, settings.postgres.dsn
    if file is None or dsn is None or not file.exists():
        return None
    try:
        unknown = asyncio.run(_unknown(settings, file, dsn.get_secret_value()))
    except (OSError, ValueError) as error:
        return f"the ledger of erasures cannot be read: {error}"
    if not unknown:
        return None
    return (
        f"the ledger {file} has {unknown} erasures that this database does not know: it was restored to a time before them. "
        f"Repeat them first: threadline erasure replay {file}"
    )


async def _unknown(settings: Settings, file: Path, dsn: str) -> int:
    """Return how many erasures of the ledger the database does not know."""
    keys = [private_key(settings.audit.key.get_secret_value()).public_key()] if settings.audit.key else None
    lines, unknown = read_ledger(file, keys), 0
    async with await EventStore.open(dsn, Seal(()), pool=1) as store:
        while some := list(islice(lines, AT_ONCE)):
            unknown += len(await store.erasures_unknown([line.erasure for line in some]))
    return unknown
