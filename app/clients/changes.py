"""Changes clients' configurations, for the API and the command line: checks, then writes with an audit."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from adapters import ADAPTERS
from adapters.contract import Adapter
from app.clients.accounts import Account, UnknownAccount, account_of, configured, opened, sealed
from app.clients.ids import RULE, is_client_id
from app.keys import seal_of
from app.sending.configuration import hint, parse
from app.settings import Settings
from schemas import SchemaError
from schemas.events import CHANNELS
from schemas.faults import Faults
from sql import EventStore
from sql.sealing import Seal

State = Literal["added", "changed", "unchanged"]


class InUse(Exception):
    """The account cannot be removed: channels of the client use it. The message names them."""


@dataclass(frozen=True, slots=True)
class Changes:
    """Makes changes. `actor`: the name in the audit log."""

    store: EventStore
    settings: Settings
    actor: str

    async def set_client(self, client_id: str, document: Mapping[str, Any], expected: int | None = None) -> Any:
        """Make the document the next version of a client's configuration; the row is that of `EventStore.set_client`.

        Raises SchemaError: the document is invalid, or names an account that does not exist or does not send by the channel.
        """
        self.check_client(client_id)
        self.check_document(client_id, document, dict(await self.senders(client_id)))
        return await self.store.set_client(client_id, document, self.actor, expected)

    async def set_account(
        self, client_id: str, name: str, document: Mapping[str, Any], *, trusted: bool = False
    ) -> tuple[Account, State]:
        """Add an account, or replace one with all its settings.

        Raises SchemaError (also where the new adapter does not send by a channel that uses the account), NoKey.
        """
        self.check_client(client_id)
        account = account_of(name, document, trusted=trusted)
        if (current := await self.store.client(client_id)) is not None:
            for route in current["document"]["channels"]:
                if route["account"] == name and route["channel"] not in account.adapter.sends:
                    raise SchemaError("$.adapter", _cannot(account.adapter, route["channel"]) + "; a channel uses it")
        return account, await self.write_account(client_id, account)

    async def write_account(self, client_id: str, account: Account) -> State:
        """Add or replace an account that was checked. Raises NoKey."""
        seal = seal_of(self.settings)
        row = await self.store.account(client_id, account.name)
        if row is not None and _same(row, account, seal):
            return "unchanged"
        await self.store.set_account(
            client_id,
            account.name,
            adapter=account.adapter.name,
            source=account.source,
            url=account.url,
            trusted=account.trusted,
            sealed=sealed(account, client_id, seal),
            key_id=seal.key_id,
            settings=sorted(account.values),
            actor=self.actor,
        )
        return "changed" if row else "added"

    async def remove_account(self, client_id: str, name: str) -> bool:
        """Remove an account; return False where there is none. Raises InUse."""
        source = self.settings.sources.get(name)
        spare = source is not None and source.client == client_id
        row = await self.store.remove_account(client_id, name, self.actor, spare=spare)
        if row["existed"] and not row["removed"]:
            raise InUse(
                f"{', '.join(row['channels'])} of client {client_id} goes by the account {name}: change that first"
            )
        return bool(row["removed"])

    async def reseal(self) -> int:
        """Encrypt the settings of all accounts with the first key; return how many were not. Raises NoKey, LockedAccount."""
        seal, done = seal_of(self.settings), 0
        for row in await self.store.accounts():
            if row["key_id"] != seal.key_id:
                again = sealed(opened(row, seal), row["client_id"], seal)
                done += await self.store.reseal_account(row, again, seal.key_id, self.actor)
        return done

    async def senders(self, client_id: str) -> list[tuple[str, Adapter]]:
        """Return the client's accounts with their adapters: those of the settings, then its own, which take precedence."""
        sources = self.settings.sources.items()
        found = [(name, configured(name, source)) for name, source in sources if source.client == client_id]
        rows = await self.store.accounts(client_id)
        return [(name, one.adapter) for name, one in found if one] + [
            (row["name"], ADAPTERS[row["adapter"]]) for row in rows if row["adapter"] in ADAPTERS
        ]

    @staticmethod
    def check_client(client_id: str) -> None:
        """Raise SchemaError unless it can be a client's id."""
        if not is_client_id(client_id):
            raise SchemaError("$", RULE)

    def check_document(
        self, client_id: str, document: Mapping[str, Any], senders: Mapping[str, Adapter | None]
    ) -> None:
        """Raise SchemaError with all that is wrong with a configuration; `senders`: as for `check_routes`."""
        faults = Faults()
        with faults:
            parse(client_id, 0, document, self.settings.callbacks.http_hosts)
        with faults:
            check_routes(client_id, document, senders)
        faults.refuse()


def check_routes(client_id: str, document: Mapping[str, Any], senders: Mapping[str, Adapter | None]) -> None:
    """Raise SchemaError for routes whose account does not exist, or does not send by its channel. The document need not fit its
    schema. `senders`: the accounts; None for one whose adapter is not known."""
    faults, channels = Faults(), document.get("channels")
    for index, route in enumerate(channels if isinstance(channels, list) else ()):
        named = route if isinstance(route, Mapping) else {}
        account, channel, path = named.get("account"), named.get("channel"), f"$.channels[{index}].account"
        if not isinstance(account, str):
            continue
        if account not in senders:
            faults.add(path, f"there is no such account of {client_id}{hint(account, senders)}")
        elif channel in CHANNELS and (adapter := senders[account]) is not None and channel not in adapter.sends:
            faults.add(path, _cannot(adapter, channel))
    faults.refuse()


def _cannot(adapter: Adapter, channel: str) -> str:
    return f"{adapter.name} does not send {channel}; it sends {', '.join(sorted(adapter.sends))}"


def _same(row: Mapping[str, Any], account: Account, seal: Seal) -> bool:
    try:
        return opened(row, seal) == account and row["key_id"] == seal.key_id
    except UnknownAccount:
        return False
