"""The sample that `threadline up` prints: a key of its own, a webhook to send, a timeline to read."""

from hashlib import md5
from pathlib import Path
from uuid import UUID

from app.embedded.firstrun import secrets_folder, write_secret
from app.http.access import SCOPES, fingerprint, mint
from sql import EventStore

CLIENT = "default"
#: Where the sample's API key is kept, within the data folder.
KEY_FILE = Path("secrets", "api_key")
PHONE = "+15551234567"

_TEXT = """
Threadline is up: {url}   (the API, explained: {url}/docs)

Send it a webhook:

  curl -sS -i {url}/webhooks/aggregate \\
    -H "Authorization: Bearer $(cat '{key}')" \\
    -H 'Content-Type: application/json' \\
    -d '{{"source": "sample", "eventType": "message.received", "data": {{"channel": "sms", "from": "{phone}", "content": {{"text": "Hello, is this on?"}}}}}}'

Read the timeline:

  curl -sS {url}/api/customers/{customer}/interactions \\
    -H "Authorization: Bearer $(cat '{key}')"

Data: {data}   configuration: {data}/threadline.toml   logs: {data}/logs{elsewhere}
Ctrl-C stops all of it.
"""


def text(url: str, data: Path) -> str:
    """What is printed; the commands work as they stand, in any folder."""
    cluster, elsewhere = data / "postgres" / "cluster", ""
    if cluster.is_symlink():
        elsewhere = f"\nPostgreSQL's files: {cluster.resolve()} (the account it runs as cannot enter the data folder)"
    given = {"url": url, "key": key_file(data), "data": data.absolute(), "elsewhere": elsewhere}
    return _TEXT.format(phone=PHONE, customer=customer(), **given)


def key_file(data: Path) -> Path:
    """Where the sample's API key is."""
    secrets_folder(data.absolute())
    return data.absolute() / KEY_FILE


async def ensure_key(service_dsn: str, data: Path) -> None:
    """See to it that `key_file` holds a key which the database knows, with all scopes: also those that an upgrade
    brought."""
    file = key_file(data)
    async with await EventStore.open(service_dsn, pool=1) as store:
        if file.exists() and await _is_good(file.read_text().strip(), store):
            return
        id, token, hash = mint()
        await store.create_api_key(id, "threadline up", CLIENT, sorted(SCOPES), hash)
    write_secret(file, token + "\n")


def customer() -> UUID:
    """Whom the sample's message is from: an unknown handle's customer has the handle's own id."""
    return UUID(md5(f"{CLIENT}\x1fphone\x1f{PHONE}".encode(), usedforsecurity=False).hexdigest())


async def _is_good(token: str, store: EventStore) -> bool:
    _, id, secret = token.split("_")
    row = await store.api_key(UUID(id))
    sound = row is not None and row["revoked_at"] is None and bytes(row["hash"]) == fingerprint(secret)
    return sound and row is not None and SCOPES.keys() <= set(row["scopes"])
