"""Shows a client's accounts, for the API and the command line, with the URLs to which their providers post."""

from typing import Any
from urllib.parse import quote, urlsplit

from app.clients.account_sources import webhook_path
from app.clients.accounts import UnknownAccount, account_json, configured, opened
from app.keys import seal_of
from app.settings import Settings
from sql import EventStore
from webhooks.recognise import DOOR

#: An account as JSON, and the error if its key or adapter is missing.
AccountJson = tuple[dict[str, Any], str | None]


async def accounts_json(store: EventStore, settings: Settings, client_id: str) -> list[AccountJson]:
    """Return the accounts of the settings, then those of the store, without their secrets. Where both have one of a name, the
    store's is used. Where something is wrong with an account, its `settings` and `secrets` are None."""
    found: list[AccountJson] = []
    for name, source in settings.sources.items():
        if source.client == client_id and (account := configured(name, source)):
            more = {"origin": "settings", "changedAt": None, "webhookPath": f"{DOOR}/{quote(name, safe='')}"}
            found.append((account_json(account) | more, None))
    seal = seal_of(settings)
    for row in await store.accounts(client_id):
        wrong = None
        try:
            one = account_json(opened(row, seal))
        except UnknownAccount as error:
            wrong = str(error)
            one = {name: row[name] for name in ("name", "adapter", "source", "url", "trusted")}
            one |= {"settings": None, "secrets": None}
        more = {"origin": "store", "changedAt": row["changed_at"], "webhookPath": webhook_path(client_id, row["name"])}
        found.append((one | more, wrong))
    return found


def webhooks_of(client_id: str, name: str, url: str | None) -> tuple[str, str | None]:
    """Return the URL to which the provider of an account in the store must post, and the error of the URL that is
    configured (None: it is right)."""
    path = webhook_path(client_id, name)
    if url is None:
        return (
            f"https://your.host{path}",
            "it has no --url, so a provider that takes the URL with each message is not given one",
        )
    parts = urlsplit(url)
    if parts.path.rstrip("/") != path and f"source={client_id}/{name}" not in parts.query:
        return f"{parts.scheme}://{parts.netloc}{path}", f"its URL is {url}, where its webhooks are not recognised"
    return url, None
