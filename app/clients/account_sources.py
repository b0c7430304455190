"""The door's copy of clients' accounts, used to recognise their webhooks without a query to the database.

It follows the database's log of account changes, within `EVERY` seconds. It is also stored in the data folder, encrypted like
the accounts themselves and readable by this user alone, so that a door can start while the database is away. An account is
decrypted when its first webhook comes; where that fails, only this account is affected.
"""

import asyncio
import base64
import contextlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import orjson
import psycopg
import structlog

from adapters import ADAPTERS
from adapters.contract import Adapter, Values
from app.clients.accounts import Account, UnknownAccount, opened
from app.keys import seal_of
from app.settings import Settings
from sql import EventStore
from sql.sealing import NoKey, Seal, Tampered
from webhooks.cancelled import pass_on, rest
from webhooks.recognise import DOOR, AccountUnavailable

log = structlog.get_logger(__name__)

#: Seconds between queries for changes, and for which `start` waits for the first.
EVERY, PATIENCE = 2.0, 2.0
#: Least seconds between two writings of the file.
WRITE_EVERY = 5.0
FILE = Path("accounts.sealed")
#: Most accounts that are kept decrypted.
OPEN = 1024
_CONTEXT = "copy of accounts"
_COLUMNS = ("client_id", "name", "adapter", "source", "url", "trusted")
_PAGE = 1000

Key = tuple[str, str]
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class AccountSource:
    """An account as a source of `webhooks.recognise`."""

    adapter: str
    client: str
    url: str | None
    values: Values = field(repr=False)
    accept_unsigned: bool = False


def webhook_path(client_id: str, name: str) -> str:
    """Return the path on the door's host to which the provider of a client's account posts."""
    return f"{DOOR}/{quote(client_id, safe='')}/{quote(name, safe='')}"


class AccountSources:
    """The copy. `start` it with the store, `find` in it, `stop` it."""

    def __init__(self, settings: Settings) -> None:
        self._seal, self._file = seal_of(settings), settings.data / FILE
        self._rows: dict[Key, Row] | None = None
        self._open: dict[Key, tuple[str, Adapter, AccountSource]] = {}
        #: The last change in the copy; None while it is only what the file held.
        self._change: int | None = None
        self._task: asyncio.Task[None] | None = None
        self._unwritten = False
        self._written_at = float("-inf")
        self._trouble: str | None = None
        self._looked = asyncio.Event()

    def find(self, name: str) -> tuple[str, Adapter, AccountSource] | None:
        """Return the account that a URL names as `client/account`: its events' source, its adapter, itself. Raises
        AccountUnavailable."""
        client, slash, account = name.partition("/")
        if not slash:
            return None
        if self._rows is None:
            raise AccountUnavailable(
                "the accounts of clients were never read: the database has been away since the start"
            )
        key = (client, account)
        if (found := self._open.get(key)) is None and (row := self._rows.get(key)) is not None:
            if len(self._open) >= OPEN:
                self._open.clear()
            found = self._open[key] = _source_of(row, self._seal)
        return found

    def reopen(self) -> None:
        """Open each account anew when its next webhook comes, since a definition file may have changed its adapter."""
        self._open.clear()

    async def start(self, store: EventStore) -> None:
        """Read the file, then follow the store in a task. Return within `PATIENCE` seconds, also while the database is away."""
        await asyncio.to_thread(self._read)
        self._task = asyncio.create_task(self._follow(store), name="accounts")
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE):
                await self._looked.wait()

    async def stop(self) -> None:
        """Stop following; write what is not written yet."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        if self._unwritten:
            await asyncio.to_thread(self._write)

    async def _follow(self, store: EventStore) -> None:
        while True:
            try:
                await self.refresh(store)
                self._trouble = None
            except (psycopg.Error, OSError) as error:
                pass_on(error)
                self._note("the accounts of clients cannot be read", error)
            except Exception as error:  # whatever it is, the present copy stays in use, and the door open
                pass_on(error)
                self._note("the copy of clients' accounts cannot be kept up", error)
            self._looked.set()
            await rest(EVERY)

    async def refresh(self, store: EventStore) -> None:
        """Read the changes since the last time, or everything at first and after a restore of the database. Raises psycopg's
        errors."""
        last = await store.last_account_change()
        if self._change is None or last < self._change:
            await self._take_over(store, {}, 0)
        elif last > self._change:
            await self._take_over(store, self._rows or {}, self._change)
        now = asyncio.get_running_loop().time()
        if self._unwritten and now > self._written_at + WRITE_EVERY:
            self._written_at = now
            await asyncio.to_thread(self._write)

    async def _take_over(self, store: EventStore, rows: dict[Key, Row], change: int) -> None:
        while page := await store.account_changes(change, _PAGE):
            for row in page:
                key = (row["client_id"], row["name"])
                self._open.pop(key, None)
                if row["sealed"] is None:
                    rows.pop(key, None)
                else:
                    rows[key] = {name: row[name] for name in _COLUMNS} | {"sealed": bytes(row["sealed"])}
            change = page[-1]["change"]
        if rows is not self._rows:
            self._open.clear()
        self._rows, self._change, self._unwritten = rows, change, True

    def _read(self) -> None:
        try:
            plain = self._seal.unseal(self._file.read_bytes(), _CONTEXT)
            rows: Sequence[Row] = orjson.loads(plain)
            self._rows = {
                (row["client_id"], row["name"]): row | {"sealed": base64.b64decode(row["sealed"])} for row in rows
            }
        except FileNotFoundError:
            return
        except (OSError, NoKey, Tampered, ValueError, KeyError, TypeError) as error:
            self._note("the copy of clients' accounts cannot be read, and is recreated", error)
            self._trouble = None

    def _write(self) -> None:
        rows = [row | {"sealed": base64.b64encode(row["sealed"]).decode()} for row in list((self._rows or {}).values())]
        self._unwritten = False
        new = self._file.with_name(f"{FILE}.{os.getpid()}")
        try:
            sealed = self._seal.seal(orjson.dumps(rows), _CONTEXT)
            self._file.parent.mkdir(parents=True, exist_ok=True)
            new.unlink(missing_ok=True)
            with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(sealed)
                file.flush()
                os.fsync(file.fileno())
            new.replace(self._file)
        except NoKey:  # then no account opens either
            return
        except OSError as error:
            self._unwritten = True
            self._note("the copy of clients' accounts cannot be written", error)

    def _note(self, what: str, error: Exception) -> None:
        """Log an error once, not every time."""
        if self._trouble != what:
            log.warning(what, error=f"{type(error).__name__}: {error}")
        self._trouble = what


def _source_of(row: Mapping[str, Any], seal: Seal) -> tuple[str, Adapter, AccountSource]:
    try:
        account: Account = opened(row, seal)
    except UnknownAccount as error:
        raise AccountUnavailable(f"client {row['client_id']}: {error}") from error
    source = AccountSource(account.adapter.name, row["client_id"], account.url, account.values)
    return account.source, ADAPTERS[account.adapter.name], source
