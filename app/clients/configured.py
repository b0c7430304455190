"""Reads clients and their accounts as they are configured now: in the store, else by the sources of the settings.

A change takes effect within `ttl` seconds, in every process, without a restart.
"""

from typing import Any

from app.clients.accounts import Account, LockedAccount, UnknownAccount, configured, opened
from app.clients.trial import unable_to_send
from app.clients.ttl_cache import TtlCache
from app.keys import seal_of
from app.sending.configuration import Callback, Client, Fallback, Retry, Route, parse
from app.settings import Settings
from schemas import SchemaError
from schemas.events import CHANNELS
from schemas.faults import line
from sql import EventStore

__all__ = [
    "Account",
    "Callback",
    "Client",
    "Clients",
    "Fallback",
    "LockedAccount",
    "Retry",
    "Route",
    "UnknownAccount",
    "UnknownClient",
    "implied",
    "implied_document",
    "parse",
]


class UnknownClient(Exception):
    """No client of this id is configured to send, or its configuration is no longer valid. The message says which."""


class Clients:
    """The configuration, cached for at most `ttl` seconds; concurrent questions ask the store once."""

    def __init__(self, store: EventStore, settings: Settings, *, ttl: float = 2.0) -> None:
        self._store, self._settings = store, settings
        self._seal = seal_of(settings)
        #: The clients that the sources make, which change only with the settings.
        self._implied: dict[str, Client | None] = {}
        self._clients = TtlCache(self._read_client, ttl)
        self._accounts = TtlCache(self._read_account, ttl)

    def use(self, settings: Settings) -> None:
        """Use other sources from now on. The keys of clients' secrets stay."""
        self._settings = settings
        self._implied = {}
        self._clients.clear()
        self._accounts.clear()

    async def client(self, client_id: str) -> Client:
        """Return a client. Raises UnknownClient, psycopg.OperationalError."""
        found = await self._clients.get(client_id)
        if isinstance(found, Client):
            return found
        raise UnknownClient(found)

    async def account(self, client: Client, name: str) -> Account:
        """Return an account of a client: its own, else the source of the settings that has this name and client.

        Raises UnknownAccount (LockedAccount where it cannot be decrypted), psycopg.OperationalError.
        """
        found = await self._accounts.get((client.id, name))
        if isinstance(found, Account):
            return found
        raise type(found)(str(found))

    def forget(self, client_id: str, name: str | None = None) -> None:
        """Drop a client (or its account of this name) from the cache: this process has changed it."""
        if name is None:
            self._clients.forget(client_id)
        else:
            self._accounts.forget((client_id, name))

    async def _read_client(self, client_id: str) -> Client | str:
        """Return the client, or in words why there is none."""
        row = await self._store.client(client_id)
        if row is None:
            return self._of_sources(client_id) or f"no client {client_id} is configured to send"
        last = self._clients.last(client_id)
        if isinstance(last, Client) and last.version == row["version"]:
            return last
        try:
            return parse(client_id, row["version"], row["document"], http_hosts=None)
        except SchemaError as error:
            return f"version {row['version']} of client {client_id} cannot be used: {line(error.faults)}"

    def _of_sources(self, client_id: str) -> Client | None:
        """Return the client that the sources make. It is made once, since building trial messages takes time; only clients
        that have a source are kept, so that unknown ids take no memory."""
        if client_id not in self._implied:
            if all(source.client != client_id for source in self._settings.sources.values()):
                return None
            self._implied[client_id] = implied(client_id, self._settings)
        return self._implied[client_id]

    def implied_document(self, client_id: str) -> dict[str, Any] | None:
        """Return the client that the sources make as the JSON of a configuration, or None."""
        return _document(self._of_sources(client_id))

    async def _read_account(self, key: tuple[str, str]) -> Account | UnknownAccount:
        client_id, name = key
        row = await self._store.account(client_id, name)
        if row is not None:
            try:
                return opened(row, self._seal)
            except UnknownAccount as error:
                return error
        source = self._settings.sources.get(name)
        found = configured(name, source) if source and source.client == client_id else None
        return found or UnknownAccount(f"client {client_id} has no account {name} that sends")


def implied(client_id: str, settings: Settings) -> Client | None:
    """Return the client that the sources of the settings make: a route for each channel by which one of them sends, in their
    order; those whose settings lack what sending by the channel needs come last. None where none sends."""
    found: list[tuple[str, str]] = []
    unable: list[tuple[str, str]] = []
    for name, source in settings.sources.items():
        account = configured(name, source) if source.client == client_id else None
        for channel in CHANNELS if account else ():
            if account and channel in account.adapter.sends:
                lacking = unable_to_send(account.adapter, account.values, channels=(channel,))
                (unable if lacking else found).append((channel, name))
    routes: dict[str, Route] = {}
    for channel, name in found + unable:
        routes.setdefault(channel, Route(channel, name))
    return Client(client_id, 0, tuple(routes.values())) if routes else None


def implied_document(client_id: str, settings: Settings) -> dict[str, Any] | None:
    """Return the same as the JSON of a configuration, to start one from."""
    return _document(implied(client_id, settings))


def _document(client: Client | None) -> dict[str, Any] | None:
    routes = client.routes if client else ()
    return {"channels": [{"channel": one.channel, "account": one.account} for one in routes]} if client else None
