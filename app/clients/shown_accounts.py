"""A client's accounts as people are told of them, for the API and the command line alike, with where their providers post to."""

from typing import Any
from urllib.parse import quote, urlsplit

from app.clients.account_sources import webhook_path
from app.clients.seal import Seal
from app.sending.accounts import UnknownAccount, configured, opened, shown
from app.settings import Settings
from sql import EventStore
from webhooks.recognise import DOOR

#: An account as the API tells it, and what is wrong with one whose key or adapter is not there.
Told = tuple[dict[str, Any], str | None]


async def told(store: EventStore, settings: Settings, client_id: str) -> list[Told]:
    """Those of the settings, then those of the store, without their secrets. The store's counts where both have one of a
    name. Of one that something is wrong with, `settings` and `secrets` are None."""
    found: list[Told] = []
    for name, source in settings.sources.items():
        if source.client == client_id and (account := configured(name, source)):
            more = {"origin": "settings", "changedAt": None, "webhookPath": f"{DOOR}/{quote(name, safe='')}"}
            found.append((shown(account) | more, None))
    seal = Seal.of(settings)
    for row in await store.accounts(client_id):
        wrong = None
        try:
            one = shown(opened(row, seal))
        except UnknownAccount as error:
            wrong = str(error)
            one = {name: row[name] for name in ("name", "adapter", "source", "url", "trusted")}
            one |= {"settings": None, "secrets": None}
        more = {"origin": "store", "changedAt": row["changed_at"], "webhookPath": webhook_path(client_id, row["name"])}
        found.append((one | more, wrong))
    return found


def webhooks_of(client_id: str, name: str, url: str | None) -> tuple[str, str | None]:
    """Where the provider of an account in the store is to post, as a URL, and what is wrong with the URL that the account
    has (None: nothing)."""
    path = webhook_path(client_id, name)
    if url is None:
        return (
            f"https://your.host{path}",
            "it has no --url, so its provider is not told where to post, if that goes by message",
        )
    parts = urlsplit(url)
    if parts.path.rstrip("/") != path and f"source={client_id}/{name}" not in parts.query:
        return f"{parts.scheme}://{parts.netloc}{path}", f"its URL is {url}, where its webhooks are not recognised"
    return url, None
