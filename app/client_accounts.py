"""A client's accounts as people are told of them, for the API and the command line alike."""

from typing import Any

from app.sending.accounts import UnknownAccount, configured, opened, shown
from app.sending.seal import Seal
from app.settings import Settings
from sql import EventStore

#: An account as the API tells it, and what is wrong with one whose key or adapter is not there.
Told = tuple[dict[str, Any], str | None]


async def told(store: EventStore, settings: Settings, client_id: str) -> list[Told]:
    """Those of the settings, then those of the store, without their secrets. The store's counts where both have one of a
    name. Of one that something is wrong with, `settings` and `secrets` are None."""
    found: list[Told] = []
    for name, source in settings.sources.items():
        if source.client == client_id and (account := configured(name, source)):
            found.append((shown(account) | {"origin": "settings", "changedAt": None}, None))
    seal = Seal.of(settings)
    for row in await store.accounts(client_id):
        wrong = None
        try:
            one = shown(opened(row, seal))
        except UnknownAccount as error:
            wrong = str(error)
            one = {name: row[name] for name in ("name", "adapter", "source", "url", "trusted")}
            one |= {"settings": None, "secrets": None}
        found.append((one | {"origin": "store", "changedAt": row["changed_at"]}, wrong))
    return found
