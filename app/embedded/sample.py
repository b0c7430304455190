"""Makes the sample that `threadline up` prints: an API key, a webhook to send, a timeline to read."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from app.embedded.firstrun import secrets_folder, write_secret
from app.http.scopes import SCOPES
from app.http.tokens import Kind, fault_of, fingerprint, id_of, mint
from sql import EventStore
from sql.sealing import Seal

CLIENT = "default"
#: The file of the sample's API key, within the data folder.
KEY_FILE = Path("secrets", "api_key")
PHONE = "+15551234567"

_TEXT = """
Threadline is up: {url}
The API, explained: {url}/docs{moved}

Send it a webhook:

  curl -sS -i {url}/webhooks/aggregate \\
    -H "Authorization: Bearer $(cat '{key}')" \\
    -H 'Content-Type: application/json' \\
    -d '{{"source": "sample", "eventType": "message.received", "data": {{"channel": "sms", "from": "{phone}", "content": {{"text": "Hello, is this on?"}}}}}}'

Find the customer, and read the timeline by the customerId that the answer has:

  curl -sS '{url}/api/customers?handle={quoted}' \\
    -H "Authorization: Bearer $(cat '{key}')"
  curl -sS {url}/api/customers/CUSTOMER_ID/interactions \\
    -H "Authorization: Bearer $(cat '{key}')"

Data: {data}
Configuration: {data}/threadline.toml
Logs: {data}/logs{elsewhere}
Ctrl-C stops everything.
"""


def text(url: str, data: Path, moved: Sequence[str] = ()) -> str:
    """Return the text. Its commands work in any folder. `moved`: which default ports are taken, and what is used instead, in words."""
    cluster, elsewhere = data / "postgres" / "cluster", ""
    if cluster.is_symlink():
        elsewhere = f"\nPostgreSQL's files: {cluster.resolve()} (the account it runs as cannot enter the data folder)"
    others = "".join(f"\nNote: {words}: change it where a proxy, a provider or a monitor names it" for words in moved)
    given = {"url": url, "moved": others, "key": key_file(data), "data": data.absolute(), "elsewhere": elsewhere}
    return _TEXT.format(phone=PHONE, quoted=quote(PHONE), **given)


def key_file(data: Path) -> Path:
    """Return the path of the sample's API key."""
    secrets_folder(data.absolute())
    return data.absolute() / KEY_FILE


async def ensure_key(service_dsn: str, data: Path, kind: Kind = "live") -> None:
    """Ensure that `key_file` holds a valid API key of this kind with all scopes, including those added by an upgrade."""
    file = key_file(data)
    async with await EventStore.open(service_dsn, Seal([]), pool=1) as store:
        if file.exists() and await _is_good(file.read_text().strip(), kind, store):
            return
        id, token, hash = mint(kind)
        await store.create_api_key(id, "threadline up", CLIENT, sorted(SCOPES), hash)
    write_secret(file, token + "\n")


async def _is_good(token: str, kind: Kind, store: EventStore) -> bool:
    if fault_of(token, kind) is not None:
        return False
    row = await store.api_key(id_of(token))
    sound = row is not None and row["revoked_at"] is None and bytes(row["hash"]) == fingerprint(token)
    return sound and row is not None and SCOPES.keys() <= set(row["scopes"])
